"""The plugin's questions: pools live, a pod explained, receipts of many pods, why one call.

The one rule: what one pod can't tell is said and never hides what the others tell. This module must
not know how kubectl is started.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import click

from farebox.cli import explain, receipts
from farebox.cli.admin import AdminError
from farebox.cli.kube.cluster import (
    SIDECAR,
    SIDECAR_ADMIN,
    PodView,
    covered_pods,
    leader,
    pod_named,
)
from farebox.cli.kube.kubectl import Kubectl
from farebox.cli.receipts import Found, Wanted, ask_sidecar, newest, receipts_in, with_id
from farebox.cli.top import show_top

PODS_MAX: Final = 200
"""So many pods are asked at most: more is a question for the place that logs are collected in."""

PODS_AT_ONCE_MAX: Final = 8
LOG_BYTES_MAX: Final = 64 * 1024 * 1024

Scope = Sequence[str]
"""What narrows the pods, in kubectl's own words: --all-namespaces, --selector=LABELS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """How the cluster is asked. `admin_url` names a controller, which is not looked for then."""

    kubectl: Kubectl
    system_namespace: str = ""
    admin_url: str = ""

    @asynccontextmanager
    async def controller(self) -> AsyncIterator[str]:
        """The admin address of the controller that leads. Raises KubectlError."""
        if self.admin_url:
            yield self.admin_url.rstrip("/")
            return
        async with leader(self.kubectl, self.system_namespace) as url:
            yield url


async def run_kube_top(cluster: Cluster, *, once: bool) -> int:
    """`kubectl farebox top`; when another controller leads from now on, that one is found."""
    return await show_top(cluster.controller, once=once)


async def run_kube_receipts(cluster: Cluster, pod: str | None, scope: Scope, wanted: Wanted) -> int:
    """`kubectl farebox receipts`: the newest of a pod, or of all pods in the scope."""
    pods = await _pods(cluster.kubectl, pod, scope)
    found = [one for told in await _each(cluster.kubectl, pods) for one in told]
    receipts.show(newest(found, wanted), as_json=wanted.as_json)
    return 0


async def run_kube_why(cluster: Cluster, call: str, pod: str | None, scope: Scope) -> int:
    """`kubectl farebox why`: explain one call. Raises AdminError when no pod knows it."""
    pods = await _pods(cluster.kubectl, pod, scope)
    for at in range(0, len(pods), PODS_AT_ONCE_MAX):
        for told in await _each(cluster.kubectl, pods[at : at + PODS_AT_ONCE_MAX]):
            if found := with_id(told, call):
                receipts.show_why(found)
                return 0
    raise receipts.not_found(call, f"the sidecars of {len(pods)} pods")


async def run_kube_explain(cluster: Cluster, what: str, scope: Scope) -> int:
    """`kubectl farebox explain`: of a pod what is in force for it, of anything else why."""
    pod = await pod_named(cluster.kubectl, what)
    if pod is None:
        return await run_kube_why(cluster, what, None, scope)
    if not pod.covered:
        raise AdminError(
            f"Pod {pod.title} has no sidecar: was its namespace labelled farebox.dev/inject: "
            "enabled when the pod was made? Its calls are not capped."
        )
    remarks: list[str] = []
    async with AsyncExitStack() as stack:
        reached = cluster.kubectl.forward(pod.namespace, pod.name, SIDECAR_ADMIN)
        sidecar = await _entered(stack, reached, remarks)
        controller = await _entered(stack, cluster.controller(), remarks)
        facts = await explain.ask(
            pod.title, sidecar=sidecar, controller=controller, remarks=remarks
        )
    explain.show(facts)
    return 0


async def _entered(
    stack: AsyncExitStack, reached: AbstractAsyncContextManager[str], remarks: list[str]
) -> str:
    """An address that stays reachable until the stack is unwound; "" and a remark when it isn't."""
    try:
        return await stack.enter_async_context(reached)
    except AdminError as error:
        remarks.append(str(error))
        return ""


async def _pods(kubectl: Kubectl, name: str | None, scope: Scope) -> list[PodView]:
    """The pods that are meant. Raises AdminError when there is none."""
    if name is not None:
        pod = await pod_named(kubectl, name)
        if pod is None or not pod.covered:
            raise AdminError(f"There is no pod {name} with a sidecar of Farebox in this namespace.")
        return [pod]
    pods = await covered_pods(kubectl, *scope)
    if not pods:
        raise AdminError(
            "No pod here has a sidecar of Farebox: name a namespace with -n, or all with -A."
        )
    if len(pods) > PODS_MAX:
        click.echo(f"Of {len(pods)} pods the first {PODS_MAX} are asked: narrow with -l.", err=True)
    return pods[:PODS_MAX]


async def _each(kubectl: Kubectl, pods: Sequence[PodView]) -> list[list[Found]]:
    """The receipts of each pod, a few pods at a time; a pod that can't tell is complained of."""
    turns = asyncio.Semaphore(PODS_AT_ONCE_MAX)

    async def ask(pod: PodView) -> list[Found]:
        async with turns:
            try:
                return await receipts_of(kubectl, pod)
            except AdminError as error:
                click.echo(f"{pod.title}: {error}", err=True)
                return []

    return await asyncio.gather(*map(ask, pods))


async def receipts_of(kubectl: Kubectl, pod: PodView) -> list[Found]:
    """A pod's receipts: from its sidecar's log, else what the sidecar has in memory.

    Raises AdminError when neither can be had.
    """
    scope = (
        f"--namespace={pod.namespace}",
        f"--container={SIDECAR}",
        f"--limit-bytes={LOG_BYTES_MAX}",
    )
    log = await kubectl.output("logs", pod.name, *scope)
    if found := [Found(pod=pod.title, fields=one) for one in receipts_in(log.splitlines())]:
        return found
    if not pod.runs:
        return []
    async with kubectl.forward(pod.namespace, pod.name, SIDECAR_ADMIN) as url:
        return await ask_sidecar(url, pod.title)
