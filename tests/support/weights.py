"""Hand-made weights of the small model: one word, "ocean", makes the strong model worth its money.

The one rule: every figure that a test expects of them can be reckoned by hand.
"""

import json
from typing import Any
from zlib import crc32

from farebox.core.scoring import MAGIC, Weights
from farebox.core.wording import STRUCTURE_NAMES

BITS = 8
FLAT = [0.0] * len(STRUCTURE_NAMES)
WIDE = [1e6] * len(STRUCTURE_NAMES)


def header() -> dict[str, Any]:
    head = {"scale": 0.1, "shape": FLAT, "bias": 0.0, "slope": 1.0, "offset": 0.0}
    return {
        "name": "hand-made",
        "bits": BITS,
        "word_bytes": 32,
        "unknown_max": 0.5,
        "oddness_max": 1.0,
        "usual_size": 6.0,
        "belonging": [0.0] * (len(STRUCTURE_NAMES) + 1),
        "belonging_min": 0.0,
        "thresholds": {"cmq-0.95": 0.1},
        "usual": [0.0, 0.2],
        "usual_spend": [1.0, 0.0],
        "usual_gain": 0.1,
        "weak": head,
        "strong": head,
        "overall": [FLAT, WIDE, 0.0],
        "kinds": [[FLAT, WIDE, 0.0]],
        "structure": STRUCTURE_NAMES,
    }


def packed(fields: dict[str, Any], known: tuple[bytes, ...] = (b"ocean",)) -> bytes:
    size = 1 << BITS
    strong = bytearray(b"\x80" * size)
    strong[crc32(b"ocean") % size] += 20
    words = bytearray(32)
    for word in known:
        slot = crc32(word) % 256
        words[slot >> 3] |= 1 << (slot & 7)
    line = json.dumps(fields).encode()
    return MAGIC + line + b"\n" + b"\x80" * size + bytes(strong) + bytes(words)


def small_weights() -> Weights:
    """Weights that find "ocean" worth the strong model, "pebble" not, and know no other word."""
    return Weights.read(packed(header(), known=(b"ocean", b"pebble")))
