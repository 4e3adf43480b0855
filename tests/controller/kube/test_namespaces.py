"""Namespaces: what is kept of one, and that a young one is looked up."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from controller.injection.review import Namespace
from controller.kube.client import KubeClient, KubeError, Object, open_client
from controller.kube.namespaces import AT, LOOKUPS_MAX, Namespaces, known_of
from tests.support.kube_fake import serving_kube

LABELS = {"farebox.dev/inject": "enabled"}


def test_only_what_is_said_to_farebox_is_kept() -> None:
    known = known_of(
        {
            "metadata": {
                "name": "shop",
                "labels": {**LABELS, "team": "a"},
                "annotations": {"farebox.dev/cpu": "1", "kubectl.kubernetes.io/last": "..."},
            }
        }
    )
    assert known.namespace == Namespace(labels=LABELS, annotations={"farebox.dev/cpu": "1"})
    assert known.namespace.is_labelled
    assert not known.ending


@pytest.mark.parametrize(
    "found",
    [
        {"metadata": {"deletionTimestamp": "2026-11-01T00:00:00Z"}},
        {"metadata": {}, "status": {"phase": "Terminating"}},
    ],
)
def test_one_that_ends(found: dict[str, object]) -> None:
    assert known_of(found).ending


async def test_one_that_is_younger_than_the_mirror_is_looked_up(tmp_path: Path) -> None:
    async with serving_kube() as fake, open_client(fake.options(tmp_path)) as kube:
        namespaces = Namespaces(kube)
        fake.put("namespaces", "shop", {"metadata": {"labels": LABELS}})

        assert (await namespaces.find("shop")).is_labelled
        assert await namespaces.find("nowhere") == Namespace()
        assert {one.path for one in fake.asked} == {AT}, "one by one needs the right to get them"
        fake.fail("/api/v1/namespaces", status=500)
        with pytest.raises(KubeError):
            await namespaces.find("shop")


async def test_however_many_are_looked_up_there_are_connections_left(tmp_path: Path) -> None:
    under_way: list[str] = []
    most: list[int] = []

    class Slow(KubeClient):
        async def get(self, at: str, query: Mapping[str, str] | None = None) -> Object:
            under_way.append(at)
            most.append(len(under_way))
            await asyncio.sleep(0.01)
            under_way.remove(at)
            return await super().get(at, query)

    async with serving_kube() as fake, open_client(fake.options(tmp_path)) as kube:
        namespaces = Namespaces(Slow(kube.api))
        names = [f"made-up-{number}" for number in range(3 * LOOKUPS_MAX)]
        assert await asyncio.gather(*map(namespaces.find, names)) == [Namespace()] * len(names)
    assert max(most) == LOOKUPS_MAX
