"""The benchmark's arithmetic, on figures small enough to check by hand."""

import pytest

from bench import figures
from bench.figures import Sample, Spread
from bench.targets import Name

PERCENTILES = {
    "one value is every percentile": ([7], 99, 7),
    "the median of an odd count": ([1, 2, 9], 50, 2),
    "the median of an even count is the lower one": ([1, 2, 8, 9], 50, 2),
    "the 99th of a hundred": (list(range(1, 101)), 99, 99),
    "the 99th of few is the greatest": ([1, 2, 3], 99, 3),
    "all of them": ([1, 2, 3], 100, 3),
}


@pytest.mark.parametrize("name", PERCENTILES)
def test_percentiles_are_nearest_rank(name: str) -> None:
    ordered, percent, want = PERCENTILES[name]
    assert figures.percentile(ordered, percent) == want


@pytest.mark.parametrize(("ordered", "percent"), [([], 50), ([1], 0), ([1], 101)])
def test_a_percentile_of_nothing_is_refused(ordered: list[int], percent: float) -> None:
    with pytest.raises(ValueError, match="percentile needs values"):
        figures.percentile(ordered, percent)


def sample(number: int, target: Name, p50_us: float, cpu_us: float | None) -> Sample:
    return Sample(
        round=number,
        workload="calls",
        target=target,
        calls=10,
        calls_per_second=10,
        p50_us=p50_us,
        p99_us=2 * p50_us,
        cpu_us_per_call=cpu_us,
    )


# The machine is half as fast in round 2 and in round 3 Envoy alone was disturbed.
SAMPLES = [
    sample(1, Name.DIRECT, 100, None),
    sample(1, Name.ENVOY, 300, 50),
    sample(1, Name.SIDECAR, 400, 100),
    sample(2, Name.DIRECT, 200, None),
    sample(2, Name.ENVOY, 600, 100),
    sample(2, Name.SIDECAR, 800, 200),
    sample(3, Name.DIRECT, 100, None),
    sample(3, Name.ENVOY, 900, 80),
    sample(3, Name.SIDECAR, 400, 100),
]


def p50(one: Sample) -> float:
    return one.p50_us


def cpu(one: Sample) -> float | None:
    return one.cpu_us_per_call


def test_a_ratio_is_taken_within_each_round() -> None:
    seen = figures.ratio(SAMPLES, "calls", Name.SIDECAR, Name.ENVOY, cpu)
    assert seen == Spread(median=2.0, least=1.25, greatest=2.0)


def test_what_a_proxy_adds_is_taken_within_each_round() -> None:
    seen = figures.added(SAMPLES, "calls", Name.SIDECAR, Name.DIRECT, p50)
    assert seen == Spread(median=300, least=300, greatest=600)


def test_the_median_over_rounds() -> None:
    seen = figures.over_rounds(SAMPLES, "calls", Name.ENVOY, p50)
    assert seen == Spread(median=600, least=300, greatest=900)


def test_what_was_not_measured_has_no_figure() -> None:
    assert figures.over_rounds(SAMPLES, "calls", Name.DIRECT, cpu) is None
    assert figures.over_rounds(SAMPLES, "streams", Name.ENVOY, cpu) is None
    assert figures.ratio(SAMPLES, "calls", Name.SIDECAR, Name.DIRECT, cpu) is None


def test_a_base_too_small_to_be_seen_gives_no_ratio() -> None:
    samples = [sample(1, Name.ENVOY, 1, 0), sample(1, Name.SIDECAR, 1, 5)]
    assert figures.ratio(samples, "calls", Name.SIDECAR, Name.ENVOY, cpu) is None
