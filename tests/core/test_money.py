"""Money is read and written exactly, and every rounding has a direction."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import farebox.core
from farebox.core.money import (
    NANOS_PER_DOLLAR,
    AmountError,
    Nanos,
    divide_down,
    divide_up,
    format_dollars,
    parse_dollars,
)
from farebox.wire.checks import INT64_MAX

LARGEST = "999999999.999999999"


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("0", 0),
        ("0.000000001", 1),
        ("0.15", 150_000_000),
        ("50.00", 50_000_000_000),
        ("007.5", 7_500_000_000),
        (LARGEST, 10**18 - 1),
    ],
)
def test_a_decimal_amount_is_read_exactly(text: str, nanos: int) -> None:
    assert parse_dollars(text) == nanos


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1\n",
        "-1",
        "+1",
        "1e3",
        "1,50",
        ".5",
        "5.",
        "$5",
        "1_000",
        "0x10",
        "NaN",
        "inf",
        "0.0000000001",
        "1000000000",
        "٣",
        "1.٣",
    ],
)
def test_what_is_no_amount_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(AmountError, match="is not an amount in dollars"):
        parse_dollars(text)


def test_the_largest_amount_fits_the_wire_and_the_store() -> None:
    assert parse_dollars(LARGEST) <= INT64_MAX


@given(st.integers(0, 10**18 - 1).map(Nanos))
def test_what_was_written_is_read_back(amount: Nanos) -> None:
    assert parse_dollars(format_dollars(amount)) == amount


@given(st.integers(0, 10**18 - 1).map(Nanos), st.integers(0, 9))
def test_fewer_decimals_never_show_more_money(amount: Nanos, decimals: int) -> None:
    shown = parse_dollars(format_dollars(amount, decimals))
    assert 0 <= amount - shown < 10 ** (9 - decimals)


@pytest.mark.parametrize(
    ("nanos", "decimals", "text"),
    [
        (1, 9, "0.000000001"),
        (1_999_999_999, 2, "1.99"),
        (1_999_999_999, 0, "1"),
        (-1_500_000_000, 2, "-1.50"),
        (0, 2, "0.00"),
        (12 * NANOS_PER_DOLLAR, 0, "12"),
    ],
)
def test_an_amount_is_written_with_the_decimals_asked_for(
    nanos: int, decimals: int, text: str
) -> None:
    assert format_dollars(Nanos(nanos), decimals) == text


@given(st.integers(0, 10**30), st.integers(1, 10**12))
def test_every_division_errs_in_its_own_direction(numerator: int, denominator: int) -> None:
    down, up = divide_down(numerator, denominator), divide_up(numerator, denominator)
    assert down * denominator <= numerator <= up * denominator
    assert up - down == (numerator % denominator != 0)


CHANCES = {"scoring.py", "shortcuts.py", "wording.py"}
"""Modules that reckon with chances: floats by nature, and without any money."""


def test_no_float_is_near_the_core() -> None:
    """No float literal, no call of float and no true division in any module of the core."""
    for path in Path(farebox.core.__path__[0]).glob("*.py"):
        if path.name in CHANCES:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), path
            assert not (isinstance(node, ast.Name) and node.id == "float"), path
            assert not isinstance(node, ast.Div), path


@pytest.mark.parametrize("name", sorted(CHANCES))
def test_where_floats_are_there_is_no_money(name: str) -> None:
    text = Path(farebox.core.__path__[0]).joinpath(name).read_text()
    for module in ("money", "prices", "budgets", "ledger", "leases", "allocation", "bucket"):
        assert f"farebox.core.{module}" not in text
