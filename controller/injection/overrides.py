"""What annotations say: whether a pod is injected, and with what it differs from the settings.

A pod's annotation wins over its namespace's, that over the settings. The one rule: a value that
can't be read is a sentence that names its annotation, never a guess. This module must not know
containers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from controller.injection.keys import KEYS, NONE
from controller.injection.quantities import CPU, MEMORY, STATE, size_of
from controller.injection.reading import LOG_LEVEL
from controller.injection.settings import Settings, Sizes
from farebox.manifests.documents import Scalar, Written
from farebox.manifests.scalars import Reader, Unfit, did_you_mean, shorten, shown

PREFIX: Final = "farebox.dev/"
INJECT: Final = f"{PREFIX}inject"
RECORD: Final = f"{PREFIX}injected"
BASE_URLS: Final = f"{PREFIX}base-urls"
KEYS_OF: Final = f"{PREFIX}keys"
UNKNOWN_MAX: Final = 4
"""Of annotations that nobody knows so many are told: looking for what was meant takes time."""

PROVIDERS_MAX: Final = 16
"""So many providers one annotation may name."""

_READERS: Final[Mapping[str, Reader[Any]]] = {
    f"{PREFIX}cpu": CPU,
    f"{PREFIX}cpu-limit": CPU,
    f"{PREFIX}memory": MEMORY,
    f"{PREFIX}memory-limit": MEMORY,
    f"{PREFIX}state-size": STATE,
    f"{PREFIX}log-level": LOG_LEVEL,
    KEYS_OF: KEYS,
}
KNOWN: Final = frozenset({INJECT, RECORD, BASE_URLS, *_READERS})
"""All annotations of this project that a pod may have."""


class OverrideError(Exception):
    """Annotations can't be read; `mistakes` has one sentence for each."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)


def is_opted_out(labels: Mapping[str, Any], annotations: Mapping[str, Any]) -> bool:
    """Whether a pod's label or annotation says that it is not injected. Raises OverrideError."""
    mistakes, out = [], False
    for what, group in (("label", labels), ("annotation", annotations)):
        word = group.get(INJECT, "true")
        out = out or word == "false"
        if word not in {"true", "false"}:
            mistakes.append(f'{what} {INJECT} is {shown(str(word))}: write "true" or "false"')
    if mistakes:
        raise OverrideError(mistakes)
    return out


def overridden(
    settings: Settings, of_pod: Mapping[str, Any], of_namespace: Mapping[str, Any]
) -> Settings:
    """The settings of one pod. Raises OverrideError.

    An annotation of this project that nobody knows is a mistake on a pod, since a misspelt one
    would pass by unseen; a namespace may have others.
    """
    unknown = sorted(name for name in of_pod if name.startswith(PREFIX) and name not in KNOWN)
    mistakes = [
        f"annotation {shorten(name)} is not known: {did_you_mean(shorten(name), KNOWN)}"
        for name in unknown[:UNKNOWN_MAX]
    ]
    said: dict[str, Any] = {}
    for where, group in ((" of the namespace", of_namespace), ("", of_pod)):
        for name, reader in _READERS.items():
            if name in group:
                _take(said, name, reader, str(group[name]), where, mistakes)
        if BASE_URLS in group:
            said[BASE_URLS] = _base_urls(settings, str(group[BASE_URLS]), where, mistakes)
    sizes = _sizes(settings.sizes, said, mistakes)
    if mistakes:
        raise OverrideError(mistakes)
    return replace(
        settings,
        sizes=sizes,
        state_size=said.get(f"{PREFIX}state-size", settings.state_size),
        log_level=said.get(f"{PREFIX}log-level", settings.log_level),
        base_urls=said.get(BASE_URLS, settings.base_urls),
        keys=said.get(KEYS_OF, settings.keys),
    )


def _take(
    said: dict[str, Any], name: str, reader: Reader[Any], value: str, where: str, to: list[str]
) -> None:
    try:
        said[name] = reader.read(Scalar(value, Written.TEXT))
    except Unfit as unfit:
        to.append(f"annotation {name}{where} {unfit}")


def _base_urls(settings: Settings, value: str, where: str, to: list[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip() for part in value.split(",", PROVIDERS_MAX)))
    if names in {(NONE,), ("",)}:
        return ()
    to.extend(
        f"annotation {BASE_URLS}{where} names the provider {shown(name)}, which is not set up: "
        f"{did_you_mean(shorten(name), {*settings.providers, NONE})}"
        for name in names
        if name not in settings.providers
    )
    return names


def _sizes(plain: Sizes, said: Mapping[str, Any], to: list[str]) -> Sizes:
    """A limit that is not written rises with the request; one that is written must not be less."""
    cpu, memory = said.get(f"{PREFIX}cpu", plain.cpu), said.get(f"{PREFIX}memory", plain.memory)
    return Sizes(
        cpu=cpu,
        memory=memory,
        cpu_limit=_limit("cpu", cpu, plain.cpu_limit, said, to),
        memory_limit=_limit("memory", memory, plain.memory_limit, said, to),
    )


def _limit(
    what: str, least: str, plain: str | None, said: Mapping[str, Any], to: list[str]
) -> str | None:
    written: str | None = said.get(f"{PREFIX}{what}-limit")
    most = plain if written is None else written
    if most is None or size_of(most) >= size_of(least):
        return most
    if written is not None:
        to.append(
            f"annotation {PREFIX}{what}-limit is {shown(written)}, "
            f"less than the {least} that is requested: raise it"
        )
    return least
