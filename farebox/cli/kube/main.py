"""The arguments of `kubectl farebox`, the plugin that kubectl finds as `kubectl-farebox`.

The one rule: options that kubectl has too are called as there, stand behind the command as there,
and mean the same. A command is imported when it runs. This module must not know what it does.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from farebox.cli.asking import LAST_MAX, completion
from farebox.cli.running import leave_with

PROGRAM: Final = "kubectl-farebox"

_PASSED: Final[Mapping[str, click.Option]] = {
    name: click.Option([*flags, name], metavar=metavar, help=meaning)
    for name, flags, metavar, meaning in (
        ("namespace", ("-n", "--namespace"), "NAME", "Namespace of the pods that are asked."),
        ("context", ("--context",), "NAME", "Context of the kubeconfig."),
        ("kubeconfig", ("--kubeconfig",), "FILE", "The kubeconfig."),
        ("cluster", ("--cluster",), "NAME", "Cluster of the kubeconfig."),
        ("user", ("--user",), "NAME", "User of the kubeconfig."),
        ("as", ("--as",), "NAME", "Whom to act as."),
        ("as_group", ("--as-group",), "NAME", "Group to act as."),
    )
}
"""What goes with every call of kubectl, by the name of the parameter."""

_OWN: Final = (
    click.Option(
        ["--system-namespace"], metavar="NAME", help="Where the controller is (looked for)."
    ),
    click.Option(
        ["--admin-url"],
        metavar="URL",
        help="The controller's admin address, where it can be reached without kubectl.",
    ),
)


class _Asking(click.Command):
    """A command that asks the cluster: it has the options that say which, and gets a `Cluster`."""

    def __init__(self, *words: Any, **facts: Any) -> None:
        super().__init__(*words, **facts)
        self.params += [*_PASSED.values(), *_OWN]
        assert self.callback is not None
        self.callback = _with_cluster(self.callback)


def _with_cluster(command: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(command)
    def run(**given: Any) -> None:
        from farebox.cli.kube.asking import Cluster
        from farebox.cli.kube.kubectl import Kubectl

        passed = {name: given.pop(name) for name in _PASSED}
        cluster = Cluster(
            kubectl=Kubectl(options=_options(passed)),
            system_namespace=given.pop("system_namespace") or "",
            admin_url=given.pop("admin_url") or "",
        )
        command(cluster, **given)

    return run


def _options(given: Mapping[str, Any]) -> tuple[str, ...]:
    named = ((name.replace("_", "-"), given.get(name)) for name in _PASSED)
    return tuple(f"--{name}={value}" for name, value in named if value)


def _pod_names(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    from farebox.cli.kube.hook import pod_names

    return pod_names(_options(context.params), begun)


_ALL: Final = click.option("-A", "--all-namespaces", is_flag=True, help="Pods of all namespaces.")
_SELECTOR: Final = click.option(
    "-l", "--selector", metavar="LABELS", help="Only pods with these labels."
)
_POD: Final = click.option("--pod", metavar="POD", shell_complete=_pod_names, help="Only this pod.")


@click.group(
    name="kubectl farebox",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="farebox")
def main() -> None:
    """See budgets, leases and receipts of a cluster, and why a call went where it went."""


@main.command(cls=_Asking)
@click.option("--once", is_flag=True, help="Print once and end.")
def top(cluster: Any, *, once: bool) -> None:
    """Show pools, leases and spend, live."""
    from farebox.cli.kube.asking import run_kube_top

    leave_with(run_kube_top(cluster, once=once))


@main.command(cls=_Asking)
@click.argument("what", metavar="POD|REQUEST", shell_complete=_pod_names)
@_ALL
def explain(cluster: Any, *, what: str, all_namespaces: bool) -> None:
    """Show what is in force for a pod, or why a request went where it went.

    With -A a REQUEST is looked for in all namespaces.
    """
    from farebox.cli.kube.asking import run_kube_explain

    leave_with(run_kube_explain(cluster, what, _scope(None, everywhere=all_namespaces)))


@main.command(cls=_Asking)
@click.option("--last", type=click.IntRange(1, LAST_MAX), default=20, show_default=True)
@click.option("--refused", is_flag=True, help="Only calls that were refused.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, with everything.")
@_POD
@_SELECTOR
@_ALL
def receipts(
    cluster: Any,
    *,
    all_namespaces: bool,
    selector: str | None,
    pod: str | None,
    last: int,
    refused: bool,
    as_json: bool,
) -> None:
    """List the newest calls of pods: who asked for what, who served it, what it cost."""
    from farebox.cli.kube.asking import run_kube_receipts
    from farebox.cli.receipts import Wanted

    wanted = Wanted(last=last, refused=refused, as_json=as_json)
    scope = _scope(selector, everywhere=all_namespaces)
    leave_with(run_kube_receipts(cluster, pod, scope, wanted))


@main.command(cls=_Asking)
@click.argument("request")
@_POD
@_SELECTOR
@_ALL
def why(
    cluster: Any, *, request: str, all_namespaces: bool, selector: str | None, pod: str | None
) -> None:
    """Say in sentences why a call went where it went and what it cost.

    REQUEST is the call's id, as in the answer's header x-farebox-call.
    """
    from farebox.cli.kube.asking import run_kube_why

    leave_with(run_kube_why(cluster, request, pod, _scope(selector, everywhere=all_namespaces)))


def _scope(selector: str | None, *, everywhere: bool) -> tuple[str, ...]:
    spaces = ("--all-namespaces",) if everywhere else ()
    return (*spaces, f"--selector={selector}") if selector else spaces


main.add_command(completion)
