"""Quantities: compared exactly, kept as written, refused with what to write."""

from fractions import Fraction

import pytest

from controller.injection.quantities import CPU, MEMORY, size_of
from farebox.manifests.documents import Scalar, Written
from farebox.manifests.scalars import Unfit


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20m", Fraction(1, 50)),
        ("0.5", Fraction(1, 2)),
        ("2", Fraction(2)),
        ("64Mi", Fraction(64 * 1024**2)),
        ("1.5Gi", Fraction(3 * 1024**3, 2)),
        ("100M", Fraction(10**8)),
        ("1k", Fraction(1000)),
    ],
)
def test_sizes(text: str, size: Fraction) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "-1", "64 Mi", "64mb", "1e3", "0x10", "Mi", "\u0661", "20mm"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is "):
        size_of(text)


def test_a_quantity_is_kept_as_it_was_written() -> None:
    assert MEMORY.read(Scalar("0.5Gi", Written.TEXT)) == "0.5Gi"
    assert CPU.read(Scalar("1", Written.WHOLE)) == "1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("much", 'is "much": write a quantity from 16Mi to 64Gi, for example "64Mi"'),
        ("15Mi", 'is "15Mi": write a quantity from 16Mi to 64Gi, for example "64Mi"'),
        ("65Gi", 'is "65Gi": write a quantity from 16Mi to 64Gi, for example "64Mi"'),
    ],
)
def test_mistakes_say_what_to_write(text: str, said: str) -> None:
    with pytest.raises(Unfit) as refused:
        MEMORY.read(Scalar(text, Written.TEXT))
    assert str(refused.value) == said


def test_a_yes_is_no_quantity() -> None:
    with pytest.raises(Unfit, match="the yes-or-no value true"):
        CPU.read(Scalar("true", Written.TRUTH))
