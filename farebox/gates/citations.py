"""Citations: which sources an answer names, and whether they are among those that it was given.

A citation is a marker in brackets ("[2]", "[doc-7]", "[^1]", "【3】") or an address. The one rule:
a source counts as given only when it stands in what was asked. This module must not know gates.
"""

import re
from typing import Final

CITATIONS_MAX: Final = 50
"""An answer with more fails: nobody could follow them up."""

_MARKERS: Final = re.compile(r"[\[【]\^?([\w][\w .:#/-]{0,63})[^\]】\n]{0,64}[\]】](?!\()")
_ADDRESSES: Final = re.compile(r"https?://[^\s\])>\"'】]{1,500}")
_LINKED: Final = re.compile(r"\]\((https?://[^\s)]{1,500})\)")
_SEPARATORS: Final = re.compile(r"\s*[,;]\s*")


def cited(answer: str) -> tuple[str, ...]:
    """The sources that an answer names, each once, in their order; one too many at most."""
    found = [link[1] for link in _LINKED.finditer(answer)]
    found += [address[0].rstrip(".,;:") for address in _ADDRESSES.finditer(answer)]
    for marker in _MARKERS.finditer(answer):
        inner = marker[0][1:-1].lstrip("^").partition("†")[0]
        found += [part for part in _SEPARATORS.split(inner) if part]
        if len(found) > CITATIONS_MAX:
            break
    return tuple(dict.fromkeys(found))[: CITATIONS_MAX + 1]


def is_plainly_a_source(source: str) -> bool:
    """Whether it can be nothing else: an address or a number, where "[sic]" is just a word."""
    return any(letter.isdigit() for letter in source) or source.startswith(("http:", "https:"))


def is_given(source: str, asked: str) -> bool:
    """Whether a source stands in what was asked: as an address, a marker, or the name of a part."""
    if source.startswith(("http://", "https://")):
        return source in asked
    if any(f"{left}{source}{right}" in asked for left, right in ("[]", "【】")):
        return True
    name = re.escape(source)
    if source.isdigit():
        # "1. text", "Source 1:", "<doc id=1>", but no number that only happens to be there.
        kinds = r"(?:source|document|doc|passage|chunk|context|result|snippet|reference|id|index)"
        return bool(re.search(rf"(?im)^\W{{0,4}}{name}[.):\]]\s|\b{kinds}\W{{0,4}}{name}\b", asked))
    return bool(re.search(rf"(?i)(?<!\w){name}(?!\w)", asked))
