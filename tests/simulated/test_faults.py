"""Faults are chosen by header or by a seeded mix, never both."""

from collections import Counter

import pytest

from farebox.simulated.faults import Fault, FaultBook, FaultError, FaultKind, FaultSettings

SETTINGS = FaultSettings(overrun_percent=30, latency_ms=11, slow_ms=12, retry_after_seconds=3)


@pytest.mark.parametrize(
    ("header", "want"),
    [
        ("error500", Fault(kind=FaultKind.ERROR_500)),
        ("error429", Fault(kind=FaultKind.ERROR_429, amount=3)),
        ("error429;seconds=9", Fault(kind=FaultKind.ERROR_429, amount=9)),
        ("cutStream", Fault(kind=FaultKind.CUT_STREAM)),
        ("cutStream; after=5", Fault(kind=FaultKind.CUT_STREAM, amount=5)),
        ("longAnswer", Fault(kind=FaultKind.LONG_ANSWER, amount=30)),
        ("longAnswer;percent=200", Fault(kind=FaultKind.LONG_ANSWER, amount=200)),
        ("slowBody", Fault(kind=FaultKind.SLOW_BODY, amount=12)),
        ("latency;ms=0", Fault(kind=FaultKind.LATENCY, amount=0)),
        ("none", None),
    ],
)
def test_a_header_names_the_fault_and_its_option(header: str, want: Fault | None) -> None:
    assert FaultBook(SETTINGS, seed=1).pick(header) == want


@pytest.mark.parametrize(
    "header", ["", "explode", "hangUp;ms=1", "latency;s=1", "latency;ms=-1", "latency;ms=9999999"]
)
def test_a_header_that_makes_no_sense_is_refused(header: str) -> None:
    with pytest.raises(FaultError):
        FaultBook(SETTINGS, seed=1).pick(header)


def test_the_same_seed_gives_the_same_faults() -> None:
    mix = {FaultKind.ERROR_500: 0.3, FaultKind.HANG_UP: 0.2}
    first, second = (FaultBook(FaultSettings(mix=mix), seed=4) for _ in range(2))
    assert [first.pick(None) for _ in range(50)] == [second.pick(None) for _ in range(50)]


def test_the_mix_is_kept_over_many_calls() -> None:
    book = FaultBook(FaultSettings(mix={FaultKind.ERROR_500: 0.3, FaultKind.HANG_UP: 0.2}), seed=4)
    faults = [book.pick(None) for _ in range(10_000)]
    counts = Counter(fault.kind for fault in faults if fault is not None)
    assert 2_800 <= counts[FaultKind.ERROR_500] <= 3_200
    assert 1_800 <= counts[FaultKind.HANG_UP] <= 2_200
    assert counts.total() == counts[FaultKind.ERROR_500] + counts[FaultKind.HANG_UP]


def test_settings_are_checked() -> None:
    bad = FaultSettings(mix={FaultKind.HANG_UP: 0.7, FaultKind.ERROR_500: 1.5}, slow_ms=-1)
    assert len(bad.problems()) == 3
    assert FaultSettings().problems() == []
