"""A cluster in which Farebox is installed as its document says, and a provider with a ledger.

The one rule: everything is done with kubectl and helm, as a person would; what happened is read
from the provider's own ledger and from what the API server shows. This module must not know what
is tested.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from farebox.cli import fleet
from farebox.cli.processes import Child, Children
from farebox.core.instant import UtcMs
from farebox.runtime.clock import SystemClock
from farebox.simulated.ledger import Entry, read_entries
from tests.support.kube_document import PLACEHOLDERS, ROOT, Steps
from tests.support.kube_kubelet import Cluster, kube_cluster
from tests.support.kube_network import outpost
from tests.support.kube_pods import Pod

SYSTEM: Final = "farebox"
"""The namespace in which Farebox is installed."""

TEAM: Final = "assistants"
"""The namespace of the examples."""

OTHERS: Final = PLACEHOLDERS["NAMESPACE"]
"""The namespace that a reader has already."""

PICO: Final = 10**12
_PROVIDER: Final[Mapping[str, Any]] = {
    "models": [
        {
            "name": "gpt-4o-mini",
            "inputPerMillion": "0.15",
            "outputPerMillion": "0.60",
            "cachedInputPerMillion": "0.075",
            "latencyMs": 20,
        }
    ],
    "answer": {"tokensMin": 20, "tokensMax": 50},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call ended for its caller, UTC times in milliseconds; status 0: nobody answered."""

    began: UtcMs
    ended: UtcMs
    status: int
    reason: str
    text: str


class Heard:
    """What the callers of pods have said, each line read once."""

    def __init__(self) -> None:
        self._read: dict[str, int] = {}
        self._outcomes: dict[str, list[Outcome]] = {}

    def of(self, pod: Pod) -> list[Outcome]:
        """The outcomes of all calls of a pod so far."""
        text, known = pod.log("main"), self._outcomes.setdefault(pod.uid, [])
        begin, end = self._read.get(pod.uid, 0), text.rfind("\n") + 1
        lines = text[begin:end].splitlines()
        known += [Outcome(**json.loads(line)) for line in lines if line.startswith("{")]
        self._read[pod.uid] = max(begin, end)
        return known


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The running system. `base_url`: where pods find the provider."""

    cluster: Cluster
    provider: Child
    ledger: Path
    base_url: str
    heard: Heard = field(default_factory=Heard)

    def steps(
        self, section: tuple[Path, str], folder: Path = ROOT, hasty: Mapping[str, str] | None = None
    ) -> Steps:
        """The commands of a section of a document, to be run in a folder.

        `hasty`: what is said instead where a test can't wait as long as a document says.
        """

        async def shell(command: str) -> str:
            for said, instead in (hasty or {}).items():
                assert said in command
                command = command.replace(said, instead)
            return (await self.cluster.api.shell(command, folder)).out

        return Steps(section, shell)

    async def kubectl(self, *words: str, told: str = "") -> str:
        """What kubectl says; a failure fails the test."""
        return (await self.cluster.api.kubectl(*words, told=told)).out

    async def apply(self, *found: Mapping[str, Any]) -> None:
        """Apply manifests."""
        told = "\n---\n".join(json.dumps(one) for one in found)
        await self.kubectl("apply", "-f", "-", told=told)

    async def read(self, kind: str, name: str = "", namespace: str = TEAM) -> Any:
        """One object, or all of a kind."""
        words = ("get", kind, *((name,) if name else ()), "-n", namespace, "-o", "json")
        return json.loads(await self.kubectl(*words))

    def calls(self, prefix: str, namespace: str = TEAM) -> list[Outcome]:
        """The outcomes of all callers in pods whose names begin so, gone pods included."""
        node = self.cluster.node
        found = [
            outcome
            for pod in (*node.past, *node.pods.values())
            if pod.namespace == namespace and pod.name.startswith(prefix)
            for outcome in self.heard.of(pod)
        ]
        return sorted(found, key=lambda one: one.ended)

    def billed(self, key_tail: str = "") -> list[Entry]:
        """What the provider billed, by the end of the key that was used."""
        entries = read_entries(self.ledger)
        return [one for one in entries if not key_tail or one.key_tail == key_tail]

    def spent_pico(self, key_tail: str = "") -> int:
        """The sum of it."""
        return sum(one.billed_pico for one in self.billed(key_tail))

    async def leader(self) -> str:
        """The name of the controller that leads."""
        found: list[str] = []

        async def leads() -> bool:
            found[:] = [
                pod.name
                for pod in self.cluster.node.of(SYSTEM, "farebox-controller-")
                if pod.spot
                and "\nfarebox_controller_leads 1.0" in await self.metrics(pod.spot.address)
            ]
            return len(found) == 1

        await self.cluster.until("one controller leads", leads)
        return found[0]

    async def metrics(self, address: str, port: int = 7449) -> str:
        """The metrics of a pod, "" when it does not answer."""
        try:
            async with asyncio.timeout(3):
                reader, writer = await self.cluster.network.connect(address, port)
                try:
                    writer.write(b"GET /metrics HTTP/1.0\r\nHost: pod\r\n\r\n")
                    return (await reader.read(-1)).decode()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return ""


def now() -> UtcMs:
    """The clock that callers use too."""
    return SystemClock().utc()


def callers(
    name: str, key: str, *, namespace: str = TEAM, replicas: int = 2, **settings: str
) -> dict[str, Any]:
    """A Deployment of programs that call for ever; nothing in it speaks of Farebox."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": calling(key, settings)},
        },
    }


def calling(key: str, settings: Mapping[str, str]) -> dict[str, Any]:
    """The spec of a pod that calls."""
    variables = {"OPENAI_API_KEY": key, "MODEL": "farebox/auto", **settings}
    return {
        "terminationGracePeriodSeconds": 10,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10_001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "main",
                "image": "registry.test/python:3",
                "command": ["python", "-m", "tests.support.kube_caller"],
                "env": [{"name": key, "value": text} for key, text in variables.items()],
                "resources": {"limits": {"memory": "256Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }


async def token(world: World, pod: str, audience: str = "farebox.dev") -> str:
    """A genuine token of a pod of the team; pod "" for one of no pod."""
    spec: dict[str, Any] = {"audiences": [audience], "expirationSeconds": 3_600}
    account = "default"
    if pod:
        found = await world.read("pod", pod)
        account = found["spec"]["serviceAccountName"]
        bound = {"kind": "Pod", "apiVersion": "v1", "name": pod, "uid": found["metadata"]["uid"]}
        spec["boundObjectRef"] = bound
    path = f"/api/v1/namespaces/{TEAM}/serviceaccounts/{account}/token"
    made = await world.cluster.api.post(path, {"spec": spec})
    return str(made["status"]["token"])


def thief(controller: str, tokens: Mapping[str, str]) -> list[dict[str, Any]]:
    """A pod that knocks at a controller with tokens of others, and with its own."""
    metadata = {"name": "thief", "namespace": TEAM}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "stringData": dict(tokens),
    }
    spec = calling("", {"CONTROLLER": controller})
    spec["restartPolicy"] = "Never"
    own = {"path": "own", "audience": "farebox.dev", "expirationSeconds": 3_600}
    sources = [{"secret": {"name": "thief"}}, {"serviceAccountToken": own}]
    spec["volumes"] = [
        {"name": "tokens", "projected": {"sources": sources}},
        {"name": "trust", "configMap": {"name": "farebox-ca"}},
    ]
    (container,) = spec["containers"]
    container["command"] = ["python", "-m", "tests.support.kube_thief"]
    container["volumeMounts"] = [
        {"name": "tokens", "mountPath": "/tokens"},
        {"name": "trust", "mountPath": "/trust"},
    ]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**metadata, "labels": {"farebox.dev/inject": "false"}},
        "spec": spec,
    }
    return [secret, pod]


def resource(kind: str, name: str, namespace: str = TEAM, **spec: Any) -> dict[str, Any]:
    """A resource of Farebox."""
    metadata = {"name": name, "namespace": namespace}
    head = {"apiVersion": "farebox.dev/v1alpha1", "kind": kind}
    return {**head, "metadata": metadata, "spec": spec}


def pool(name: str, limit: str, labels: Mapping[str, str], namespace: str = TEAM) -> dict[str, Any]:
    """A pool that never renews itself."""
    window, selector = {"type": "Lifetime"}, {"matchLabels": dict(labels)}
    return resource("BudgetPool", name, namespace, limit=limit, window=window, selector=selector)


@asynccontextmanager
async def kube_world(folder: Path, *extra: str) -> AsyncIterator[World]:
    """A cluster and a provider, for as long as the block lasts; nothing is installed yet."""
    async with (
        kube_cluster(folder) as cluster,
        outpost(cluster.network, "provider") as place,
        Children(folder / "provider") as children,
    ):
        provider = await children.start(place.program(fleet.provider(children.folder, _PROVIDER)))
        yield World(
            cluster=cluster,
            provider=provider,
            ledger=fleet.ledger_of(children.folder),
            base_url=f"http://{place.address}:{provider.facts['port']}/v1",
        )


def nanos(dollars: str) -> int:
    """Dollars as manifests and statuses write them, in nano-dollars."""
    whole, _, part = dollars.partition(".")
    return int(whole) * 10**9 + int(part.ljust(9, "0"))


def condition(found: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """A condition of an object, {} where it has none of that type."""
    listed = found.get("status", {}).get("conditions", ())
    return next((one for one in listed if one["type"] == kind), {})


def is_true(found: Mapping[str, Any], kind: str) -> bool:
    return condition(found, kind).get("status") == "True"


def is_judged(found: Mapping[str, Any]) -> bool:
    """Whether the controller has said whether this version of an object is in force."""
    observed = condition(found, "Ready").get("observedGeneration")
    return bool(observed == found["metadata"]["generation"])


def row_of(page: str, name: str) -> dict[str, str]:
    """The row of a page of kubectl, by the names of its columns."""
    head, *lines = (line.split() for line in page.splitlines())
    rows = [dict(zip(head, line, strict=False)) for line in lines]
    return next(row for row in rows if row["NAME"] == name)


def names(found: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted(one["metadata"]["name"] for one in found)
