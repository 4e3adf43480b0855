"""How commands end: a verdict's own status, or 2 with one text."""

import pytest

from farebox.cli.running import BROKEN, leave_with
from farebox.launch.problems import LaunchError


async def verdict(status: int) -> int:
    return status


async def fail(error: Exception) -> int:
    raise error


@pytest.mark.parametrize("status", [0, 1])
def test_a_verdict_is_the_status(status: int) -> None:
    with pytest.raises(SystemExit) as ended:
        leave_with(verdict(status))
    assert ended.value.code == status


@pytest.mark.parametrize(
    ("error", "said"),
    [(LaunchError("write a tier"), "farebox: write a tier\n"), (ZeroDivisionError(), "Traceback")],
)
def test_a_failure_is_2_and_says_why(
    capsys: pytest.CaptureFixture[str], error: Exception, said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        leave_with(fail(error))
    assert ended.value.code == BROKEN
    assert said in capsys.readouterr().err
