"""Receipts as sidecars write them, for tests of who reads them."""

import json
from typing import Any

from farebox.core.reasons import Reason
from sidecar.receipts import fields_of
from tests.support.outcomes import make_receipt


def fields(call: str, *, at: int = 0, **changes: Any) -> dict[str, Any]:
    told = json.loads(json.dumps(fields_of(make_receipt(call_id=call, **changes))))
    return {**told, "at": 1_790_000_000_000 + at}


def line(call: str, **changes: Any) -> bytes:
    return json.dumps(fields(call, **changes)).encode() + b"\n"


REFUSED: dict[str, Any] = {"refused": Reason.POOL_EXHAUSTED, "model": "", "status": 402}
