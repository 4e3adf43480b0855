"""Both programs, started as their images say, serve a call of the real SDK and end when asked."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openai
import pytest

from farebox.cli import fleet
from farebox.cli.admin import get_json
from farebox.cli.processes import Child, Children, tail_of
from farebox.cli.resources import read_resources
from tests.e2e.images.conftest import Made, MakeContainer, Say
from tests.support.dockerfiles import REPOSITORY
from tests.support.image_containers import STATE, ImageContainer
from tests.support.peers import eventually

MANIFESTS = REPOSITORY / "examples/demo"
READY_POLLS_MAX = 3_000
END_S_MAX = 30.0

pytestmark = pytest.mark.timeout(2_000)

WRITE = "open('/usr/bin/more', 'w')"
WHO = "import os; print(os.getuid(), os.getgid(), os.getgroups())"
CAPABILITIES = "print([x.split()[1] for x in open('/proc/self/status') if x.startswith('Cap')])"


async def _provider(children: Children) -> Child:
    config = fleet.provider_config(read_resources(MANIFESTS).catalogue)
    return await children.start(fleet.provider(children.folder, config))


async def _ready(container: ImageContainer) -> Mapping[str, Any]:
    """What a program says of its ports once it serves."""
    path = container.state / "ready"

    def is_ready() -> bool:
        assert container.process is not None
        assert container.process.poll() is None, tail_of(container.log)
        return path.exists()

    await eventually(is_ready, polls_max=READY_POLLS_MAX)
    facts = json.loads(path.read_text())
    assert isinstance(facts, dict)
    return facts


def _controller(container: MakeContainer, provider: Child) -> ImageContainer:
    named = fleet.provider_variables(provider)
    return container(
        "controller",
        *("--manifests", f"{STATE}/manifests", "--store", f"sqlite:{STATE}/ledger.sqlite"),
        *("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ready-file", f"{STATE}/ready"),
        FAREBOX_VARIABLES=",".join("=".join(pair) for pair in named.items()),
    )


def _sidecar(container: MakeContainer, grpc: int) -> ImageContainer:
    return container(
        "sidecar",
        *("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ready-file", f"{STATE}/ready"),
        FAREBOX_CONTROLLER=f"127.0.0.1:{grpc}",
        FAREBOX_LABELS="app=assistant",
        FAREBOX_RECEIPTS="-",
    )


def _copy_manifests(controller: ImageContainer) -> None:
    target = controller.state / "manifests"
    target.mkdir()
    for path in MANIFESTS.glob("*.yaml"):
        (target / path.name).write_text(path.read_text())


async def test_a_call_through_both_images(
    made: Mapping[str, Made], container: MakeContainer, tmp_path: Path, say: Say, runc: str
) -> None:
    async with Children(tmp_path / "outside") as children:
        controller = _controller(container, await _provider(children))
        controller.state.mkdir(parents=True)
        _copy_manifests(controller)
        controller.start()
        grants = await _ready(controller)
        sidecar = _sidecar(container, grants["grpc"])
        sidecar.start()
        serves = await _ready(sidecar)
        await _has_policy(serves["admin"])
        call = await _call(serves["http"])
        pools = (await get_json(f"http://127.0.0.1:{grants['admin']}/v1/pools"))["pools"]
        assert {one["pool"] for one in pools} >= {"default/acme", "default/support"}
        for one, facts in ((controller, grants), (sidecar, serves)):
            _check_health(one, made, facts["admin"])
            _check_confinement(one)
        assert (sidecar.stop(), controller.stop()) == (0, 0), tail_of(sidecar.log)
    [receipt] = [json.loads(line) for line in sidecar.output.read_text().splitlines()]
    assert receipt["call"] == call
    assert receipt["status"] == 200
    assert (sidecar.state / "journal").stat().st_size > 0
    say(f"one call through both images, by {runc}: {receipt['model']}, ${receipt['cost_usd']}")


async def _has_policy(admin: int) -> None:
    for _ in range(READY_POLLS_MAX):
        if (await get_json(f"http://127.0.0.1:{admin}/v1/policy"))["models"]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the sidecar has got no policy")


async def _call(port: int) -> str:
    """One call with the real SDK; gives its id."""
    client = openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/openai/v1", api_key="any")
    async with client:
        answer = await client.chat.completions.with_raw_response.create(
            model="farebox/auto",
            messages=[{"role": "user", "content": "Is this spam? You have won a boat."}],
            max_tokens=20,
        )
    assert answer.parse().choices[0].message.content
    return str(answer.headers["x-farebox-call"])


def _check_health(container: ImageContainer, made: Mapping[str, Made], admin: int) -> None:
    """The image's health check says yes, and no when nobody listens."""
    [name] = [one for one in made if container.root == made[one].root]
    *check, usual = made[name].dockerfile.health
    well = container.inside(*check, f"127.0.0.1:{admin}")
    assert (well.returncode, well.stdout) == (0, "well\n"), well
    assert usual.startswith("127.0.0.1:")
    assert container.inside(*check, "127.0.0.1:1").returncode == 1


def _check_confinement(container: ImageContainer) -> None:
    """The program's user is nobody of importance and its root file system can't be written."""
    python = container.dockerfile.health[0]
    user, group = container.dockerfile.user.split(":")
    assert container.inside(python, "-IBc", WHO).stdout == f"{user} {group} []\n"
    assert set(eval(container.inside(python, "-IBc", CAPABILITIES).stdout)) == {"0" * 16}  # noqa: S307
    assert "Read-only file system" in container.inside(python, "-IBc", WRITE).stderr


async def test_a_mistake_is_a_sentence_and_status_2(container: MakeContainer) -> None:
    one = container("sidecar")
    one.start()
    assert one.process is not None
    assert one.process.wait(END_S_MAX) == 2
    assert "--controller is missing" in one.log.read_text()
