"""The Secret that controllers share: what it holds, and that it is written over what was read."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.kube.certificates import CertificateError
from controller.kube.client import KubeError, open_client
from controller.kube.rotation import PACE_MAX, PACE_MIN, Bundle, Due, done
from controller.kube.tls_secret import REPLACE, SECRET, Conflict, TlsSecret
from farebox.core.instant import UtcMs
from tests.support.kube_fake import KubeFake, serving_kube

NOW = UtcMs(1_790_000_000_000)
NAMES = ("farebox.ns.svc",)
OTHERS = {"a": "b"}
"""An annotation that is somebody else's."""


@pytest.fixture
async def fake() -> AsyncIterator[KubeFake]:
    async with serving_kube() as made:
        yield made


@pytest.fixture
async def secret(fake: KubeFake, tmp_path: Path) -> AsyncIterator[TlsSecret]:
    async with open_client(fake.options(tmp_path)) as kube:
        yield TlsSecret(kube, "farebox")


def bundle(*steps: Due) -> Bundle:
    made = done(Due.MAKE, None, NOW, NAMES)
    for step in steps:
        made = done(step, made, NOW, NAMES)
    return made


@pytest.mark.parametrize(
    "steps", [(), (Due.PUBLISH,), (Due.PUBLISH, Due.SERVE), (Due.PUBLISH, Due.SERVE, Due.PUBLISH)]
)
async def test_what_is_written_is_read_again(secret: TlsSecret, steps: tuple[Due, ...]) -> None:
    assert await secret.read() is None
    made = bundle(*steps)
    written = await secret.write(made, None)
    kept = await secret.read()
    assert kept is not None
    assert written.bundle == kept.bundle == made

    again = replace(made, coming=None, going="")
    assert (await secret.write(again, kept)).bundle == again


async def test_what_another_one_wrote_meanwhile_is_not_written_over(secret: TlsSecret) -> None:
    first = await secret.write(bundle(), None)
    with pytest.raises(Conflict):
        await secret.write(bundle(), None)
    second = await secret.write(bundle(), first)
    with pytest.raises(Conflict):
        await secret.write(bundle(), first)
    kept = await secret.read()
    assert kept is not None
    assert kept.bundle == second.bundle


async def test_what_was_deleted_meanwhile_is_no_error(fake: KubeFake, secret: TlsSecret) -> None:
    kept = await secret.write(bundle(), None)
    fake.remove("secrets", SECRET, namespace="farebox")
    with pytest.raises(Conflict):
        await secret.write(bundle(), kept)


async def test_a_refusal_is_told(fake: KubeFake, secret: TlsSecret) -> None:
    fake.fail("/api/v1/namespaces/farebox/secrets", status=403, times=2)
    with pytest.raises(KubeError, match="403"):
        await secret.read()
    with pytest.raises(KubeError, match="403"):
        await secret.write(bundle(), None)


@pytest.mark.parametrize(
    ("said", "pace"), [("5m", 300_000), ("1s", PACE_MIN), ("90d", PACE_MAX)], ids=str
)
async def test_an_annotation_asks_for_another_authority_until_it_was_heard(
    fake: KubeFake, secret: TlsSecret, said: str, pace: int
) -> None:
    await secret.write(bundle(), None)
    ask(fake, said)
    kept = await secret.read()
    assert kept is not None
    assert kept.asked == pace

    paced = done(Due.PUBLISH, kept.bundle, NOW, NAMES, asked=kept.asked)
    written = await secret.write(paced, kept, heard=True)
    assert (written.bundle, written.asked) == (paced, None)
    assert fake.get("secrets", SECRET, namespace="farebox")["metadata"]["annotations"] == OTHERS


async def test_what_is_no_pace_is_told(fake: KubeFake, secret: TlsSecret) -> None:
    await secret.write(bundle(), None)
    ask(fake, "now")
    kept = await secret.read()
    assert kept is not None
    with pytest.raises(
        CertificateError, match=r"farebox\.dev/replace-ca .* 'now' is not a duration"
    ):
        _ = kept.asked


def ask(fake: KubeFake, said: str) -> None:
    thing = fake.get("secrets", SECRET, namespace="farebox")
    metadata = {**thing["metadata"], "annotations": {REPLACE: said, **OTHERS}}
    fake.put("secrets", SECRET, {**thing, "metadata": metadata}, namespace="farebox")


async def test_keys_are_not_shown(secret: TlsSecret) -> None:
    kept = await secret.write(bundle(), None)
    assert "PRIVATE" not in repr(kept)
