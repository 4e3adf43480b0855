"""The probes of a container, asked from the node as a kubelet asks them.

The one rule: an answer is yes or no within the probe's own time. This module must not know what
follows from an answer.
"""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tests.support.kube_containers import Container
from tests.support.kube_network import KubeNetwork


async def answers(
    probe: Mapping[str, Any],
    network: KubeNetwork,
    address: str,
    spec: Mapping[str, Any],
    container: Container,
) -> bool:
    """Whether a container of a spec, at its pod's address, answers a probe with yes."""
    if "exec" in probe:
        done = await asyncio.to_thread(container.run_inside, *probe["exec"]["command"])
        return done.returncode == 0
    asked = probe.get("httpGet") or probe["tcpSocket"]
    port = _port(asked["port"], spec)
    with suppress(OSError, TimeoutError, EOFError, ValueError):
        async with asyncio.timeout(probe.get("timeoutSeconds", 1)):
            reader, writer = await network.connect(asked.get("host", address), port)
            try:
                if "httpGet" not in probe:
                    return True
                if asked.get("scheme") == "HTTPS":
                    await writer.start_tls(_unchecked())
                writer.write(
                    f"GET {asked.get('path', '/')} HTTP/1.1\r\nHost: {address}\r\n".encode()
                )
                writer.write(b"Connection: close\r\n\r\n")
                # Who hangs up at once has said nothing.
                status = (await reader.readline()).split()[1:2]
                return bool(status) and 200 <= int(status[0]) < 400
            finally:
                writer.close()
    return False


def _port(port: int | str, spec: Mapping[str, Any]) -> int:
    if isinstance(port, int):
        return port
    return next(int(one["containerPort"]) for one in spec["ports"] if one.get("name") == port)


def _unchecked() -> ssl.SSLContext:
    # A kubelet checks no certificates of what it probes.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
