"""The difference of two JSON values as a JSON patch (RFC 6902).

Own code and not a library: an injection only ever inserts, removes and rewrites whole entries, and
the known libraries compare with Python's `==`, for which `true` is `1`. The one rule: whatever the
patch is applied to in order is then the second value; operations are add, remove and replace
alone. This module must not know pods.
"""

from collections.abc import Collection, Iterator
from typing import Any, TypedDict

Json = Any
"""A decoded JSON value."""


class Operation(TypedDict, total=False):
    """One step of a patch. `value` is absent for "remove"."""

    op: str
    path: str
    value: Json


def difference(before: Json, after: Json) -> list[Operation]:
    """The steps from one value to the other; none when they are the same."""
    return list(_between(before, after, ""))


def is_same(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON: `true` is not `1`, and `1` is not `1.0`."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return type(one) is type(other) and bool(one == other)


def _between(before: Json, after: Json, path: str) -> Iterator[Operation]:
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _between_groups(before, after, path)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _between_lists(before, after, path)
    elif not is_same(before, after):
        yield Operation(op="replace", path=path, value=after)


def _between_groups(
    before: dict[str, Json], after: dict[str, Json], path: str
) -> Iterator[Operation]:
    for key, value in before.items():
        at = f"{path}/{_escaped(key)}"
        if key in after:
            yield from _between(value, after[key], at)
        else:
            yield Operation(op="remove", path=at)
    for key, value in after.items():
        if key not in before:
            yield Operation(op="add", path=f"{path}/{_escaped(key)}", value=value)


def _between_lists(before: list[Json], after: list[Json], path: str) -> Iterator[Operation]:
    """Entries with names are compared with those of the same name, others by their place."""
    names_before, names_after = _names(before), _names(after)
    common = names_before.keys() & names_after.keys()
    if common and _in(common, names_before) == _in(common, names_after):
        yield from _between_named(before, after, path)
    else:
        yield from _between_places(before, after, path)


def _between_named(before: list[Json], after: list[Json], path: str) -> Iterator[Operation]:
    """The names that both have are in the same order."""
    names_before, names_after = _names(before), _names(after)
    # From the last to the first, so that no index moves before its turn.
    for name, index in reversed(names_before.items()):
        if name not in names_after:
            yield Operation(op="remove", path=f"{path}/{index}")
    for name, index in names_after.items():
        at = f"{path}/{index}"
        if name in names_before:
            yield from _between(before[names_before[name]], after[index], at)
        else:
            yield Operation(op="add", path=at, value=after[index])


def _between_places(before: list[Json], after: list[Json], path: str) -> Iterator[Operation]:
    """What both begin and end with stays; between that, entry by entry, then the longer rest."""
    shorter = min(len(before), len(after))
    head = 0
    while head < shorter and is_same(before[head], after[head]):
        head += 1
    tail = 0
    while tail < shorter - head and is_same(before[-1 - tail], after[-1 - tail]):
        tail += 1
    for index in range(head, shorter - tail):
        yield from _between(before[index], after[index], f"{path}/{index}")
    for index in reversed(range(shorter - tail, len(before) - tail)):
        yield Operation(op="remove", path=f"{path}/{index}")
    for index in range(shorter - tail, len(after) - tail):
        yield Operation(op="add", path=f"{path}/{index}", value=after[index])


def _names(items: list[Json]) -> dict[str, int]:
    """The place of each name; empty when an entry has none or two have the same."""
    names = [item.get("name") if isinstance(item, dict) else None for item in items]
    places = {name: index for index, name in enumerate(names) if isinstance(name, str)}
    return places if len(places) == len(items) else {}


def _in(common: Collection[str], names: dict[str, int]) -> list[str]:
    return [name for name in names if name in common]


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
