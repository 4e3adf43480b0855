"""Trained models as files: int8 weights in the form that `farebox.core.scoring` reads.

The one rule: what is packed is what is measured; every published figure comes from the packed
weights, never from the floats they were made of.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from farebox.core.scoring import MAGIC, Kind, Weights
from farebox.core.wording import STRUCTURE_NAMES
from farebox.learn.encoding import SHAPE_SHARE, Floats
from farebox.learn.training import Calibrated, Fitted

INT8_MAX: Final = 127
ZERO: Final = 128
_DIGITS: Final = 5


def pack(name: str, fitted: Fitted) -> bytes:
    """The bytes of a model, as yet without thresholds; numbers in the header keep five digits."""
    weak_scale, weak = quantised(fitted.weak.head.words)
    strong_scale, strong = quantised(fitted.strong.head.words)
    header: dict[str, Any] = {
        "name": name,
        "bits": fitted.recipe.bits,
        "belonging": [_short(weight) for weight in fitted.belonging],
        "belonging_min": _short(fitted.bounds.belonging_min),
        "word_bytes": len(fitted.words),
        "unknown_max": _short(fitted.bounds.unknown_max),
        "oddness_max": _short(fitted.bounds.oddness_max),
        "usual_size": _short(fitted.usual_size),
        "thresholds": {},
        "usual": [],
        "usual_spend": [],
        "usual_gain": 0.0,
        "weak": _head(fitted.weak, weak_scale),
        "strong": _head(fitted.strong, strong_scale),
        "overall": _kind(fitted.overall),
        "kinds": [_kind(kind) for kind in fitted.kinds],
        "structure": STRUCTURE_NAMES,
    }
    line = json.dumps(header, separators=(",", ":")).encode()
    return MAGIC + line + b"\n" + weak + strong + fitted.words


def with_thresholds(
    content: bytes,
    thresholds: Mapping[str, float],
    usual: Sequence[float],
    usual_spend: Sequence[float],
    usual_gain: float,
) -> bytes:
    """The same weights with what the dev split tells; raises Unreadable for other bytes."""
    Weights.read(content)
    end = content.index(b"\n", len(MAGIC))
    header = json.loads(content[len(MAGIC) : end])
    header["thresholds"] = {key: _short(value) for key, value in thresholds.items()}
    header["usual"] = [_short(worth) for worth in usual]
    header["usual_spend"] = [_short(share) for share in usual_spend]
    header["usual_gain"] = _short(usual_gain)
    return MAGIC + json.dumps(header, separators=(",", ":")).encode() + content[end:]


def quantised(weights: Floats) -> tuple[float, bytes]:
    """The scale (the value of 1) and the weights as bytes, rounded to nearest; zero is 128."""
    largest = float(np.abs(weights).max()) if len(weights) else 0.0
    scale = _short(largest / INT8_MAX) or 1.0
    rounded = np.clip(np.round(weights / scale), -INT8_MAX, INT8_MAX)
    return scale, (rounded + ZERO).astype(np.uint8).tobytes()


def _head(calibrated: Calibrated, scale: float) -> dict[str, Any]:
    # Training scales the standardised shape; the scorer does not, so the weights carry it.
    shape = (calibrated.head.shape * SHAPE_SHARE).tolist()
    return {
        "scale": scale,
        "shape": [_short(weight) for weight in shape],
        "bias": _short(calibrated.head.bias),
        "slope": _short(calibrated.slope),
        "offset": _short(calibrated.offset),
    }


def _kind(kind: Kind) -> list[list[float] | float]:
    return [
        [_short(number) for number in kind.means],
        [_short(number) for number in kind.deviations],
        _short(kind.answer_size),
    ]


def _short(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}")
