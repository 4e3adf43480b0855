"""Manifests read offline: what a baseURL leaves open may stay open, mistakes may not."""

from pathlib import Path

import pytest

from farebox.after.manifests import policy_of, read_offline
from farebox.after.problems import AfterError
from farebox.core.instant import UtcMs
from tests.support.tuned import NOW, TASK, TIER


def test_nothing_is_called_so_nothing_has_to_be_reached(tmp_path: Path) -> None:
    (tmp_path / "tiers.yaml").write_text(TIER.format(name="small", rank=1, difficulty="1"))
    policy = policy_of(read_offline(tmp_path, now=NOW), namespace="default", labels={})
    assert [model.name for _, model in policy.catalogue] == ["small-model"]
    assert policy.pools == ()


def test_a_mistake_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text(TASK)
    with pytest.raises(AfterError, match=r"tasks\.yaml:\d+: TaskProfile"):
        read_offline(tmp_path, now=UtcMs(0))
