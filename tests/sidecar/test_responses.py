"""Answers that Farebox gives itself."""

import json

from farebox.core.reasons import Reason
from sidecar import responses
from sidecar.refusals import plainly
from tests.support.playbook import fields_of


def test_a_refusal_names_its_call_and_has_the_form_of_the_api() -> None:
    status, lines, body = responses.refusal(plainly(Reason.HOLD_PENDING), "call-7")
    fields = fields_of(lines)
    assert status == 429
    assert fields["x-farebox-call"] == "call-7"
    assert fields["x-farebox-reason"] == "hold_pending"
    assert fields["retry-after"] == "1"
    assert fields["content-type"] == "application/json"
    assert json.loads(body)["error"]["code"] == "hold_pending"


def test_a_fault_of_the_program_is_not_tried_again() -> None:
    status, lines, body = responses.failure("call-7")
    assert status == 500
    assert fields_of(lines)["x-should-retry"] == "false"
    assert json.loads(body)["error"]["code"] == "internal_error"


def test_a_listing_is_json() -> None:
    status, lines, body = responses.listing(b"{}", "call-7")
    assert (status, body) == (200, b"{}")
    assert fields_of(lines) == {"content-type": "application/json", "x-farebox-call": "call-7"}
