"""Logs: the standard library's logging, one JSON object a line on standard error.

A caller adds facts with `extra={"pool": ...}`; they stand beside the message. The one rule: no
prompt and no secret gets into a line; a field whose name says that it is a secret is blanked here
as the last line of defence. This module must not know what is logged.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final, TextIO

LINE_CHARS_MAX: Final = 8_192
"""A longer value is cut, so that no fault can fill a disk with one line."""

LEVELS: Final = ("debug", "info", "warning", "error")

_SECRET_WORDS: Final = ("authorization", "api_key", "apikey", "secret", "password", "prompt")
_BLANK: Final = "[not logged]"
_STANDARD_FIELDS: Final = frozenset(
    logging.LogRecord("", 0, "", 0, "", (), None).__dict__.keys() | {"message", "taskName"}
)


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON: at, level, logger, message, then the extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(record.getMessage()),
        }
        for name, value in record.__dict__.items():
            if name not in _STANDARD_FIELDS:
                line[name] = _BLANK if _is_secret(name) else _plain(value)
        if record.exc_info:
            line["error"] = _cut(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def configure_logs(level: str = "info", stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (standard error) from `level` (of LEVELS) up.

    Replaces what was configured before, so that it may be called again.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # A line for each request of a probe would bury the lines that matter.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


def _is_secret(name: str) -> bool:
    lowered = name.lower()
    return any(word in lowered for word in _SECRET_WORDS)


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= LINE_CHARS_MAX else text[:LINE_CHARS_MAX] + "..."
