"""`farebox up`: a controller and one sidecar on this machine.

The one rule: it runs until it is told to end or a child dies, and ends its children either way.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from farebox.cli import fleet
from farebox.cli.admin import admin_url, get_json, until_ready
from farebox.cli.demo_answers import PROMPTS, write_book
from farebox.cli.fleet import Pod
from farebox.cli.processes import Child, Children
from farebox.cli.resources import read_resources


async def run_up(
    *,
    manifests: Path,
    state: Path,
    port: int,
    pod: Pod,
    simulate: bool,
    keep_prompts: bool = False,
) -> int:
    """Start everything, say how to use it, and watch."""
    async with Children(state) as children:
        variables = await _simulate(children, manifests, pod) if simulate else {}
        program = fleet.controller(state, manifests=manifests, variables=variables)
        controller = await children.start(program)
        _say(await _problems(controller))
        sidecar = await start_sidecar(
            children, pod, controller, port=port, keep_prompts=keep_prompts
        )
        _say(await _welcome(controller, sidecar, pod))
        if keep_prompts:
            receipts = fleet.receipts_of(state, pod)
            _say((f"PROMPTS ARE KEPT in {receipts}: those of calls that gates judged.",))
        await children.watch()
    return 0


async def start_sidecar(
    children: Children,
    pod: Pod,
    controller: Child,
    *,
    port: int = 0,
    keep_prompts: bool = False,
) -> Child:
    """Start a sidecar and wait until it has a policy. Raises ChildError."""
    program = fleet.sidecar(
        children.folder,
        pod=pod,
        controller_port=controller.facts["grpc"],
        port=port,
        keep_prompts=keep_prompts,
    )
    sidecar = await children.start(program)
    await until_ready(sidecar)
    return sidecar


async def _simulate(children: Children, manifests: Path, pod: Pod) -> Mapping[str, str]:
    """A provider that knows made-up answers to the demo's prompts."""
    resources = read_resources(manifests)
    book = write_book(children.folder, PROMPTS, resources, namespace=pod.namespace)
    config = fleet.provider_config(resources.catalogue, outcomes=book)
    return fleet.provider_variables(await children.start(fleet.provider(children.folder, config)))


async def _problems(controller: Child) -> Sequence[str]:
    found = await get_json(admin_url(controller, "/v1/problems"))
    problems = [f"  {one['file']}:{one['line']}: {one['message']}" for one in found["problems"]]
    if not problems:
        return ()
    return ("Not in force, because of mistakes:", *problems)


async def _welcome(controller: Child, sidecar: Child, pod: Pod) -> Sequence[str]:
    pools = (await get_json(admin_url(sidecar, "/v1/policy")))["pools"]
    drawn = ", ".join(f"{one['pool']} (${one['limit_usd']})" for one in pools)
    return (
        f"Farebox is up for pod {pod.namespace}/{pod.name}. Let programs use it:",
        f"  export OPENAI_BASE_URL={fleet.base_url(sidecar)}",
        f"Its calls draw on {drawn}."
        if drawn
        else "NO CAP: no BudgetPool selects this pod; see --namespace and --label.",
        "Watch it:",
        f"  farebox top --controller-admin {admin_url(controller, '')}",
        "Ctrl-C ends it; leases and spend are kept.",
    )


def _say(lines: Sequence[str]) -> None:
    if lines:
        print("\n".join(lines), flush=True)
