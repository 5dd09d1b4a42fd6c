"""Logging: one line an event, with room, participant and leg, and without secrets.

`set_up` sends everything, libraries included, to one stream. Records are redacted when they are made, so
that no handler ever sees a secret in a message or traceback, and once more as a whole line.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from collections.abc import Iterable
from typing import TextIO

from bridge.redaction import Redactor

CONTEXT = ("room", "participant", "leg")
"""What `extra={…}` may carry; each line shows them."""

LEVELS = {
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": logging.DEBUG,
}

# What these say at lower levels is about single packets, frames, statements or requests: only for `trace`.
_CHATTY = {
    "aioice": logging.WARNING,
    "aiortc": logging.INFO,
    "aiosqlite": logging.INFO,
    "asyncio": logging.INFO,
    "httpcore": logging.INFO,
    "httpx": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "alembic": logging.WARNING,
    "uvicorn": logging.WARNING,
    "websockets": logging.INFO,
    "matplotlib": logging.WARNING,
    "PIL": logging.INFO,
}

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PLAIN = re.compile(r"[\w.:#@/-]{1,80}")

redactor = Redactor()
_plain_record = logging.getLogRecordFactory()


def set_up(level: str = "info", log_format: str = "text", stream: TextIO | None = None) -> None:
    """Send the logs of everything to `stream` (standard error), from `level` on. May be called again."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLine() if log_format == "json" else TextLine())
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old.formatter, TextLine | JsonLine):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(LEVELS[level])
    for name, lowest in _CHATTY.items():
        logging.getLogger(name).setLevel(logging.NOTSET if level == "trace" else lowest)
    for logger in logging.Logger.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):  # a library's own handlers would bypass ours
            logger.handlers.clear()
            logger.propagate = True
    logging.setLogRecordFactory(_redacted_record)
    logging.captureWarnings(True)


def hide(secrets: Iterable[str]) -> None:
    """From now on these words are not shown in any line."""
    redactor.register(secrets)


def _redacted_record(*args: object, **kwargs: object) -> logging.LogRecord:
    record = _plain_record(*args, **kwargs)
    try:
        message = record.getMessage()
    except Exception as wrong:  # a bad logging call must not break its caller
        message = f"{record.msg!r} % {record.args!r}: {wrong}"
    record.msg, record.args = redactor.redact(message), None
    if record.exc_info and record.exc_info[0] is not None:
        # Formatters use `exc_text` where there is one.
        record.exc_text = redactor.redact("".join(traceback.format_exception(*record.exc_info)).rstrip())
    if record.stack_info:
        record.stack_info = redactor.redact(record.stack_info)
    return record


class TextLine(logging.Formatter):
    """`2025-01-31T12:00:00.123Z INFO bridge.x room=… participant=… leg=… message`."""

    def format(self, record: logging.LogRecord) -> str:
        words = [_time(record), record.levelname, record.name]
        for name in CONTEXT:
            value = record.__dict__.get(name)
            if value is not None:
                shown = str(value)
                words.append(f"{name}={shown if _PLAIN.fullmatch(shown) else json.dumps(shown)}")
        # A peer's line break must not look like a line of ours.
        line = redactor.redact(_CONTROL.sub(_escaped, " ".join(words) + " " + record.getMessage()))
        for more in (_exception(record), record.stack_info):
            if more:
                line += "\n  " + redactor.redact(more).replace("\n", "\n  ")
        return line


class JsonLine(logging.Formatter):
    """One JSON object a line: time, level, logger, room, participant, leg, message, exception."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name}
        for name in CONTEXT:
            if record.__dict__.get(name) is not None:
                line[name] = redactor.redact(str(record.__dict__[name]))
        line["message"] = redactor.redact(record.getMessage())
        for name, more in (("exception", _exception(record)), ("stack", record.stack_info)):
            if more:
                line[name] = redactor.redact(more)
        return json.dumps(line, ensure_ascii=False)


def _exception(record: logging.LogRecord) -> str | None:
    if record.exc_text is None and record.exc_info and record.exc_info[0] is not None:
        return "".join(traceback.format_exception(*record.exc_info)).rstrip()
    return record.exc_text


def _time(record: logging.LogRecord) -> str:
    moment = time.gmtime(record.created)
    return time.strftime("%Y-%m-%dT%H:%M:%S", moment) + f".{int(record.msecs):03d}Z"


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode()
