"""Copies share nothing that can change, and digests tell apart what a later move could."""

from dataclasses import dataclass, field

import pytest

from tests.model.values import Forms, copied, digest_of

PLAIN = Forms()


@dataclass(slots=True)
class Purse:
    coins: list[int] = field(default_factory=list)
    of: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class View:
    """A frozen value that looks at something which changes, as the purse's book does."""

    coins: list[int]


@dataclass(slots=True)
class Shop:
    purse: Purse
    view: View


def _shop() -> Shop:
    purse = Purse([1, 2], {"a": 1, "b": 2})
    return Shop(purse, View(purse.coins))


def test_a_copy_changes_alone_and_keeps_what_was_shared_shared() -> None:
    shop = _shop()
    copy = copied(shop, PLAIN)
    copy.purse.coins.append(3)
    assert copy.view.coins == [1, 2, 3]
    assert shop.view.coins == [1, 2]


def test_what_can_not_change_is_not_copied() -> None:
    fixed = ((1, "x"), frozenset({2}))
    assert copied(fixed, PLAIN) == fixed
    assert copied(fixed, PLAIN)[0] is fixed[0]


def test_the_order_of_a_dictionary_counts_only_where_it_is_said_to() -> None:
    one, other = Purse(of={"a": 1, "b": 2}), Purse(of={"b": 2, "a": 1})
    assert digest_of(one, PLAIN) == digest_of(other, PLAIN)
    one, other = Purse(waiting={"a": 1, "b": 2}), Purse(waiting={"b": 2, "a": 1})
    assert digest_of(one, PLAIN) == digest_of(other, PLAIN)
    in_line = Forms(ordered=frozenset({"waiting"}))
    assert digest_of(one, in_line) != digest_of(other, in_line)


def test_different_content_has_another_digest() -> None:
    assert digest_of(Purse([1]), PLAIN) != digest_of(Purse([2]), PLAIN)
    assert digest_of(View([1]), PLAIN) != digest_of(Purse([1]), PLAIN)


def test_what_hides_its_content_is_refused() -> None:
    with pytest.raises(TypeError, match="keeps its content"):
        copied([object()], PLAIN)
