"""The record of an injection: read back as written, refused when it is something else."""

import pytest

from controller.injection.overrides import OverrideError
from controller.injection.record import Record, read_record

RECORD = Record(hash="abc", env={"app": ("OPENAI_BASE_URL",)}, pull_secrets=("one",))


def test_a_record_is_read_back() -> None:
    text = RECORD.text()

    assert text == '{"hash":"abc","env":{"app":["OPENAI_BASE_URL"]},"pullSecrets":["one"]}'
    assert read_record({"farebox.dev/injected": text}) == RECORD
    assert Record(hash="abc").text() == '{"hash":"abc"}'


def test_most_pods_have_none() -> None:
    assert read_record({"team": "a"}) is None


@pytest.mark.parametrize("text", ["", "true", "{}", '{"hash":1}', "[" * 100_000, '{"hash":"a"'])
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(OverrideError, match=r"annotation farebox\.dev/injected is not what"):
        read_record({"farebox.dev/injected": text})
