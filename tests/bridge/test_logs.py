"""Log lines: their shape, and that no record, however hostile, shows a secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from bridge import logs

pytestmark = pytest.mark.unit

SECRET = "registered-s3cret"


@pytest.fixture
def lines(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """A stream that gets everything, set up as by the command line; what was there before comes back."""
    root, stream = logging.getLogger(), io.StringIO()
    before = (root.level, list(root.handlers), logging.getLogRecordFactory())
    levels = {name: logging.getLogger(name).level for name in logs._CHATTY}
    logs.set_up("debug", getattr(request, "param", "text"), stream)
    yield stream
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    logging.setLogRecordFactory(before[2])
    logging.captureWarnings(False)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_a_line_carries_room_participant_and_leg(lines: io.StringIO) -> None:
    logging.getLogger("bridge.x").info(
        "- connected in %d ms", 5, extra={"room": "r-1", "participant": "p 1", "leg": "webrtc"}
    )
    line = lines.getvalue()
    assert line.endswith('Z INFO bridge.x room=r-1 participant="p 1" leg=webrtc - connected in 5 ms\n')


@pytest.mark.parametrize("lines", ["json"], indirect=True)
def test_a_json_line_carries_the_same(lines: io.StringIO) -> None:
    try:
        raise ValueError("no good: access_token=s3cret")
    except ValueError:
        logging.getLogger("bridge.x").exception("failed", extra={"room": "r-1", "leg": "a\nb"})
    line = json.loads(lines.getvalue())
    assert (line["level"], line["logger"], line["room"], line["leg"], line["message"]) == (
        "error",
        "bridge.x",
        "r-1",
        "a\nb",
        "failed",
    )
    assert "ValueError: no good" in line["exception"] and "s3cret" not in lines.getvalue()
    assert lines.getvalue().count("\n") == 1 and "participant" not in line


def test_a_line_break_in_a_message_does_not_begin_a_new_line(lines: io.StringIO) -> None:
    logging.getLogger("bridge").warning("name is %s", "x\n2025 INFO forged\r\x1b[31m\u2028")
    assert lines.getvalue().count("\n") == 1
    assert "x\\n2025 INFO forged\\r\\x1b[31m\\u2028" in lines.getvalue()


class Chatty:
    """Its text holds a secret, as an object's repr may."""

    def __repr__(self) -> str:
        return f"Chatty(token='{SECRET}')"


@pytest.mark.parametrize("lines", ["text", "json"], indirect=True)
@pytest.mark.parametrize(
    "name",
    ["bridge.x", "uvicorn.error", "aiortc", "websockets.server", "sqlalchemy.engine", "aioice", "root"],
)
def test_no_record_of_any_logger_shows_a_secret(lines: io.StringIO, name: str) -> None:
    logs.hide([SECRET])
    logger = logging.getLogger(name)
    logger.error(f"plain {SECRET}")
    logger.error("argument %s and %r", SECRET, Chatty())
    logger.error("mapping %(token)s", {"token": SECRET})
    logger.error("wrong count %s %s", SECRET)
    logger.error("not text", extra={"room": SECRET, "participant": Chatty(), "leg": f"/x?a={SECRET}"})
    logger.error(Chatty())
    logger.error("with stack", stack_info=True, extra={"room": f"token={SECRET}"})
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as inner:
            raise RuntimeError(f"Bearer {SECRET}", Chatty()) from inner
    except RuntimeError as wrong:
        wrong.add_note(f"note {SECRET}")
        logger.exception("failed with %s", wrong)
        logger.error("failed", exc_info=wrong)
    seen = lines.getvalue()
    assert seen.count("failed") >= 2 and "Traceback" in seen and "with stack" in seen
    assert SECRET not in seen


def test_query_strings_tokens_and_digits_are_hidden_without_being_registered(lines: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").error('%s - "WebSocket %s" 403', "1.2.3.4", "/a/b?access_token=zzz9")
    logging.getLogger("websockets.server").error("< TEXT '%s'", '{"event":"dtmf","dtmf":{"digit":"9"}}')
    logging.getLogger("httpx").error("HTTP Request: GET %s", "http://h/x?nonce=zzz9")
    assert "zzz9" not in lines.getvalue() and '"digit":"***"' in lines.getvalue()


def test_a_librarys_own_output_sees_no_secret_in_the_message_either(lines: io.StringIO) -> None:
    foreign = io.StringIO()
    handler = logging.StreamHandler(foreign)
    logger = logging.getLogger("some.library")
    logger.addHandler(handler)
    try:
        raise ValueError("Bearer zzz9zzz9")
    except ValueError:
        logger.exception("x /p?%s", "access_token=zzz9")
    finally:
        logger.removeHandler(handler)
    assert "Traceback" in foreign.getvalue() and "zzz9" not in foreign.getvalue()


def test_handlers_that_libraries_brought_along_are_removed(lines: io.StringIO) -> None:
    foreign = io.StringIO()
    logger = logging.getLogger("other.library")
    logger.addHandler(logging.StreamHandler(foreign))
    logger.propagate = False
    logs.set_up("info", "text", lines)
    logger.warning("heard once")
    assert foreign.getvalue() == "" and lines.getvalue().count("heard once") == 1


def test_packets_and_statements_of_libraries_are_told_only_at_trace(lines: io.StringIO) -> None:
    packets = [logging.getLogger(name) for name in ("aiortc.rtcrtpreceiver", "websockets.server")]
    statements = logging.getLogger("sqlalchemy.engine.Engine")
    assert not any(logger.isEnabledFor(logging.DEBUG) for logger in packets)
    assert not statements.isEnabledFor(logging.INFO)
    assert logging.getLogger("bridge.x").isEnabledFor(logging.DEBUG)
    logs.set_up("trace", "text", lines)
    assert all(logger.isEnabledFor(logging.DEBUG) for logger in [*packets, statements])


def test_setting_up_twice_does_not_double_the_lines(lines: io.StringIO) -> None:
    logs.set_up("info", "text", lines)
    logging.getLogger("bridge").info("once")
    logging.getLogger("bridge").debug("never")
    assert lines.getvalue().count("once") == 1 and "never" not in lines.getvalue()
