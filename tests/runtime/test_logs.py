"""Log lines are JSON, carry their facts, and keep secrets out."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from farebox.runtime.logs import LINE_CHARS_MAX, configure_logs


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs("info", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def _only(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    record: dict[str, Any] = json.loads(line)
    return record


def test_a_record_is_one_line_of_json_with_its_facts(lines: io.StringIO) -> None:
    logging.getLogger("controller").warning("pool %s is lowered", "acme", extra={"limit": 5})

    record = _only(lines)
    assert record["level"] == "warning"
    assert record["logger"] == "controller"
    assert record["message"] == "pool acme is lowered"
    assert record["limit"] == 5
    assert record["at"].endswith("Z")


@pytest.mark.parametrize("name", ["authorization", "provider_api_key", "client_secret", "prompt"])
def test_a_field_with_the_name_of_a_secret_is_blanked(lines: io.StringIO, name: str) -> None:
    logging.getLogger().info("sent", extra={name: "sk-very-secret"})

    assert "sk-very-secret" not in lines.getvalue()
    assert _only(lines)[name] == "[not logged]"


def test_a_long_value_is_cut_and_a_line_break_stays_inside_its_line(lines: io.StringIO) -> None:
    logging.getLogger().info("a\nb%s", "x" * (2 * LINE_CHARS_MAX))

    assert len(_only(lines)["message"]) == LINE_CHARS_MAX + 3


def test_an_error_is_logged_with_its_trace(lines: io.StringIO) -> None:
    facts: dict[str, str] = {}
    try:
        facts["gone"]
    except KeyError:
        logging.getLogger().exception("could not")

    assert "KeyError: 'gone'" in _only(lines)["error"]


def test_what_is_below_the_level_is_not_written(lines: io.StringIO) -> None:
    logging.getLogger().debug("details")

    assert lines.getvalue() == ""
