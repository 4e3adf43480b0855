"""The small model at run time: how likely the weak and the strong model are to answer rightly.

Two logistic heads over hashed words and word pairs and over the shape of the text, with int8
weights. The one rule: a prompt unlike the training data gets no opinion (`familiar` is false), and
whoever asked must then not save money on it. Nothing here allocates by the size of a prompt beyond
`wording.READ_CHARS_MAX`. This module must not know tiers, prices or where weights are stored.
"""

import json
from bisect import bisect_left
from collections.abc import Sequence
from itertools import chain, islice
from math import exp, inf, sqrt
from operator import mul, neg, sub, truediv, xor
from typing import Any, Final, NamedTuple, Self, TypeAlias
from zlib import crc32

from farebox.core.edges import cores_of
from farebox.core.wording import STRUCTURE_NAMES, Wording, part_read, wording_of

MAGIC: Final = b"farebox-weights-2\n"
WEIGHTS_BYTES_MAX: Final = 1_000_000
SPREAD_MAX: Final = 3.0
"""A shape's number counts at most so many standard deviations from its mean."""

_PAIR_FACTOR: Final = 0x9E3779B1
"""Odd, so that a pair in the other order has another bucket."""

_ZERO: Final = 128
"""A weight of zero, as a byte."""

ODD_MAX: Final = 40.0
"""The same bound where strangeness is measured; beyond it a number makes nothing stranger."""

Worth: TypeAlias = float
"""What the strong model is worth for a prompt: `Score.worth`, `Score.pacing` and bounds on them."""

NEVER_WORTH_IT: Final[Worth] = inf


class Unreadable(ValueError):
    """Weights that are no weights of this version; the text says what is wrong."""


class Score(NamedTuple):
    """Calibrated chances that each model answers rightly; `gain` is what the strong one adds.

    `worth` is the gain for the usual extra cost: a gain on a long prompt costs more. `pacing` is
    the same where money must be paced, with the usual gain for a prompt that is not familiar.
    `unknown` is the share of words never seen in training, `oddness` how far the shape is from the
    nearest kind of prompt seen there, `belonging` the log odds that it comes from there rather than
    from elsewhere; `familiar` says whether all three stay within their bounds.
    """

    weak: float
    strong: float
    unknown: float
    oddness: float
    belonging: float
    familiar: bool
    worth: float
    pacing: float

    @property
    def gain(self) -> float:
        """By how much the strong model is likelier to be right."""
        return self.strong - self.weak


class Head(NamedTuple):
    """One logistic head. `buckets` are weights plus 128 with one `scale`; `slope`, `offset`
    calibrate.
    """

    buckets: bytes
    scale: float
    shape: tuple[float, ...]
    bias: float
    slope: float
    offset: float


class Kind(NamedTuple):
    """One kind of prompt in the training data: mean and deviation of each number of the shape.

    `answer_size` is what a usual answer adds to the strong model's extra cost, as size of a prompt.
    """

    means: tuple[float, ...]
    deviations: tuple[float, ...]
    answer_size: float = 0.0


class Reading(NamedTuple):
    """A prompt as it is judged, and how it looks beside those of training."""

    wording: Wording
    shape: Sequence[float]
    unknown: float
    oddness: float
    kind: Kind
    belonging: float
    familiar: bool


class Weights(NamedTuple):
    """A trained model for one pair of models. `known` has a 1 at the slot of each word seen.

    `belonging` is a weight per number of the shape, and their bias last: what sets the prompts of
    training apart from those of other sources.

    `thresholds` are worths from which on the strong model is called, by name; `usual` are the
    percentiles (0 to 100) of worths on the dev split's prompts, for pacing, and `usual_spend` the
    share of the strong model's extra bill that the prompts from each percentile on make up. The
    worth of a prompt that is not familiar counts for no threshold: it goes to the strong model;
    where money must be paced, it has `usual_gain`. `usual_size` is the mean size of a prompt with
    its answer.
    """

    name: str
    bits: int
    weak: Head
    strong: Head
    overall: Kind
    kinds: tuple[Kind, ...]
    belonging: tuple[float, ...]
    known: bytes
    belonging_min: float
    unknown_max: float
    oddness_max: float
    usual_size: float
    thresholds: dict[str, float]
    usual: tuple[float, ...]
    usual_spend: tuple[float, ...]
    usual_gain: float

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Read packed weights; raises Unreadable with a sentence on anything else."""
        try:
            return cls(**_fields(content))
        except (KeyError, TypeError, ValueError, IndexError) as problem:
            raise Unreadable(f"These are no routing weights of this version: {problem}.") from None

    def score(self, prompt: str) -> Score:
        """Score a prompt; bounded work, never raises."""
        return self.score_reading(self.reading_of(prompt))

    def reading_of(self, prompt: str) -> Reading:
        """A prompt as it is judged: whole, or its core where only that is familiar.

        Who adds something strange to a well-known question does not change its route.
        """
        whole = self._reading(wording_of(prompt))
        if whole.familiar:
            return whole
        cores = map(self._reading, map(wording_of, cores_of(part_read(prompt))))
        return next((core for core in cores if core.familiar), whole)

    def score_reading(self, reading: Reading) -> Score:
        """Score a prompt that was read before."""
        wording, shape, unknown, oddness, kind, belonging, familiar = reading
        buckets = buckets_of(wording.tokens, self.bits)
        gain = _chance(self.strong, buckets, shape) - (weak := _chance(self.weak, buckets, shape))
        dearness = (wording.size + kind.answer_size + 1) / self.usual_size
        return Score(
            weak=weak,
            strong=weak + gain,
            unknown=unknown,
            oddness=oddness,
            belonging=belonging,
            familiar=familiar,
            worth=gain / dearness,
            pacing=(gain if familiar else self.usual_gain) / dearness,
        )

    def cut_for(self, extra_ppm: int) -> Worth:
        """The pacing value from which on calls go strong for a share of the usual extra bill.

        `extra_ppm`: the share in millionths, below a million. `usual` must not be empty.
        """
        share = extra_ppm / 1_000_000
        place = bisect_left(self.usual_spend, -share, key=neg)
        if place == 0 or place >= len(self.usual):
            return self.usual[min(place, len(self.usual) - 1)]
        dearer, cheaper = self.usual_spend[place - 1], self.usual_spend[place]
        part = (dearer - share) / (dearer - cheaper)
        return self.usual[place - 1] + part * (self.usual[place] - self.usual[place - 1])

    def _reading(self, wording: Wording) -> Reading:
        shape = spread(wording.structure, self.overall, SPREAD_MAX)
        unknown = self._unknown(wording.words)
        oddness, kind = self._kind(wording.structure)
        belonging = sum(map(mul, self.belonging, (*shape, 1.0)))
        familiar = (
            unknown <= self.unknown_max
            and oddness <= self.oddness_max
            and belonging >= self.belonging_min
        )
        return Reading(wording, shape, unknown, oddness, kind, belonging, familiar)

    def _unknown(self, words: frozenset[bytes]) -> float:
        slots = map((len(self.known) - 1).__and__, map(crc32, words))
        return 1 - sum(map(self.known.__getitem__, slots)) / len(words) if words else 0.0

    def _kind(self, structure: Sequence[float]) -> tuple[float, Kind]:
        """The nearest kind of prompt, after how far it is."""
        odd = [(_oddness(structure, kind), place) for place, kind in enumerate(self.kinds)]
        oddness, place = min(odd)
        return oddness, self.kinds[place]


def buckets_of(tokens: Sequence[bytes], bits: int) -> set[int]:
    """The distinct buckets (0 to 2**bits - 1) of all words and of all pairs of neighbours."""
    hashes = list(map(crc32, tokens))
    pairs = map(xor, map(_PAIR_FACTOR.__mul__, hashes), islice(hashes, 1, None))
    return set(map(((1 << bits) - 1).__and__, chain(hashes, pairs)))


def spread(structure: Sequence[float], kind: Kind, most: float) -> list[float]:
    """How many deviations each number lies from its mean, at most `most` either way."""
    away = map(truediv, map(sub, structure, kind.means), kind.deviations)
    return [x if -most < x < most else most if x > 0 else -most for x in away]


def _oddness(structure: Sequence[float], kind: Kind) -> float:
    away = spread(structure, kind, ODD_MAX)
    squares: float = sum(map(mul, away, away))
    return squares / len(away)


def _chance(head: Head, buckets: set[int], shape: Sequence[float]) -> float:
    several = len(buckets) or 1
    words = (sum(map(head.buckets.__getitem__, buckets)) - _ZERO * len(buckets)) * head.scale
    raw: float = head.bias + words / sqrt(several) + sum(map(mul, head.shape, shape))
    odds = max(-30.0, min(30.0, raw * head.slope + head.offset))
    chance: float = 1 / (1 + exp(-odds))
    return chance


def _fields(content: bytes) -> dict[str, Any]:
    if len(content) > WEIGHTS_BYTES_MAX:
        raise ValueError(f"{len(content)} bytes are more than {WEIGHTS_BYTES_MAX}")
    if not content.startswith(MAGIC):
        raise ValueError("the first line is another one")
    header_end = content.index(b"\n", len(MAGIC))
    header = json.loads(content[len(MAGIC) : header_end])
    if tuple(header["structure"]) != STRUCTURE_NAMES:
        raise ValueError("they were trained on another reading of prompts")
    body = content[header_end + 1 :]
    size = 1 << int(header["bits"])
    if len(body) != 2 * size + int(header["word_bytes"]):
        raise ValueError("they are cut short")
    return {
        "name": str(header["name"]),
        "bits": int(header["bits"]),
        "weak": _head(header["weak"], body[:size]),
        "strong": _head(header["strong"], body[size : 2 * size]),
        "overall": _kind(header["overall"]),
        "kinds": tuple(map(_kind, header["kinds"])),
        "belonging": (*_numbers(header["belonging"][:-1]), float(header["belonging"][-1])),
        "known": bytes(byte >> bit & 1 for byte in body[2 * size :] for bit in range(8)),
        "belonging_min": float(header["belonging_min"]),
        "unknown_max": float(header["unknown_max"]),
        "oddness_max": float(header["oddness_max"]),
        "usual_size": float(header["usual_size"]),
        "thresholds": {str(name): float(at) for name, at in header["thresholds"].items()},
        "usual": tuple(map(float, header["usual"])),
        "usual_spend": tuple(map(float, header["usual_spend"])),
        "usual_gain": float(header["usual_gain"]),
    }


def _head(fields: dict[str, Any], buckets: bytes) -> Head:
    numbers = [float(fields[name]) for name in ("scale", "bias", "slope", "offset")]
    scale, bias, slope, offset = numbers
    return Head(buckets, scale, _numbers(fields["shape"]), bias, slope, offset)


def _kind(fields: Sequence[Any]) -> Kind:
    means, deviations, answer_size = fields
    return Kind(_numbers(means), _numbers(deviations), float(answer_size))


def _numbers(given: Sequence[float]) -> tuple[float, ...]:
    if len(given) != len(STRUCTURE_NAMES):
        raise ValueError("a number of the shape is missing")
    return tuple(map(float, given))
