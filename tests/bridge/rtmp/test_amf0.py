"""AMF0: values there and back, and what is none."""

from __future__ import annotations

import pytest

from bridge.errors import BadInput
from bridge.rtmp.amf0 import Listing, decode, encode

pytestmark = pytest.mark.unit


def test_values_come_back_as_they_were() -> None:
    values = ["connect", 1.0, {"app": "live", "deep": {"yes": True, "no": None}}, None, False, ["a", 2.0]]
    assert decode(encode(*values)) == values  # type: ignore[arg-type]


def test_a_command_is_written_as_the_specification_says() -> None:
    written = encode("a", 1.0, {"b": True}, None)
    assert written.hex(" ") == "02 00 01 61 00 3f f0 00 00 00 00 00 00 03 00 01 62 01 01 00 00 09 05"


def test_a_listing_says_how_many_it_has() -> None:
    written = encode(Listing({"b": "c"}))
    assert written == b"\x08\x00\x00\x00\x01\x00\x01b\x02\x00\x01c\x00\x00\x09"
    assert decode(written) == [{"b": "c"}]


def test_a_long_text_has_a_long_length() -> None:
    assert decode(encode("x" * 70_000)) == ["x" * 70_000]


def test_dates_and_undefined_are_read() -> None:
    assert decode(b"\x0b\x3f\xf0\x00\x00\x00\x00\x00\x00\x00\x00\x06") == [1.0, None]


def test_what_only_servers_of_long_ago_write_is_read() -> None:
    assert decode(b"\x10\x00\x01C\x00\x01a\x05\x00\x00\x09" + b"\x0d" + b"\x0f\x00\x00\x00\x02<>") == [
        {"a": None},
        None,
        "<>",
    ]


@pytest.mark.parametrize(
    "written",
    [b"\x00\x00", b"\x02\x00\x05ab", b"\x03\x00\x01a", b"\x07", b"\x11\x01", b"\x0a\x00\x00\x00\x02\x05"],
)
def test_what_is_none_is_refused(written: bytes) -> None:
    with pytest.raises(BadInput):
        decode(written)


def test_what_is_nested_without_end_is_refused() -> None:
    with pytest.raises(BadInput):
        decode(b"\x03\x00\x01a" * 5_000)
    with pytest.raises(BadInput):
        decode(b"\x05" * 5_000)
