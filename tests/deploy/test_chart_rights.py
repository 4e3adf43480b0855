"""The chart grants what controller/kube/rights.py lists, and the document gives the reasons."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from controller.kube.rights import RIGHTS, Right, Scope
from tests.deploy.chart import DOCUMENT, plain

Granted = tuple[str, str, str, tuple[str, ...]]
"""A group, a resource, a verb, the names it is for."""

FILES: Final[Mapping[str, Callable[[Right], bool]]] = {
    "files/rights/cluster.yaml": lambda right: right.scope is Scope.CLUSTER and not right.injecting,
    "files/rights/webhook.yaml": lambda right: right.scope is Scope.CLUSTER and right.injecting,
    "files/rights/namespace.yaml": lambda right: right.scope is Scope.OWN,
}


def test_each_file_of_rules_grants_what_is_listed_and_nothing_else() -> None:
    for file, belongs in FILES.items():
        assert granted(plain(file)) == listed(one for one in RIGHTS if belongs(one)), file


def test_no_rule_is_for_everything() -> None:
    for file in FILES:
        for rule in plain(file):
            assert set(rule) <= {"apiGroups", "resources", "verbs", "resourceNames"}
            assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}


def test_the_document_has_the_same_table() -> None:
    assert shown() == [row(right) for right in merged()]


def granted(rules: Iterable[Mapping[str, Any]]) -> set[Granted]:
    return {
        (group, resource, verb, tuple(rule.get("resourceNames", ())))
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def listed(rights: Iterable[Right]) -> set[Granted]:
    return {
        (right.group, right.resource, verb, right.names) for right in rights for verb in right.verbs
    }


def merged() -> list[tuple[Right, str]]:
    """The rights with their resources; neighbours that differ only in the resource are one row."""
    rows: list[tuple[Right, str]] = []
    for right in RIGHTS:
        if rows and (rows[-1][0].why, rows[-1][0].verbs) == (right.why, right.verbs):
            rows[-1] = (rows[-1][0], f"{rows[-1][1]}, `{right.resource}`")
        else:
            rows.append((right, f"`{right.resource}`"))
    return rows


def row(found: tuple[Right, str]) -> tuple[str, ...]:
    right, resources = found
    return (
        resources,
        f"`{right.group}`" if right.group else "core",
        ", ".join(f"`{verb}`" for verb in right.verbs),
        ", ".join(f"`{name}`" for name in right.names) or "all",
        right.scope + (", with `webhook.enabled`" if right.injecting else ""),
        right.why,
    )


def shown() -> list[tuple[str, ...]]:
    """The rows of the document's table of rights."""
    text = DOCUMENT.read_text().split("| resource | group | verbs |")[1]
    rows = []
    for line in text.splitlines()[2:]:
        if not line.startswith("|"):
            break
        rows.append(tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]))
    return rows
