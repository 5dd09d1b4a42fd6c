"""Redaction: what hides a secret, in whatever form a library prints it, and what is left alone."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.redaction import HIDDEN, MAX_CHARACTERS, Redactor

pytestmark = pytest.mark.unit

TOKEN = "s3cr3t-v4lue"


@pytest.mark.parametrize(
    "line",
    [
        '"GET /a/b?access_token=s3cr3t-v4lue HTTP/1.1" 200 OK',
        "('127.0.0.1', 5) - \"WebSocket /a/b/plivo?access_token=s3cr3t-v4lue\" [accepted]",
        "opening wss://host/a/b/plivo?stream_token=s3cr3t-v4lue&x=1",
        "target b'/a?s3cr3t-v4lue'",
        "join at http://127.0.0.1:8080/join#/app/conf/s3cr3t-v4lue",
        "link /join#/app/conf/s3cr3t-v4lue",
        '"GET /hls/3f2a/t/s3cr3t-v4lue/media.m3u8 HTTP/1.1" 200 OK',
        "> Authorization: Bearer s3cr3t-v4lue",
        "bearer s3cr3t-v4lue was refused",
        "(b'authorization', b'Basic s3cr3t-v4lue')",
        "{'authorization': 's3cr3t-v4lue with more'}",
        'Cookie: session=s3cr3t-v4lue; other="s3cr3t-v4lue"'.split(";")[0],
        "X-Plivo-Signature-V3: abc=,s3cr3t-v4lue=",
        "X-Plivo-Signature-V3-Nonce: s3cr3t-v4lue",
        '{"access_token": "s3cr3t-v4lue"}',
        '{"access_token": "a b \\" s3cr3t-v4lue"}',
        "{'stream_token': 's3cr3t-v4lue', 'id': 'q'}",
        "stream_token=s3cr3t-v4lue&x=1",
        "MEDIABRIDGE_PLIVO_AUTH_TOKEN=s3cr3t-v4lue",
        "tokens=['s3cr3t-v4lue']",
        "Participant(token='s3cr3t-v4lue')",
        '"{\\"token\\": \\"s3cr3t-v4lue\\"}"',
        "postgresql+asyncpg://bridge:s3cr3t-v4lue@db/bridge",
        "a=ice-pwd:s3cr3t-v4lue",
        "password: s3cr3t-v4lue",
        "INSERT ('id', 'rtmp://host:1935/live/s3cr3t-v4lue', '{}')",
        '"{\\"url\\": \\"RTMPS://host/live/s3cr3t-v4lue?x=1\\"}"',
        "rtmp://host/s3cr3t-v4lue",
        '{"accessKey": "id", "secretKey": "s3cr3t-v4lue"}',
        "Place(secret_key='s3cr3t-v4lue')",
    ],
)
def test_a_secret_is_hidden_in_every_form(line: str) -> None:
    redacted = Redactor().redact(line)
    assert "s3cr3t" not in redacted and HIDDEN in redacted


@pytest.mark.parametrize(
    "line",
    [
        '{"event":"dtmf","dtmf":{"track":"inbound","digit":"7","timestamp":"x"}}',
        '< TEXT \'{"event":"dtmf","dtmf":{"track":"inbound","digit":"7"}}\' [62 bytes]',
        '{"event":"sendDTMF","dtmf":"7#7"}',
        "DigitPressed(digit='7')",
        "digit=7",
        "digits: 77",
        '{"digit": 7}',
        '"{\\"digit\\": \\"7\\"}"',
    ],
)
def test_a_pressed_digit_is_hidden(line: str) -> None:
    assert "7" not in Redactor().redact(line)


@pytest.mark.parametrize(
    "line",
    [
        "- connected room=00e1db72-c57d-478c-88be-3533d43c8b34",
        "what? no, nothing",
        "SELECT id FROM conferences WHERE id = ? AND name = ?",
        "invalid token",
        "Basic auth failed",
        "bearer token missing",
        "24300bf9-d9f2-4bbf-9719-8660d110bc63#primary",
        "a digit was pressed",
        "tick 123456789 late by 3.2 ms",
        "/var/lib/bridge/bridge.sqlite3 opened",
        "test_a_name_that_is_long_but_has_no_digits_and_capitals_is_kept",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert Redactor().redact(line) == line


def test_a_nameless_long_token_is_hidden() -> None:
    line = "refused MwQU3BU3GohRrPaqYMdbt3Bh9WBtHuKh5mNEohh5CrDDMSQCkonr3mlnMRaFGIZ4"
    assert Redactor().redact(line) == f"refused {HIDDEN}"


def test_a_registered_secret_is_hidden_wherever_it_stands() -> None:
    redactor = Redactor()
    redactor.register(["long/registered secret", "ab1", ""])
    line = "xlong/registered secretx and long%2Fregistered%20secret and ab1, not ab12"
    assert redactor.redact(line) == f"x{HIDDEN}x and {HIDDEN} and {HIDDEN}, not ab12"


def test_a_registered_secret_that_holds_another_is_hidden_as_a_whole() -> None:
    redactor = Redactor()
    redactor.register(["secret-one"])
    redactor.register(["secret-one-and-more"])
    assert redactor.redact("secret-one-and-more") == HIDDEN


def test_a_huge_text_is_cut_and_no_half_secret_is_left_at_the_cut() -> None:
    redactor = Redactor()
    redactor.register([TOKEN])
    line = "x" * 100 + " " * (MAX_CHARACTERS - 106) + TOKEN + "y" * 1000
    assert "s3cr3t" not in redactor.redact(line)
    assert len(redactor.redact("a b " * MAX_CHARACTERS)) <= MAX_CHARACTERS + 1


@pytest.mark.parametrize(
    "hostile",
    [
        "a-" * 20_000,
        "/" * 40_000,
        "token" * 8_000,
        'token="' * 6_000,
        "://" * 13_000,
        "A1a" * 13_000,
        "https://" * 6_000,
        "/join" * 8_000,
        "a" * 40_000,
        '"\\' * 20_000,
    ],
)
def test_hostile_text_does_not_take_long(hostile: str) -> None:
    began = time.process_time()
    Redactor().redact(hostile)
    assert time.process_time() - began < 0.5


@settings(deadline=None)
@given(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=4, max_size=40))
def test_any_value_of_a_secret_name_is_hidden(value: str) -> None:
    redactor = Redactor()
    marked = f"Q{value}Q"
    for line in (
        json.dumps({"access_token": marked}, ensure_ascii=False),
        repr({"access_token": marked}),
        f"/x?access_token={quote(marked)}",
        f"access_token={marked}&a=b",
        f"Authorization: Bearer {marked}",
    ):
        hidden = redactor.redact(line)
        assert marked not in hidden and quote(marked) not in hidden
