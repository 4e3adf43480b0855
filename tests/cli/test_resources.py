"""Manifests as the command line reads them."""

from fractions import Fraction
from pathlib import Path

import pytest

from farebox.cli.demo import MANIFESTS, PODS
from farebox.cli.fleet import Pod
from farebox.cli.resources import ManifestError, _scaled, copy_scaled, pools_of, read_resources


def test_the_demos_pods_draw_on_user_team_and_organisation() -> None:
    resources = read_resources(MANIFESTS)
    for pod in PODS:
        names = [pool.name for pool in pools_of(pod, resources)]
        assert names == ["support-user", "support", "acme"]
    assert pools_of(Pod(name="other"), resources) == ()


def test_a_problem_is_said_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "pools.yaml").write_text("kind: BudgetPool\n")
    with pytest.raises(ManifestError, match=r"pools\.yaml:1"):
        read_resources(tmp_path)


@pytest.mark.parametrize(
    ("limit", "share", "scaled"),
    [
        ("1.20", Fraction(1, 2), "0.60"),
        ("0.25", Fraction(1, 216), "0.01"),
        ("3", Fraction(2), "6.00"),
    ],
)
def test_limits_are_scaled_and_rounded_up_to_a_cent(
    limit: str, share: Fraction, scaled: str
) -> None:
    assert _scaled(limit, share) == scaled


def test_a_scaled_copy_differs_in_limits_only(tmp_path: Path) -> None:
    copy_scaled(MANIFESTS, tmp_path / "copy", share=Fraction(2))
    usual, double = read_resources(MANIFESTS), read_resources(tmp_path / "copy")
    assert (double.catalogue, double.tasks, double.routing) == (
        usual.catalogue,
        usual.tasks,
        usual.routing,
    )
    assert [pool.limit for pool in double.pools.values()] == [
        2 * pool.limit for pool in usual.pools.values()
    ]
