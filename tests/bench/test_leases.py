"""The command line of the lease benchmark."""

import pytest

from bench.leases import SEEDS_MAX, Options, read_options


def test_the_options() -> None:
    assert read_options([]) == Options(seeds=range(1, 3), quick=False, real=False)
    assert read_options(["--seeds", "3", "--from", "11", "--quick", "--real"]) == Options(
        seeds=range(11, 14), quick=True, real=True
    )


@pytest.mark.parametrize("seeds", ["0", str(SEEDS_MAX + 1)])
def test_a_number_of_seeds_that_makes_no_sense(
    seeds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        read_options(["--seeds", seeds])
    assert f"between 1 and {SEEDS_MAX}" in capsys.readouterr().err
