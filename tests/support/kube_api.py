"""A real Kubernetes control plane of a test's own: etcd, kube-apiserver, kube-controller-manager.

It has its own certificates, RBAC and the usual admission plugins. The one rule: whatever a test did
to a part (killed, stopped), leaving the block ends it, by its pid, and no wait is without a bound.
This module must not know what is installed.

An admission webhook that names a Service is called at the Service's ready endpoints, not at its
cluster IP, which nothing here routes: that is what --enable-aggregator-routing does, for webhooks
as for aggregated API servers. Who changes the endpoints waits for the API server to have seen it.
"""

import asyncio
import json
import os
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.support.kube_certificates import Authority, write_key_pair
from tests.support.kube_tools import Tools, tools
from tests.support.ports import free_ports

SERVICES: Final = "198.51.100.0/24"
"""Cluster IPs; these addresses are nobody's."""

KUBERNETES_SERVICE: Final = "198.51.100.1"
START_S_MAX: Final = 60.0
COMMAND_S_MAX: Final = 120.0
SHELL_S_MAX: Final = 240.0
_END_S_MAX: Final = 20.0
_REQUEST_S_MAX: Final = 30.0
_POLL_S: Final = 0.05
_TAIL_CHARS_MAX: Final = 3_000

APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"


class ApiError(Exception):
    """The API server said no; `status` is the HTTP status, the text what it said."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where the control plane runs: `prefix` is put before each command.

    The API server listens on `address` and calls itself by `advertised` too.
    """

    prefix: tuple[str, ...] = ()
    address: str = "127.0.0.1"
    advertised: str = ""
    port: int = 0


class Part:
    """One process, which a test may kill and start again."""

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = tuple(command)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, the first time or again."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith("ETCD_")}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=kept
            )

    def kill(self) -> None:
        """End it at once, as the kernel does when memory runs out."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end; it is killed when it does not."""
        with suppress(subprocess.TimeoutExpired):
            self._end(signal.SIGTERM)
        self.kill()

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(_END_S_MAX)
            self._process = None

    def check(self) -> None:
        """AssertionError with the end of its log when it has ended by itself."""
        assert self.runs, f"{self.name} does not run:\n{self.tail()}"

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-_TAIL_CHARS_MAX:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a command said."""

    status: int
    out: str
    error: str


class KubeApi:
    """The running control plane, as its administrator sees it."""

    def __init__(self, folder: Path, home: Home) -> None:
        self.tools: Tools = tools()
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.home = home
        self._etcd_client, self._etcd_peer, port = free_ports(3)
        self.port = home.port or port
        self.audit = folder / "audit.jsonl"
        self.server = f"https://127.0.0.1:{self.port}"
        self.authority = self._certificates()
        self.kubeconfig = self.authority.kubeconfig("admin", self.server)
        self._tls = ssl.create_default_context(cafile=self.authority.file)
        self._tls.load_cert_chain(folder / "pki/admin.crt", folder / "pki/admin.key")
        self._session: aiohttp.ClientSession | None = None
        self.etcd = self._part("etcd", self._etcd_command())
        self.apiserver = self._part("kube-apiserver", self._apiserver_command())
        self.controller_manager = self._part(
            "kube-controller-manager", self._controller_manager_command()
        )
        self.parts = (self.etcd, self.apiserver, self.controller_manager)

    @property
    def etcd_port(self) -> int:
        """Where the API server's etcd takes clients, on its loopback."""
        return self._etcd_client

    def _part(self, name: str, command: Sequence[str]) -> Part:
        return Part(name, (*self.home.prefix, *command), self.folder)

    def _certificates(self) -> Authority:
        made = Authority(self.folder / "pki")
        own = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
        addresses = {"127.0.0.1", KUBERNETES_SERVICE, self.home.advertised} - {""}
        made.server("apiserver", own, sorted(addresses))
        made.client("admin", "test-admin", ("system:masters",))
        made.client("controller-manager", "system:kube-controller-manager")
        write_key_pair(made.folder, "accounts")
        return made

    def _etcd_command(self) -> tuple[str, ...]:
        client, peer = (f"http://127.0.0.1:{one}" for one in (self._etcd_client, self._etcd_peer))
        return (
            *(str(self.tools.etcd), "--name", "kube", "--data-dir", str(self.folder / "etcd")),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"kube={peer}", "--log-level", "warn"),
        )

    def _apiserver_command(self) -> tuple[str, ...]:
        pki = self.authority.folder
        advertised = (
            ("--advertise-address", self.home.advertised)
            if self.home.advertised
            # On loopback there is no address that others could be told.
            else ("--endpoint-reconciler-type", "none")
        )
        return (
            *(str(self.tools.apiserver), "--etcd-servers"),
            f"http://127.0.0.1:{self._etcd_client}",
            *("--bind-address", self.home.address, "--secure-port", str(self.port), *advertised),
            *("--tls-cert-file", f"{pki}/apiserver.crt"),
            *("--tls-private-key-file", f"{pki}/apiserver.key"),
            *("--client-ca-file", str(self.authority.file)),
            *("--authorization-mode", "Node,RBAC"),
            *("--service-cluster-ip-range", SERVICES),
            *("--service-account-issuer", "https://kubernetes.default.svc"),
            *("--service-account-key-file", f"{pki}/accounts.pub"),
            *("--service-account-signing-key-file", f"{pki}/accounts.key"),
            "--enable-aggregator-routing",
            *("--audit-policy-file", str(self._audit_policy())),
            *("--audit-log-path", str(self.audit), "--audit-log-mode", "batch"),
        )

    def _audit_policy(self) -> Path:
        """What is written down: each request of a ServiceAccount that a test installed."""
        path = self.folder / "audit.yaml"
        rules = [
            {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
            {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
            {"level": "None"},
        ]
        policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules}
        path.write_text(json.dumps({**policy, "omitStages": ["RequestReceived"]}))
        return path

    def _controller_manager_command(self) -> tuple[str, ...]:
        pki = self.authority.folder
        return (
            *(str(self.tools.controller_manager), "--kubeconfig"),
            str(self.authority.kubeconfig("controller-manager", self.server)),
            *("--service-account-private-key-file", f"{pki}/accounts.key"),
            *("--root-ca-file", str(self.authority.file)),
            *("--use-service-account-credentials", "--leader-elect=false", "--secure-port=0"),
            # The nodes of these tests send no heartbeats.
            *("--controllers", "*,-node-lifecycle-controller"),
        )

    async def start(self) -> None:
        """Start all parts and wait until resources can be made in the default namespace."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, force_close=True),
            timeout=aiohttp.ClientTimeout(total=_REQUEST_S_MAX),
        )
        self.etcd.start()
        self.apiserver.start()
        await self.until_ready()
        self.controller_manager.start()
        await self._until_answers("/api/v1/namespaces/default/serviceaccounts/default")

    async def until_ready(self) -> None:
        """Wait until the API server says that it is ready."""
        await self._until_answers("/readyz")

    async def until_served(self, version: str, kinds: int) -> None:
        """Wait until so many kinds of a group and version are served and can be explained."""
        async with asyncio.timeout(START_S_MAX):
            while True:
                with suppress(ApiError):
                    found = (await self.get(f"/apis/{version}"))["resources"]
                    if sum("/" not in one["name"] for one in found) >= kinds:
                        await self.text(f"/openapi/v3/apis/{version}")
                        return
                await asyncio.sleep(_POLL_S)

    async def _until_answers(self, path: str) -> None:
        async with asyncio.timeout(START_S_MAX):
            while True:
                with suppress(ApiError, aiohttp.ClientError, TimeoutError):
                    await self.text(path)
                    return
                for part in self.parts:
                    if part.runs or part is self.apiserver:
                        part.check()
                await asyncio.sleep(_POLL_S)

    async def close(self) -> None:
        """End everything."""
        if self._session is not None:
            await self._session.close()
        for part in reversed(self.parts):
            part.kill()

    async def text(
        self,
        path: str,
        *,
        method: str = "GET",
        body: object = None,
        content_type: str = "application/json",
    ) -> str:
        """Ask the API server as an administrator. Raises ApiError, aiohttp.ClientError."""
        assert self._session is not None, "it was not started"
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content_type} if data else {}
        async with self._session.request(
            method, self.server + path, data=data, headers=headers
        ) as answer:
            said = await answer.text()
            if answer.status >= 400:
                raise ApiError(answer.status, said)
            return said

    async def get(self, path: str) -> Any:
        """A decoded answer."""
        return json.loads(await self.text(path))

    async def post(self, path: str, body: object) -> Any:
        """Make something; gives it as it was stored."""
        return json.loads(await self.text(path, method="POST", body=body))

    async def patch(self, path: str, body: object, content_type: str = MERGE) -> Any:
        """Change something; gives it as it was stored."""
        return json.loads(
            await self.text(path, method="PATCH", body=body, content_type=content_type)
        )

    async def delete(self, path: str, body: object = None) -> None:
        """Delete something; what is gone already is gone."""
        try:
            await self.text(path, method="DELETE", body=body)
        except ApiError as error:
            if error.status != 404:
                raise

    async def kubectl(self, *words: str, told: str = "", check: bool = True) -> Done:
        """Run the real kubectl as an administrator."""
        return await self._run((str(self.tools.kubectl), *words), told, check=check)

    async def helm(self, *words: str, check: bool = True) -> Done:
        """Run the real helm as an administrator."""
        return await self._run((str(self.tools.helm), *words), check=check)

    async def shell(self, command: str, folder: Path) -> Done:
        """Run a line that a document tells people to run, in a folder, as an administrator."""
        words = ("sh", "-c", command)
        return await self._run(words, folder=folder, check=True, seconds_max=SHELL_S_MAX)

    async def _run(
        self,
        command: Sequence[str],
        told: str = "",
        *,
        check: bool,
        folder: Path | None = None,
        seconds_max: float = COMMAND_S_MAX,
    ) -> Done:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment(),
        )
        try:
            async with asyncio.timeout(seconds_max):
                out, error = await process.communicate(told.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        done = Done(status=process.returncode or 0, out=out.decode(), error=error.decode())
        assert not check or done.status == 0, f"{' '.join(command)}: {done.error}"
        return done

    def environment(self) -> Mapping[str, str]:
        """What kubectl and helm are run with: this cluster, and no settings of the machine."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {
            "PATH": f"{self.tools.kubectl.parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "KUBECONFIG": str(self.kubeconfig),
        }


@asynccontextmanager
async def kube_api(folder: Path, home: Home | None = None) -> AsyncIterator[KubeApi]:
    """Run a control plane for as long as the block lasts."""
    made = KubeApi(folder, home or Home())
    try:
        await made.start()
        yield made
    finally:
        await made.close()
