"""The command line of the benchmark of a large cluster."""

import pytest

from bench import kube
from bench.kube_objects import Size


def test_options() -> None:
    usual = kube.read_options([])
    assert usual.decides
    assert usual.plan.size == Size(pools=1_000, pods=10_000)
    assert (usual.plan.sidecars, usual.plan.rolled) == (200, 1_000)
    small = kube.read_options(["--pods", "500", "--pools", "50", "--report"])
    assert not small.decides
    assert (small.plan.sidecars, small.plan.rolled) == (125, 50)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--pods", "10"], "--pods"),
        (["--pools", "60000"], "--pools"),
        (["--pods", "100", "--sidecars", "80"], "--sidecars"),
    ],
)
def test_what_can_not_be_measured_is_refused(
    words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        kube.read_options(words)
    assert named in capsys.readouterr().err
