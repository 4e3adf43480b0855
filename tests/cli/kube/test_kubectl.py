"""kubectl as a child: what it says, what it complains of, and that it is always ended."""

from pathlib import Path

import pytest

from farebox.cli.admin import get_json
from farebox.cli.kube import kubectl as module
from farebox.cli.kube.kubectl import Kubectl, KubectlError
from tests.support.admin import serving, views
from tests.support.fake_kubectl import FakeKubectl


async def test_options_stand_before_every_question(fake: FakeKubectl) -> None:
    fake.answers("get", answer={"items": []})
    asked = Kubectl(options=("--context=prod",))
    assert await asked.json("get", "pods") == {"items": []}
    assert fake.asked() == [["--context=prod", "get", "pods", "--output=json"]]


async def test_no_output_is_nothing_found(fake: FakeKubectl) -> None:
    fake.answers("get")
    assert await Kubectl().json("get", "pod", "x", "--ignore-not-found") is None


async def test_what_kubectl_complains_of_is_passed_on(fake: FakeKubectl) -> None:
    fake.answers("get", complaint="Error from server\n (Forbidden): no", status=1)
    with pytest.raises(KubectlError, match=r"get failed: Error from server \(Forbidden\): no\.$"):
        await Kubectl().json("get", "pods")


async def test_what_is_no_json_is_one_sentence(fake: FakeKubectl) -> None:
    fake.answers("get", answer="NAME READY")
    with pytest.raises(KubectlError, match="printed no JSON"):
        await Kubectl().json("get", "pods")


async def test_without_kubectl_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(KubectlError, match="on the PATH"):
        await Kubectl(program=str(tmp_path / "kubectl")).output("version")


async def test_an_answer_is_bounded_in_time_and_in_length(
    fake: FakeKubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.answers("logs", answer="x" * 100, stays=True)
    monkeypatch.setattr(module, "ANSWER_BYTES_MAX", 99)
    with pytest.raises(KubectlError, match="ask for less"):
        await Kubectl().output("logs", "web-0")
    monkeypatch.setattr(module, "ANSWER_BYTES_MAX", 100)
    monkeypatch.setattr(module, "ANSWER_S_MAX", 0.2)
    with pytest.raises(KubectlError, match="does the cluster answer"):
        await Kubectl().output("logs", "web-0")


async def test_a_port_of_a_pod_is_reached_while_the_block_lasts(fake: FakeKubectl) -> None:
    async with serving(views({"/v1/leader": {"role": "leader"}})) as port:
        fake.forwards("c-0", 7448, to=port)
        async with Kubectl().forward("system", "c-0", 7448) as url:
            assert await get_json(f"{url}/v1/leader") == {"role": "leader"}
    [words] = fake.asked()
    assert words == [
        "port-forward",
        "--namespace=system",
        "--address=127.0.0.1",
        "pod/c-0",
        ":7448",
    ]


async def test_a_port_that_can_not_be_reached_says_why_and_what_is_needed(
    fake: FakeKubectl,
) -> None:
    fake.answers("port-forward", complaint="error: no kubelet", status=1)
    with pytest.raises(KubectlError, match=r"Port 7448 of pod c-0 .*no kubelet\. You need"):
        async with Kubectl().forward("system", "c-0", 7448):
            raise AssertionError("nothing is reached")


async def test_a_forward_that_says_nothing_is_given_up(
    fake: FakeKubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.answers("port-forward", stays=True)
    monkeypatch.setattr(module, "FORWARD_S_MAX", 0.2)
    with pytest.raises(KubectlError, match="it said nothing"):
        async with Kubectl().forward("system", "c-0", 7448):
            raise AssertionError("nothing is reached")
