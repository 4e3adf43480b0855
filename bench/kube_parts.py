"""What is measured: a controller as a process at a real API server, and its sidecars in another.

The one rule: the controller has the rights of its chart and no more, so that the API server treats
it as it would in a cluster. This module must not know what is changed meanwhile.
"""

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from bench.kube_fill import Filler
from bench.kube_sidecars import LINE_BYTES_MAX, Setting
from bench.processes import REPOSITORY, BenchError
from controller.kube.options import SERVICE
from controller.kube.rights import CERTIFICATES, RIGHTS, Scope
from farebox.runtime.clock import SystemClock
from tests.support.kube_api import KubeApi
from tests.support.kube_controllers import SERVER_NAME, KubeControllerProcess

OWN: Final = "farebox"
USER: Final = f"system:serviceaccount:{OWN}:{SERVICE}"
LEADS: Final = "farebox_controller_leads"
ANSWER_S_MAX: Final = 120.0
POLL_S: Final = 0.05
_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
_CLOCK: Final = SystemClock()


async def install(filler: Filler, api: KubeApi) -> Path:
    """Make what the chart makes for a controller; gives its kubeconfig."""
    at = f"/api/v1/namespaces/{OWN}"
    await filler.ask("POST", "/api/v1/namespaces", {"metadata": {"name": OWN}})
    await filler.ask("POST", f"{at}/serviceaccounts", {"metadata": {"name": SERVICE}})
    await filler.ask("POST", f"{at}/secrets", {"metadata": {"name": CERTIFICATES}})
    subject = {"kind": "ServiceAccount", "name": SERVICE, "namespace": OWN}
    for scope, kind, where in (
        (Scope.CLUSTER, "ClusterRole", _RBAC),
        (Scope.OWN, "Role", f"{_RBAC}/namespaces/{OWN}"),
    ):
        plural, metadata = f"{kind.lower()}s", {"name": SERVICE}
        rules = [
            {
                "apiGroups": [right.group],
                "resources": [right.resource],
                "verbs": list(right.verbs),
                **({"resourceNames": list(right.names)} if right.names else {}),
            }
            for right in RIGHTS
            if right.scope is scope
        ]
        await filler.ask("POST", f"{where}/{plural}", {"metadata": metadata, "rules": rules})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": SERVICE}
        binding = {"metadata": metadata, "subjects": [subject], "roleRef": role}
        await filler.ask("POST", f"{where}/{plural[:-1]}bindings", binding)
    account = f"{at}/serviceaccounts/{SERVICE}/token"
    token = (await filler.ask("POST", account, {"spec": {"expirationSeconds": 7_200}}))["status"]
    return _kubeconfig(api, str(token["token"]))


def _kubeconfig(api: KubeApi, token: str) -> Path:
    cluster = {"server": api.server, "certificate-authority": str(api.authority.file)}
    found = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bench",
        "clusters": [{"name": "bench", "cluster": cluster}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": SERVICE}}],
        "users": [{"name": SERVICE, "user": {"token": token}}],
    }
    path = api.folder / "controller.kubeconfig"
    path.write_text(json.dumps(found))
    return path


class Controller(KubeControllerProcess):
    """A controller with a ledger of its own. `began` is when it was started."""

    began = 0

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    async def start_until(self, pods: int) -> tuple[int, int]:
        """Start it; after how many ms it knew so many pods, and after how many it led."""
        self.began = _CLOCK.boot()
        starting = asyncio.ensure_future(self.start())
        try:
            listed = await self._until(lambda told: told.get("pods", 0) >= pods)
            led = await self._until(lambda told: told.get(LEADS, 0) == 1)
        finally:
            await starting
        return listed - self.began, led - self.began

    async def _until(self, holds: Callable[[Mapping[str, float]], bool]) -> int:
        async with asyncio.timeout(ANSWER_S_MAX):
            while True:
                if holds(await self._told()):
                    return _CLOCK.boot()
                await asyncio.sleep(POLL_S)

    async def _told(self) -> Mapping[str, float]:
        """Objects known by kind, and whether it leads."""
        url = f"http://127.0.0.1:{self.probes}/metrics"
        try:
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                text = await answer.text()
        except aiohttp.ClientError:
            return {}
        found = re.findall(r'^farebox_cluster_objects\{kind="(\w+)"\} (\S+)$', text, re.MULTILINE)
        found += re.findall(rf"^({LEADS}) (\S+)$", text, re.MULTILINE)
        return {name: float(value) for name, value in found}


@asynccontextmanager
async def controlling(folder: Path, kubeconfig: Path) -> AsyncIterator[Controller]:
    """A controller that is not started yet, and is ended with the block."""
    folder.mkdir()  # noqa: ASYNC240  (once, before anything is measured)
    made = Controller(folder, kubeconfig, "--pod-address", "Ignore", "--log-level", "warning")
    try:
        yield made
    finally:
        made.close()


class Sidecars:
    """The other end of the process with the sidecars. Times are those of the boot clock, in ms."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        self._process = process
        self._limits: list[Mapping[str, int]] = []
        self._prices: dict[int, Any] = {}
        self._at: dict[tuple[str, int], int] = {}
        self._orders: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._heard = asyncio.Event()
        self.connected: set[int] = set()
        self.last_policy = 0
        self.policies = 0

    async def read(self) -> None:
        """Take in what is said, for ever."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            if "order" in said:
                self._orders.put_nowait(said)
                continue
            self.policies += 1
            self.connected.add(said["sidecar"])
            self._prices[said["sidecar"]] = said["prices"]
            self.last_policy = max(self.last_policy, said["at"])
            for uid, limit in said["limits"].items():
                self._at.setdefault((uid, limit), said["at"])
            self._heard.set()
        raise BenchError("the sidecars have ended")

    async def order(self, word: str) -> Mapping[str, Any]:
        """Have something done, and wait until it is; tells what was spent so far."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n".encode())
        async with asyncio.timeout(ANSWER_S_MAX):
            return await self._orders.get()

    async def until(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait, bounded, for policies to have come. Raises BenchError."""
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                while not holds():
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            raise BenchError(f"{what}: not within {ANSWER_S_MAX:g} s") from None

    async def limit_at(self, uid: str, limit: int) -> int:
        """When the first sidecar had a limit in force."""
        await self.until(f"{uid} has {limit} n$", lambda: (uid, limit) in self._at)
        return self._at[uid, limit]

    def prices(self) -> Counter[str]:
        """How many sidecars have which prices."""
        return Counter(json.dumps(one) for one in self._prices.values())


@asynccontextmanager
async def sidecars_of(
    controller: Controller, authorities: str, tokens: Sequence[str]
) -> AsyncIterator[Sidecars]:
    """As many sidecars as there are tokens, until the block ends."""
    port = controller.ports["grpc"]
    setting = Setting(port=port, name=SERVER_NAME, authorities=authorities, tokens=list(tokens))
    file = controller.folder / "sidecars.json"
    file.write_bytes(msgspec.json.encode(setting))
    with (controller.folder / "sidecars.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.kube_sidecars", str(file)),
            cwd=REPOSITORY,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            limit=LINE_BYTES_MAX,
        )
    made = Sidecars(process)
    reading = asyncio.ensure_future(made.read())
    try:
        yield made
    finally:
        reading.cancel()
        if process.returncode is None:
            process.kill()
        await process.wait()


class Audit:
    """What the controller has asked of the API server since somebody last looked."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = log.stat().st_size if log.exists() else 0

    def requests(self) -> Counter[str]:
        """How many requests of each verb and resource have been answered since the last look."""
        found: Counter[str] = Counter()
        with self._log.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                event = msgspec.json.decode(line)
                about = event.get("objectRef", {})
                if event["user"]["username"] == USER and about:
                    sub = f"/{about['subresource']}" if about.get("subresource") else ""
                    found[f"{event['verb']} {about['resource']}{sub}"] += 1
        return found
