"""How the tests with a real etcd say what they measured: one line each, always shown."""

import sys
from collections.abc import Callable

import pytest

from bench.cap_run import Result

Say = Callable[..., None]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Print one line with what was found."""

    def said(what: str, result: Result | None = None, **figures: object) -> None:
        told = [f"{name}={value}" for name, value in figures.items()]
        if result is not None:
            over = max((0, *(bill.over_pico for bill in result.bills.values())))
            told += [
                f"calls={result.billed_calls}",
                f"overspend=${over / 10**12:.9f}",
                f"unaccounted=${result.stranded_nanos / 10**9:.9f}",
            ]
        with capsys.disabled():
            sys.stdout.write(f"\n  {what}: {', '.join(told)}\n")
            sys.stdout.flush()

    return said
