"""A mirror of one kind: listed, then watched, and right again after each cut."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from controller.kube import reflector as module
from controller.kube.client import KubeClient, KubeError, Object, open_client, path
from controller.kube.reflector import BackOff, Key, Reflector
from tests.support.kube_fake import KubeFake, serving_kube
from tests.support.peers import eventually
from tests.support.relay import Relay, relay
from tests.support.tasks import beside

PODS = path("v1", "pods")
ATTEMPTS_MAX = 20


def color_of(thing: Object) -> str | None:
    color = thing["metadata"]["labels"]["color"]
    return None if color == "none" else str(color)


class Mirror(Reflector[str]):
    """Pods by their colour, with all changes that were told."""

    def __init__(self, kube: KubeClient, **query: str) -> None:
        self.told: list[tuple[str, str | None, str | None]] = []
        super().__init__(kube, PODS, keep=color_of, changed=self._tell, query=query)

    def _tell(self, key: Key, before: str | None, after: str | None) -> None:
        self.told.append((key.name, before, after))

    def colors(self) -> dict[str, str]:
        return {key.name: color for key, color in self.items.items()}


@contextlib.asynccontextmanager
async def mirrored(
    folder: Path,
    fake: KubeFake,
    client: type[KubeClient] = KubeClient,
    *,
    by: Relay | None = None,
    **query: str,
) -> AsyncIterator[Mirror]:
    options = fake.options(folder)
    if by is not None:
        options = replace(options, kubeconfig=by.kubeconfig(fake.kubeconfig(folder), folder))
    async with open_client(options) as kube:
        mirror = Mirror(client(kube.api), **query)
        running = beside(mirror.run())
        try:
            yield mirror
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def paint(fake: KubeFake, name: str, color: str) -> None:
    fake.put("pods", name, {"metadata": {"labels": {"color": color}}}, namespace="shop")


async def test_a_long_page_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns, seen = 0, set[int]()

    def note(thing: Object) -> str | None:
        seen.add(turns)
        return color_of(thing)

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(module, "OBJECTS_AT_ONCE", 10)
    async with serving_kube() as fake:
        for number in range(100):
            paint(fake, f"pod-{number}", "red")
        async with open_client(fake.options(tmp_path)) as kube:
            mirror = Reflector(kube, PODS, keep=note)
            running = [beside(mirror.run()), beside(take_turns())]
            await mirror.synced.wait()
            for one in running:
                one.cancel()
            await asyncio.gather(*running, return_exceptions=True)
    assert len(mirror.items) == 100
    assert len(seen) == 10


async def settled(fake: KubeFake, mirror: Mirror) -> None:
    """Until the mirror watches from the last version."""
    await mirror.synced.wait()
    await eventually(lambda: fake.watches() == 1)


async def test_it_lists_in_pages_and_follows_what_changes(tmp_path: Path) -> None:
    async with serving_kube() as fake:
        fake.page_max = 3
        for number in range(8):
            paint(fake, f"pod-{number}", "red")
        async with mirrored(tmp_path, fake) as mirror:
            await settled(fake, mirror)
            assert set(mirror.colors().values()) == {"red"}
            assert len(mirror.told) == 8
            lists = [one.query for one in fake.asked if "watch" not in one.query]
            assert ["continue" in query for query in lists] == [False, True, True]

            paint(fake, "pod-0", "blue")
            paint(fake, "pod-8", "green")
            fake.remove("pods", "pod-1", namespace="shop")
            await eventually(lambda: len(mirror.told) == 11)
    assert mirror.told[8:] == [
        ("pod-0", "red", "blue"),
        ("pod-8", None, "green"),
        ("pod-1", "red", None),
    ]


async def test_a_selector_narrows_the_list_and_the_watch(tmp_path: Path) -> None:
    async with serving_kube() as fake:
        paint(fake, "a", "red")
        paint(fake, "b", "red")
        async with mirrored(tmp_path, fake, fieldSelector="metadata.name=b") as mirror:
            await settled(fake, mirror)
            paint(fake, "a", "blue")
            paint(fake, "b", "green")
            await eventually(lambda: mirror.colors() == {"b": "green"})


async def test_what_is_not_kept_is_as_if_it_was_not_there(tmp_path: Path) -> None:
    async with serving_kube() as fake:
        paint(fake, "a", "none")
        async with mirrored(tmp_path, fake) as mirror:
            await settled(fake, mirror)
            paint(fake, "a", "red")
            await eventually(lambda: mirror.colors() == {"a": "red"})
            paint(fake, "a", "none")
            await eventually(lambda: mirror.colors() == {})


async def test_one_unreadable_object_does_not_hide_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving_kube() as fake:
        fake.put("pods", "bad", {"metadata": {}}, namespace="shop")
        paint(fake, "good", "red")
        async with mirrored(tmp_path, fake) as mirror:
            await settled(fake, mirror)
            assert mirror.colors() == {"good": "red"}
            fake.put("pods", "good", {"metadata": {"labels": {}}}, namespace="shop")
            paint(fake, "other", "blue")
            await eventually(lambda: "other" in mirror.colors())
            assert mirror.colors()["good"] == "red", "what was known stays"
    assert "an object can't be read" in caplog.text


@pytest.mark.parametrize("cut", ["end_watches", "reset_watches"])
async def test_after_a_cut_it_goes_on_from_where_it_was(tmp_path: Path, cut: str) -> None:
    async with serving_kube() as fake:
        paint(fake, "a", "red")
        async with mirrored(tmp_path, fake) as mirror:
            await settled(fake, mirror)
            for color in ("blue", "green"):
                getattr(fake, cut)()
                paint(fake, "a", color)
                await eventually(lambda color=color: mirror.colors() == {"a": color})  # type: ignore[misc]  # a lambda's default has no type
            assert mirror.lists == 1, "nothing was listed again"


async def test_when_the_past_is_forgotten_it_lists_anew_and_sees_what_is_gone(
    tmp_path: Path,
) -> None:
    async with serving_kube() as fake:
        for name in ("stays", "goes", "changes"):
            paint(fake, name, "red")
        async with mirrored(tmp_path, fake) as mirror:
            await settled(fake, mirror)
            mirror.told.clear()
            await fake.stop()
            paint(fake, "changes", "blue")
            paint(fake, "comes", "green")
            fake.remove("pods", "goes", namespace="shop")
            fake.store.compact()
            assert len(mirror.colors()) == 3, "what was known stays while nobody answers"
            await fake.start()
            await eventually(lambda: len(mirror.told) == 3)
            assert mirror.lists == 2
    assert sorted(mirror.told) == [
        ("changes", "red", "blue"),
        ("comes", None, "green"),
        ("goes", "red", None),
    ]


async def test_an_expired_version_in_the_middle_of_a_watch_is_listed_anew(tmp_path: Path) -> None:
    async with serving_kube() as fake:
        paint(fake, "a", "red")
        async with mirrored(tmp_path, fake) as mirror:
            await settled(fake, mirror)
            fake.store.compact()
            paint(fake, "a", "blue")
            await eventually(lambda: mirror.colors() == {"a": "blue"})
            assert mirror.lists == 2
            assert mirror.trouble == "", "it is no trouble"


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_in_trouble_is_asked_again_and_the_trouble_told(
    tmp_path: Path, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving_kube() as fake:
        paint(fake, "a", "red")
        fake.fail(PODS, status=status, times=3)
        async with mirrored(tmp_path, fake) as mirror:
            await eventually(lambda: mirror.trouble != "")
            assert f"answers {status}" in mirror.trouble
            assert not mirror.synced.is_set()
            await settled(fake, mirror)
            assert (mirror.trouble, mirror.colors()) == ("", {"a": "red"})
    warnings = [one for one in caplog.records if "stays in force" in one.message]
    assert len(warnings) == 1, "told once, however often it fails"


async def test_a_version_that_is_never_reached_is_doubted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each failure is paused after, twice as long each time.
    monkeypatch.setattr(module, "FAILURES_BEFORE_LIST", 2)
    async with serving_kube() as fake:
        paint(fake, "a", "red")
        async with mirrored(tmp_path, fake) as mirror:
            await settled(fake, mirror)
            fake.fail(PODS, status=504, times=module.FAILURES_BEFORE_LIST)
            fake.reset_watches()
            await eventually(lambda: mirror.lists == 2)


async def test_all_is_listed_again_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIST_ANEW_S", 0.0)
    async with serving_kube() as fake, mirrored(tmp_path, fake) as mirror:
        await eventually(lambda: mirror.lists > 2)


class TestListedAnew:
    """Who must know that the mirror is not old."""

    QUIET_S = 20.0
    """Longer than anything here takes; it is waited for only where that is what is tested."""

    async def test_what_a_watch_did_not_tell_is_there_when_it_was_listed(
        self, tmp_path: Path
    ) -> None:
        async with serving_kube() as fake, cuttable(tmp_path, fake) as (way, mirror):
            paint(fake, "goes", "red")
            await settled(fake, mirror)
            for color in ("blue", "green"):
                way.cut_open_ones()
                paint(fake, "a", color)
                await until_listed(mirror)
                assert mirror.colors() == {"a": color, "goes": "red"}
            fake.remove("pods", "goes", namespace="shop")
            await eventually(lambda: mirror.colors() == {"a": "green"})

    async def test_a_list_that_was_under_way_neither_counts_nor_is_waited_for(
        self, tmp_path: Path
    ) -> None:
        async with serving_kube() as fake, cuttable(tmp_path, fake) as (way, mirror):
            await settled(fake, mirror)
            way.cut()
            before = mirror.list_anew()
            await eventually(lambda: not fake.watches())
            paint(fake, "a", "blue")
            way.mend()
            after = mirror.list_anew()
            assert after > before, "a list had begun"
            await mirror.listed(after, quiet_s_max=self.QUIET_S)
            assert mirror.colors() == {"a": "blue"}

    async def test_silence_is_told_and_what_was_known_stays(self, tmp_path: Path) -> None:
        async with serving_kube() as fake, cuttable(tmp_path, fake) as (way, mirror):
            paint(fake, "a", "red")
            await settled(fake, mirror)
            way.cut()
            with pytest.raises(KubeError, match="no answer within"):
                await mirror.listed(mirror.list_anew(), quiet_s_max=0.2)
            assert mirror.colors() == {"a": "red"}

    async def test_a_refusal_is_told_and_a_later_list_is_listed(self, tmp_path: Path) -> None:
        async with serving_kube() as fake, mirrored(tmp_path, fake) as mirror:
            await settled(fake, mirror)
            fake.fail(PODS, status=403, times=1_000)
            asked = mirror.list_anew()
            with pytest.raises(KubeError, match="answers 403"):
                await mirror.listed(asked, quiet_s_max=0.5)
            fake.stop_failing()
            await mirror.listed(asked, quiet_s_max=self.QUIET_S)

    async def test_a_pause_is_cut_short(self, tmp_path: Path) -> None:
        async with serving_kube() as fake, mirrored(tmp_path, fake) as mirror:
            await settled(fake, mirror)
            fake.fail(PODS, status=503, times=1, retry_after_s=60)
            fake.end_watches()
            await eventually(lambda: mirror.trouble != "")
            await mirror.listed(mirror.list_anew(), quiet_s_max=self.QUIET_S)
            assert mirror.trouble == ""

    async def test_many_pages_may_take_longer_than_one(self, tmp_path: Path) -> None:
        async with serving_kube() as fake:
            fake.page_max = 1
            for number in range(6):
                paint(fake, f"pod-{number}", "red")
            async with mirrored(tmp_path, fake, Slow) as mirror:
                await settled(fake, mirror)
                await mirror.listed(mirror.list_anew(), quiet_s_max=5 * Slow.PAGE_S)


class Slow(KubeClient):
    """Gives a page of a list after a while."""

    PAGE_S = 0.3

    async def get(self, at: str, query: Mapping[str, str] | None = None) -> Object:
        await asyncio.sleep(self.PAGE_S)
        return await super().get(at, query)


@contextlib.asynccontextmanager
async def cuttable(folder: Path, fake: KubeFake) -> AsyncIterator[tuple[Relay, Mirror]]:
    """A mirror and the way that leads to its API server."""
    async with relay(fake.port) as way, mirrored(folder, fake, by=way) as mirror:
        yield way, mirror


async def until_listed(mirror: Mirror) -> None:
    """Ask for a list until there is one: a connection that was kept may be cut off as well."""
    for _ in range(ATTEMPTS_MAX):
        with contextlib.suppress(KubeError):
            return await mirror.listed(mirror.list_anew(), quiet_s_max=1.0)
    raise AssertionError(mirror.trouble)


def test_pauses_double_between_their_bounds_and_start_over_when_all_is_well() -> None:
    back_off = BackOff(least_s=0.1, most_s=5.0)
    pauses = [back_off.next() for _ in range(12)]

    for number, pause in enumerate(pauses):
        whole = min(0.1 * 2**number, 5.0)
        assert whole / 2 <= pause <= whole
    assert back_off.next(asked_s=30.0) == 30.0
    assert 0.0 <= back_off.calm() <= 0.1
    assert back_off.next() <= 0.1
