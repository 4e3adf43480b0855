"""What a prompt says of itself and of its route, taken out before anything else is read.

"This is easy", "use the cheapest model", "route this to the weak tier", "answer the following":
whoever writes a prompt must not choose the route by such words. The one rule: a sentence is dropped
for what it speaks of, a request and its ease, cost or model, and never for a wording known by
heart. This module must not know weights, tiers or money.
"""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

from farebox.core.tongues import without_asides

CLAIM_TOKENS_MAX: Final = 40
"""A sentence longer than this is never taken for a claim about the prompt itself."""

ORDER_TOKENS_MAX: Final = 12
LABEL_TOKENS_MAX: Final = 6
"""So long is what may stand before a claim with a colon: "SYSTEM:", "[note to the router:"."""

NEW_LINE: Final = b"\n"
"""A token that ends a sentence and counts for nothing else."""


def _set(words: str) -> frozenset[bytes]:
    return frozenset(words.encode().split())


_COURTESIES: Final = _set(
    "please kindly thanks thank hello hi hey dear bitte danke hallo gracias merci"
)
_COURTEOUS: Final = _COURTESIES | _set("you very much so many a lot in advance there all sir madam")
"""A sentence of these and of at least one courtesy says nothing else."""

_EASE: Final = _set(
    "easy easily easiest easier simple simply simpler simplest trivial trivially basic "
    "straightforward effortless obvious cheap cheaper cheapest cheaply inexpensive expensive "
    "costly hard harder hardest difficult tough tricky complex complicated challenging demanding "
    "beginner beginners elementary effort einfach einfache leicht leichte schwer schwere "
    "schwierig schwierige billig billigste fácil fáciles sencillo sencilla difícil barato facile "
    "faciles difficile difficiles"
)
_ROUTING: Final = _set("route routed router routing reroute tier tiers downgrade upgrade escalate")
_MODELS: Final = _set("model models llm llms modell modelo modèle tier tiers router")
_NAMED: Final = _set("gpt chatgpt openai anthropic")
_DEFIES: Final = _set("ignore disregard forget override")
_ORDERS_GIVEN: Final = _set("instruction instructions prompt rules policy")
_ITSELF: Final = _MODELS | _set(
    "this question task request prompt problem query routing difficulty complexity instruction "
    "frage aufgabe anfrage diese dieses pregunta tarea esta esto problema requête tâche cette "
    "ceci"
)
_REQUEST: Final = _set(
    "question task request prompt query model models llm llms difficulty complexity instruction"
)
_RANKS: Final = _set(
    "small smaller smallest little tiny mini nano big bigger biggest large larger largest weak "
    "weaker weakest strong stronger strongest low lower lowest high higher highest top best fast "
    "faster fastest frontier premium free default kleine kleinste große pequeño petit"
)
_HANDLES: Final = _set(
    "route send sent use using pick choose select prefer forward assign dispatch delegate give "
    "hand handle handled answer answered serve served process processed call need needs require "
    "requires want wants suffice suffices enough sufficient must should shall can may nimm "
    "benutze usa utilise"
)
_ORDERS: Final = _set(
    "answer answering here give provide solve respond reply consider read i you can could would "
    "the below following follow final finally for"
)
_ORDERED: Final = _set("answer question problem task request following response")
_FIELDS: Final = _set("answer question solution output input response explanation a q")
_STARTS: Final = _set(
    "it this these use route send pick choose select prefer forward assign dispatch treat rate "
    "mark classify consider note system ignore disregard downgrade upgrade escalate do you i "
    "answer give provide respond reply das dies diese nimm esta esto ceci cette"
)
"""Where a claim begins that follows the end of a prompt without a full stop."""

_FILL: Final = (
    _STARTS | _ORDERS | _set("not should must just always never to be so and then we , '")
)
"""Of these alone the beginning of a sentence is part of the claim that follows."""

_KEYS: Final = _set("route tier model difficulty complexity effort")
_VALUES: Final = _RANKS | _EASE | _set("#1 zero none auto")
_CUES: Final = _EASE | _ROUTING | _MODELS | _NAMED | _DEFIES | _KEYS | _ORDERED | _COURTESIES
_ASSIGNS: Final = ([b":"], [b"="])
_ENDS: Final = frozenset((b".", b"!", b";", b"?", b":", b"]", b")", NEW_LINE))


def without_claims(tokens: list[bytes]) -> list[bytes]:
    """The tokens without new lines, courtesies, and sentences that speak of the request itself.

    Those in another language at the ends of an English prompt are gone too, whatever they speak of.
    A prompt of nothing but claims is read as it is rather than as an empty one.
    """
    tokens = without_asides(tokens)
    if _CUES.isdisjoint(tokens):
        return _without_lines(tokens) if NEW_LINE in tokens else tokens
    kept: list[bytes] = []
    label = -1
    for sentence in _sentences(_without_settings(tokens)):
        if _CUES.isdisjoint(sentence):
            # Most sentences: nothing in them can be a claim, though one may introduce a claim.
            label = len(kept) if _is_label(sentence) else -1
            kept += sentence
        elif not _is_courtesy(sentence):
            words = [token for token in sentence if token not in _COURTESIES]
            claim_at = _claim_at(words)
            if claim_at == 0 and label >= 0:
                del kept[label:]
            label = len(kept) if claim_at is None and _is_label(words) else -1
            kept += words[:claim_at]
    return kept or _without_lines(tokens)


def _without_lines(tokens: list[bytes]) -> list[bytes]:
    return [token for token in tokens if token != NEW_LINE]


def _without_settings(tokens: list[bytes]) -> list[bytes]:
    """The tokens without what is written as a setting: "difficulty: easy", "tier=small"."""
    if _KEYS.isdisjoint(tokens):
        return tokens
    kept: list[bytes] = []
    for token, following in zip_longest(tokens, tokens[1:]):
        kept.append(token)
        is_setting = token in _VALUES and _KEYS.issuperset(kept[-3:-2]) and kept[-2:-1] in _ASSIGNS
        # "difficulty: trivial task" is a sentence with a label.
        if is_setting and following not in _ITSELF:
            del kept[-3:]
    return kept


def _sentences(tokens: list[bytes]) -> Iterator[list[bytes]]:
    """Sentences with what ends them, fields like "Answer:" by themselves."""
    start = 0
    for end in [place for place, token in enumerate(tokens) if token in _ENDS]:
        stop = end + 1
        if tokens[end] == NEW_LINE:
            # An empty sentence: what stands before the line introduces nothing after it.
            yield tokens[start:end]
        elif tokens[end] == b":" and end > start and tokens[end - 1] in _FIELDS:
            yield tokens[start : end - 1]
            yield tokens[end - 1 : stop]
        else:
            yield tokens[start:stop]
        start = stop
    yield tokens[start:]


def _is_courtesy(sentence: list[bytes]) -> bool:
    words = [token for token in sentence if token[0] >= ord("a")]
    return not _COURTESIES.isdisjoint(words) and _COURTEOUS.issuperset(words)


def _is_label(sentence: list[bytes]) -> bool:
    """Whether a sentence may introduce a claim; a field of the question's form does not."""
    named = 1 < len(sentence) <= LABEL_TOKENS_MAX and sentence[-1] == b":"
    return named and sentence[-2] not in _FIELDS


def _claim_at(sentence: list[bytes]) -> int | None:
    """Where in a sentence a claim begins, None where there is none."""
    if not 2 <= len(sentence) <= CLAIM_TOKENS_MAX or sentence[-1] == b"?":
        return None
    short = 2 < len(sentence) <= ORDER_TOKENS_MAX and sentence[0] in _ORDERS
    named = sentence[0] == b"the" and sentence[1] not in _ORDERS
    if short and not named and not _ORDERED.isdisjoint(sentence):
        return 0
    found = None
    for at in range(len(sentence) - 1, 0, -1):
        # What follows the end of a prompt without a full stop; there may be several.
        if sentence[at] in _STARTS and (at + 1 == found or _is_claim(sentence[at:found])):
            found = at
    whole = sentence[:found]
    if found and _FILL.issuperset(whole):
        return 0
    if _is_claim(whole) or (whole[0] == b"it" and not _EASE.isdisjoint(whole)):
        return 0
    return found


def _is_claim(sentence: list[bytes]) -> bool:
    """Whether a sentence says how easy, hard or dear the request is, or who should answer it."""
    says = set(sentence)
    if not (_DEFIES.isdisjoint(says) or _ORDERS_GIVEN.isdisjoint(says)):
        return True
    if not (_ITSELF.isdisjoint(says) or _EASE.isdisjoint(says)):
        return True
    # "This router" may be one of a network: a route counts beside what only a request is.
    if not (_REQUEST.isdisjoint(says) or _ROUTING.isdisjoint(says)):
        return True
    ranked = not _MODELS.isdisjoint(says) and not _RANKS.isdisjoint(says)
    return (ranked or not _NAMED.isdisjoint(says)) and not _HANDLES.isdisjoint(says)
