"""The resources that the benchmarks run under, as documents of one manifest.

The one rule: plain values in, plain documents out (JSON, which is YAML). Amounts are written here
from whole nano-dollars, so that no float touches them. This module must not know any process.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

LABELS: Final = {"app": "assistant"}
"""The labels of the pods that the pools select."""

CONTEXT_WINDOW: Final = 128_000
_API_VERSION: Final = "farebox.dev/v1alpha1"
_NANOS_PER_DOLLAR: Final = 1_000_000_000


def pool(
    name: str, *, limit_nanos: int, period_ms: int | None, per_user: bool, parent: str = ""
) -> dict[str, Any]:
    """A pool; one without a parent is reached as an ancestor only. No period: for ever."""
    window = {"type": "Lifetime"}
    if period_ms is not None:
        window = {"type": "Fixed", "period": f"{period_ms}ms"}
    spec: dict[str, Any] = {"limit": _dollars(limit_nanos), "window": window}
    if parent:
        spec |= {"parent": {"name": parent}, "selector": {"matchLabels": LABELS}}
    if per_user:
        spec["per"] = "User"
    return resource("BudgetPool", name, spec)


def tier(name: str, *, rank: int, max_difficulty: str, model: Mapping[str, Any]) -> dict[str, Any]:
    """A tier of one model."""
    spec = {"rank": rank, "maxDifficulty": max_difficulty, "models": [dict(model)]}
    return resource("ModelTier", name, spec)


def model(
    name: str, *, base_url: str, input_nanos: int, output_nanos: int, overrun_percent: int = 0
) -> dict[str, Any]:
    """A model at prices in n$ a token."""
    return {
        "name": name,
        "provider": "openai",
        "baseURL": base_url,
        "price": {"input": per_million(input_nanos), "output": per_million(output_nanos)},
        "contextWindow": CONTEXT_WINDOW,
        "maxOutputTokens": 16_384,
        "overrunPercent": overrun_percent,
    }


def resource(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Any resource of the default namespace."""
    return {
        "apiVersion": _API_VERSION,
        "kind": kind,
        "metadata": {"name": name},
        "spec": dict(spec),
    }


def write_folder(folder: Path, resources: Iterable[Mapping[str, Any]]) -> Path:
    """Make a folder with one manifest of all the resources."""
    folder.mkdir()
    text = "\n---\n".join(json.dumps(one, indent=1) for one in resources)
    (folder / "all.yaml").write_text(text + "\n")
    return folder


def per_million(rate_nanos: int) -> str:
    """A rate in n$ a token as dollars for a million tokens."""
    return f"{rate_nanos // 1_000}.{rate_nanos % 1_000:03d}"


def _dollars(amount_nanos: int) -> str:
    return f"{amount_nanos // _NANOS_PER_DOLLAR}.{amount_nanos % _NANOS_PER_DOLLAR:09d}"
