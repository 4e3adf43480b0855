"""A call says nothing of itself unless its caller did."""

from farebox.core.budgets import NO_KEY
from farebox.core.call import Call, Identity, Priority


def test_a_silent_caller_is_nobody_in_particular() -> None:
    identity = Identity()
    assert identity.keys.user == identity.keys.session == identity.keys.workflow == NO_KEY
    assert (identity.task, identity.priority) == ("", Priority.NORMAL)


def test_a_plain_call_asks_for_one_answer_and_sets_no_bound() -> None:
    call = Call(path="/v1/chat/completions", model="o1", identity=Identity(), body_bytes=2)
    assert call.choices == 1
    assert call.output_tokens is None
    said = (call.stream, call.usage_asked, call.tools, call.images, call.json_schema)
    assert not any(said)
