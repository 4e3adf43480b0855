"""Parts of a pod, where absent and empty mean the same."""

import pytest

from controller.injection.pods import annotations_of, containers_of, entries, group, name_of
from tests.support.admission import Object, pod_of


@pytest.mark.parametrize("parent", [{}, {"part": None}])
def test_what_is_absent_is_empty(parent: Object) -> None:
    assert entries(parent, "part") == []
    assert group(parent, "part") == {}
    assert annotations_of({"metadata": parent}) == {}


def test_containers_of_all_kinds() -> None:
    pod = pod_of({"name": "b"}, initContainers=[{"name": "a"}], ephemeralContainers=[{"name": "c"}])
    assert [one["name"] for one in containers_of(pod)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("metadata", "name"),
    [({"name": "shop-1"}, "shop-1"), ({"generateName": "shop-"}, "shop-..."), ({}, "...")],
)
def test_a_pod_may_have_no_name_yet(metadata: Object, name: str) -> None:
    assert name_of({"metadata": metadata}) == name
