"""Functions that gates of the tests name."""

from farebox.core.gates import Case


def is_ascii(answer: str, case: Case) -> bool:
    """Whether an answer has plain letters only."""
    assert case.prompt
    return answer.isascii()
