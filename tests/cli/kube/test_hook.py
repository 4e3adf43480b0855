"""What Tab proposes behind `kubectl farebox`."""

import pytest

from farebox.cli.kube import hook
from tests.support.fake_kubectl import FakeKubectl


def asked_for(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["kubectl_complete-farebox", *words])
    assert hook.main() == 0


def test_names_of_pods_are_proposed_where_a_pod_is_wanted(
    fake: FakeKubectl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answers("get", "pods", answer="web-0\nweb-1\nother\n")
    asked_for(["explain", "-n", "shop", "web"], monkeypatch)
    assert capsys.readouterr().out == "web-0\nweb-1\n:4\n"
    [words] = fake.asked()
    assert words[:3] == ["--namespace=shop", "get", "pods"]
    assert "--request-timeout=3s" in words


def test_a_cluster_that_is_away_proposes_nothing(
    fake: FakeKubectl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answers("get", "pods", stays=True)
    monkeypatch.setattr(hook, "NAMES_S_MAX", 0.2)
    asked_for(["receipts", "--pod", ""], monkeypatch)
    assert capsys.readouterr().out == ":4\n"
