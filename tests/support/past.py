"""Receipts as sidecars write them, and calls of the past made of them, for tests."""

import json
from typing import Any

import msgspec

from farebox.after.receipts import Past
from farebox.core.budgets import Keys
from farebox.core.call import Identity
from farebox.core.instant import DurationMs, UtcMs
from sidecar.commands import Asked
from sidecar.receipts import Receipt, fields_of
from tests.support.outcomes import ATTEMPT, make_outcome

START = UtcMs(1_790_000_000_000)


def line_of(
    *, at: int = 0, duration: int = 40, asked: Asked | None = None, **changes: Any
) -> dict[str, Any]:
    """The fields of a receipt; `at` is milliseconds after START."""
    outcome = make_outcome(
        asked=asked or Asked(body_bytes=400, output_tokens=100),
        **{"identity": Identity(keys=Keys(user="ana"), task="classification"), **changes},
    )
    receipt = Receipt(at=UtcMs(START + at), duration=DurationMs(duration), outcome=outcome)
    written: dict[str, Any] = json.loads(json.dumps(fields_of(receipt)))
    return written


def past(**changes: Any) -> Past:
    """A call of the past, as it is read back."""
    return msgspec.convert(line_of(**changes), Past)


def attempt(**changes: Any) -> Any:
    """An attempt of the small model that was served, with changes."""
    return msgspec.structs.replace(ATTEMPT, **changes)
