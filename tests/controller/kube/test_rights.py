"""What a controller may do: named one by one, never more than reading where it need not write."""

from pathlib import Path
from typing import Final

import controller.kube
from controller.kube.rights import BUNDLE, GROUP, INJECTOR, KINDS, RIGHTS, Scope
from tests.deploy.crds import CRDS

FOLDER: Final = Path(controller.kube.__file__ or "").parent
VERBS: Final = {"get", "list", "watch", "create", "update", "patch", "delete"}
WRITES: Final = {"create", "update", "patch", "delete"}


def test_each_right_is_there_once_with_its_reason() -> None:
    keys = [(right.group, right.resource, right.scope) for right in RIGHTS]
    assert len(keys) == len(set(keys))
    for right in RIGHTS:
        assert set(right.verbs) <= VERBS
        assert right.why
        assert "*" not in {right.group, right.resource, *right.names}


def test_a_right_is_needed_by_a_module_that_exists() -> None:
    assert {f"{right.module}.py" for right in RIGHTS} <= {path.name for path in FOLDER.iterdir()}


def test_resources_of_farebox_are_read_and_only_their_status_is_written() -> None:
    assert set(KINDS) == {crd.spec["names"]["plural"] for crd in CRDS.values()}
    for right in RIGHTS:
        if right.group == GROUP:
            wanted = ("patch",) if right.resource.endswith("/status") else ("list", "watch")
            assert right.verbs == wanted


def test_what_others_own_is_written_only_by_name() -> None:
    unnamed = {"tokenreviews", "events", *(f"{kind}/status" for kind in KINDS)}
    for right in RIGHTS:
        if WRITES & set(right.verbs):
            assert right.names or right.resource in unnamed


def test_secrets_are_reached_only_beside_the_controller() -> None:
    (secrets,) = [right for right in RIGHTS if right.resource == "secrets"]
    assert secrets.scope is Scope.OWN
    assert secrets.names
    assert {BUNDLE, INJECTOR} & set(secrets.names) == set()
