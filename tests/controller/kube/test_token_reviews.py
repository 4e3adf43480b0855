"""Which pod a token names, as an API server tells a controller, over real TLS on loopback."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from controller.door import TurnedAway
from controller.kube import token_reviews
from controller.kube.client import KubeClient, open_client
from controller.kube.token_reviews import TokenReviews
from farebox.wire.messages import ReportAck
from tests.support.clocks import ManualClock
from tests.support.kube_fake import KubeFake, Token, serving_kube
from tests.support.peers import eventually
from tests.support.pods import Controller, Pod, bearer, controller, pod_peer, refusal
from tests.support.scenes import pool
from tests.support.tasks import beside

MINE = Pod(name="mine", labels={"team": "blue"})
OTHER = Pod(name="other", addresses=("127.0.0.2",))


@pytest.fixture
async def kube(tmp_path: Path) -> AsyncIterator[tuple[KubeFake, KubeClient]]:
    async with serving_kube() as fake, open_client(fake.options(tmp_path)) as client:
        yield fake, client


@pytest.fixture
async def at(kube: tuple[KubeFake, KubeClient]) -> AsyncIterator[Controller]:
    async with controller(*kube, pool(), pod_s_max=0.3) as made:
        made.run(MINE)
        made.run(OTHER)
        yield made


@pytest.mark.parametrize(
    ("authorization", "code", "sentence"),
    [
        (None, "UNAUTHENTICATED", "brings no token"),
        ("Basic abc", "UNAUTHENTICATED", 'not one "Bearer TOKEN"'),
        ("Bearer", "UNAUTHENTICATED", 'not one "Bearer TOKEN"'),
        ("Bearer two tokens", "UNAUTHENTICATED", 'not one "Bearer TOKEN"'),
        ("Bearer secret-of-nobody", "UNAUTHENTICATED", "for another audience than farebox.dev"),
        ("Bearer secret-expired", "UNAUTHENTICATED", "has expired"),
        ("Bearer secret-foreign", "UNAUTHENTICATED", "does not accept the token"),
        ("Bearer secret-of-the-api", "UNAUTHENTICATED", "for another audience than farebox.dev"),
        ("Bearer secret-of-an-account", "PERMISSION_DENIED", "names no pod"),
        ("Bearer secret-of-a-user", "PERMISSION_DENIED", "names no pod"),
        ("Bearer secret-of-the-gone", "UNAVAILABLE", "pod acme/gone is not known here"),
        ("Bearer secret-of-the-ended", "PERMISSION_DENIED", "pod acme/ended has ended"),
        ("Bearer secret-renamed", "PERMISSION_DENIED", "has ended"),
        ("Bearer token-of-other", "PERMISSION_DENIED", "whose address is not 127.0.0.1"),
    ],
)
async def test_a_stranger_is_turned_away_with_a_sentence_and_without_his_token(
    at: Controller,
    monkeypatch: pytest.MonkeyPatch,
    authorization: str | None,
    code: str,
    sentence: str,
) -> None:
    at.run(Pod(name="ended", ended=True))
    gone = Token(namespace="acme", pod_name="gone", pod_uid="uid-of-gone")
    at.fake.tokens |= {
        "secret-of-the-api": replace(gone, audiences=("https://kubernetes.default.svc",)),
        "secret-of-an-account": Token(namespace="acme"),
        "secret-of-the-gone": gone,
        "secret-of-the-ended": Token(
            namespace="acme", pod_name="ended", pod_uid=Pod(name="ended").uid
        ),
        "secret-renamed": Token(namespace="acme", pod_name="renamed", pod_uid=MINE.uid),
    }
    _answers_of_a_real_api_server(at.fake, monkeypatch)
    async with pod_peer(at, authorization=authorization) as peer:
        found, told = await refusal(peer)

    assert (found.name, sentence in told) == (code, True), told
    assert "secret" not in told
    assert "token-of" not in told
    assert at.engine.world.holders == {}
    assert at.server.turned_away == {code: 1}


def _answers_of_a_real_api_server(fake: KubeFake, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = fake._review

    def review(body: dict[str, Any]) -> dict[str, Any]:
        spec = body["spec"]
        errors = {
            "secret-expired": "[invalid bearer token, service account token has expired]",
            "secret-foreign": "invalid bearer token",
        }
        if spec["token"] in errors:
            return {**body, "status": {"error": errors[spec["token"]]}}
        if spec["token"] == "secret-of-a-user":
            user = {"username": "someone", "extra": {token_reviews.POD_UID: [MINE.uid]}}
            status = {"authenticated": True, "user": user, "audiences": ["farebox.dev"]}
            return {**body, "status": status}
        return plain(body)

    monkeypatch.setattr(fake, "_review", review)


async def test_an_api_server_without_audiences_is_not_believed(
    at: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = at.fake._review

    def review(body: dict[str, Any]) -> dict[str, Any]:
        answer = plain(body)
        del answer["status"]["audiences"]
        return answer

    monkeypatch.setattr(at.fake, "_review", review)
    async with pod_peer(at, authorization=bearer(MINE)) as peer:
        found, told = await refusal(peer)
    assert (found.name, "another audience" in told) == ("UNAUTHENTICATED", True)


async def test_a_good_token_is_asked_about_once_a_minute_and_its_pod_looked_at_every_time(
    kube: tuple[KubeFake, KubeClient],
) -> None:
    clock = ManualClock()
    async with controller(*kube, pool(), clock=clock, pod_s_max=0.3) as at:
        at.run(MINE)
        for want in (1, 1):
            async with pod_peer(at, authorization=bearer(MINE)) as peer:
                await peer.greet("a")
            assert at.reviews() == want
        del at.pods.by_uid[MINE.uid]
        async with pod_peer(at, authorization=bearer(MINE)) as peer:
            assert (await refusal(peer))[0] is grpc.StatusCode.UNAVAILABLE
        assert at.reviews() == 1

        at.run(MINE)
        clock.advance(token_reviews.KNOWN_MS_MAX)
        async with pod_peer(at, authorization=bearer(MINE)) as peer:
            await peer.greet("a")
        assert at.reviews() == 2


async def test_tokens_that_are_known_are_not_kept_for_ever(
    at: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_reviews, "KNOWN_MAX", 1)
    for pod, address, want in (
        (MINE, "127.0.0.1", 1),
        (OTHER, "127.0.0.2", 2),
        (MINE, "127.0.0.1", 3),
    ):
        async with pod_peer(at, authorization=bearer(pod), address=address) as peer:
            await peer.greet(pod.name)
        assert at.reviews() == want


async def test_while_the_api_server_is_away_newcomers_come_again_and_streams_go_on(
    at: Controller,
) -> None:
    async with pod_peer(at, authorization=bearer(OTHER), address="127.0.0.2") as known:
        await known.greet("b")
        at.fake.fail("/apis/authentication", status=500)
        async with pod_peer(at, authorization=bearer(MINE)) as peer:
            found, told = await refusal(peer)
            assert (found, told) == (
                grpc.StatusCode.UNAVAILABLE,
                "the API server could not be asked who this is: it answers 500 Failing; come again",
            )
        await at.fake.stop()
        async with pod_peer(at, authorization=bearer(MINE)) as peer:
            found, told = await refusal(peer)
            assert (found.name, "it can't be reached" in told) == ("UNAVAILABLE", True)
        await known.report()
        await known.next(ReportAck)
        await at.fake.start()


class SlowApi:
    """An API server that thinks until it is let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go_on = asyncio.Event()

    async def create(self, _: str, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(body["spec"]["token"])
        await self.go_on.wait()
        return {"status": {"authenticated": False}}


async def test_one_peer_has_few_tokens_under_way_and_all_together_a_bounded_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(token_reviews, "REVIEWS_WAITING_MAX", 5)
    monkeypatch.setattr(token_reviews, "REVIEWS_AT_ONCE_MAX", 3)
    api = SlowApi()
    reviews = TokenReviews(api, ManualClock(), audience="farebox.dev", per_peer_max=4)
    waiting = [beside(reviews.pod_of(f"guess-{number}", "10.0.0.7")) for number in range(4)]
    await eventually(lambda: len(api.asked) == 3)

    with pytest.raises(TurnedAway, match="has shown too many tokens at once") as told:
        await reviews.pod_of("guess-4", "10.0.0.7")
    assert told.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    waiting.append(beside(reviews.pod_of("other", "10.0.0.8")))
    await asyncio.sleep(0)
    with pytest.raises(TurnedAway, match="too many tokens are being reviewed"):
        await reviews.pod_of("another", "10.0.0.9")
    assert len(api.asked) == 3

    api.go_on.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(one, TurnedAway) for one in ended)
    with pytest.raises(TurnedAway, match="does not accept the token"):
        await reviews.pod_of("guess-5", "10.0.0.7")
    assert reviews._waiting == {}
