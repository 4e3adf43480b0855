"""Copies of live objects and their canonical form, for any class of the product.

The explorer copies the real engine, purse and leasing before each move and compares what became of
them with what it has seen. The one rule: two objects have the same digest only if no later move can
tell them apart. This module must not know any class of the product; those that need it are named by
the caller, in `Forms`.
"""

import dataclasses
import enum
import hashlib
import itertools
import marshal
import operator
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import BuiltinFunctionType, FunctionType
from typing import Any, Final

_ATOMS: Final[tuple[type, ...]] = (
    int,
    str,
    bytes,
    float,
    type(None),
    FunctionType,
    BuiltinFunctionType,
    type,
)
_PLAIN: Final = frozenset({int, str, bytes, bool, float, type(None)})
_COUNTER: Final = itertools.count

Canonical = Any
"""Nested tuples of numbers, strings and None: what `marshal` can write."""


@dataclass(slots=True)
class Forms:
    """How objects are seen: `constants` are shared and all alike, `special` have a form of their
    own, `ordered` are the names of attributes whose dictionaries have an order that matters.
    """

    constants: tuple[type, ...] = ()
    special: dict[type, Callable[[Any, Callable[[Any], Canonical]], Canonical]] = field(
        default_factory=dict
    )
    ordered: frozenset[str] = frozenset()


class Copier:
    """Copies a graph of objects; what can't change is shared, what is shared stays shared."""

    def __init__(self, forms: Forms) -> None:
        self._shared: tuple[type, ...] = (*_ATOMS, *forms.constants)
        self._copies: dict[int, Any] = {}
        self._kept: list[Any] = []

    def copy(self, value: Any) -> Any:
        if type(value) in _PLAIN:
            return value
        if isinstance(value, self._shared):
            return value
        known = self._copies.get(id(value))
        if known is not None:
            return known
        if isinstance(value, tuple):
            made = self._tuple(value)
        elif isinstance(value, dict):
            made = self._register(value, _empty_like(value))
            made.update((self.copy(key), self.copy(item)) for key, item in value.items())
        elif isinstance(value, list | deque):
            made = self._register(value, type(value)())
            made.extend(self.copy(item) for item in value)
        elif isinstance(value, set | frozenset | bytearray):
            made = type(value)(value)
        elif isinstance(value, _COUNTER):
            made = itertools.count(_next_of(value))
        else:
            made = self._object(value)
        return self._register(value, made)

    def _register(self, value: Any, made: Any) -> Any:
        self._copies[id(value)] = made
        self._kept.append(value)
        return made

    def _tuple(self, value: tuple[Any, ...]) -> Any:
        items = [self.copy(item) for item in value]
        if all(map(operator.is_, items, value)):
            return value
        return tuple(items) if type(value) is tuple else type(value)(*items)

    def _object(self, value: Any) -> Any:
        names = attributes(value)
        if _is_frozen(type(value)):
            old = [getattr(value, name) for name in names]
            items = [self.copy(item) for item in old]
            if all(map(operator.is_, items, old)):
                return value
            made = object.__new__(type(value))
        else:
            made = self._register(value, object.__new__(type(value)))
            items = [self.copy(getattr(value, name)) for name in names]
        for name, item in zip(names, items, strict=True):
            object.__setattr__(made, name, item)
        return made


def copied(value: Any, forms: Forms) -> Any:
    """A copy that shares nothing that can change."""
    return Copier(forms).copy(value)


_NAMES: dict[type, tuple[str, ...]] = {}


def attributes(value: Any) -> tuple[str, ...]:
    """The names of all that an object keeps."""
    kind = type(value)
    slots = _NAMES.get(kind)
    if slots is None:
        listed = [base.__dict__.get("__slots__", ()) for base in kind.__mro__]
        flat = [name for names in listed for name in ([names] if isinstance(names, str) else names)]
        slots = _NAMES[kind] = tuple(n for n in flat if n not in {"__dict__", "__weakref__"})
    own = getattr(value, "__dict__", None)
    if own is None and not slots:
        raise TypeError(f"a {kind.__qualname__} keeps its content where it can't be copied")
    if own is None and dataclasses.is_dataclass(kind):
        return slots
    present = tuple(name for name in slots if hasattr(value, name))
    return present if own is None else (*present, *own)


_FROZEN: dict[type, bool] = {}


def _is_frozen(kind: type) -> bool:
    known = _FROZEN.get(kind)
    if known is None:
        declared = getattr(kind, "__dataclass_params__", None)
        known = _FROZEN[kind] = declared is not None and declared.frozen
    return known


def _empty_like(value: dict[Any, Any]) -> dict[Any, Any]:
    return OrderedDict() if isinstance(value, OrderedDict) else {}


def _next_of(counter: Any) -> int:
    return int(counter.__reduce__()[1][0])


class _Former:
    """Makes the canonical form of one graph; what occurs twice is made once."""

    def __init__(self, forms: Forms) -> None:
        self._forms = forms
        self._made: dict[int, Canonical] = {}
        self._kept: list[Any] = []

    def form(self, value: Any, *, ordered: bool = False) -> Canonical:
        kind = type(value)
        if kind is int or kind is str or value is None or kind is bool:
            return value
        made = self._made.get(id(value))
        if made is None:
            made = self._form(value, kind, ordered)
            if kind in self._forms.special or hasattr(kind, "__dataclass_params__"):
                # Kept, so that no other value gets its address meanwhile.
                self._kept.append(value)
                self._made[id(value)] = made
        return made

    def _form(self, value: Any, kind: type, ordered: bool) -> Canonical:
        special = self._forms.special.get(kind)
        if special is not None:
            return (kind.__name__, special(value, self.form))
        if isinstance(value, enum.Enum | int | str | bytes | float):
            return value.value if isinstance(value, enum.Enum) else value
        if isinstance(value, self._forms.constants):
            return kind.__name__
        if isinstance(value, tuple | list | deque):
            return tuple([self.form(item) for item in value])
        if isinstance(value, dict):
            pairs = [(self.form(k), self.form(v, ordered=ordered)) for k, v in value.items()]
            return tuple(pairs) if ordered else tuple(_sorted(pairs))
        if isinstance(value, set | frozenset):
            return tuple(_sorted(self.form(item) for item in value))
        ordering = self._forms.ordered
        fields = [
            self.form(getattr(value, name), ordered=name in ordering) for name in attributes(value)
        ]
        return (kind.__name__, *fields)


def _sorted(items: Iterable[Canonical]) -> list[Canonical]:
    return sorted(items, key=marshalled)


def marshalled(form: Canonical) -> bytes:
    # Version 2 has no references: the bytes depend on the values alone.
    return marshal.dumps(form, 2)


def form_of(value: Any, forms: Forms) -> Canonical:
    """The canonical form."""
    return _Former(forms).form(value)


def digest_of(value: Any, forms: Forms) -> bytes:
    """What tells two values apart: 128 bits of their canonical form."""
    return hashlib.blake2b(marshalled(form_of(value, forms)), digest_size=16).digest()
