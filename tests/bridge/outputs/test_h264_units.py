"""What is added to H.264 pictures, read back by a parser of the standard's syntax."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.outputs.h264_units import SEI, kind_of, nal_units, user_data
from tests.kit.nal_units import user_data_in

pytestmark = pytest.mark.unit

IDENTITY = bytes(range(16))


def test_a_message_has_its_type_its_size_its_uuid_and_a_stop_bit() -> None:
    unit = user_data(b"\xaa" * 16, [b"vote"])
    assert unit == b"\x06\x05\x14" + b"\xaa" * 16 + b"vote" + b"\x80"
    assert kind_of(unit) == SEI


def test_long_contents_have_long_sizes() -> None:
    for length in (238, 239, 240, 494, 4_000):
        unit = user_data(IDENTITY, [b"x" * length])
        assert user_data_in(unit) == [(IDENTITY, b"x" * length)]
    assert user_data(IDENTITY, [b"x" * 239])[1:4] == b"\x05\xff\x00", "255 is written as 255 and 0"


def test_nothing_in_it_looks_like_the_beginning_of_a_unit() -> None:
    content = bytes(9) + b"\x00\x00\x01\x00\x00\x02\x00\x00\x03" + bytes(5)
    unit = user_data(bytes(16), [content, b"\x00\x00\x01"])
    assert b"\x00\x00\x00" not in unit and b"\x00\x00\x01" not in unit and b"\x00\x00\x02" not in unit
    assert nal_units(b"\x00\x00\x00\x01" + unit + b"\x00\x00\x01\x65") == [unit, b"\x65"]
    assert user_data_in(unit) == [(bytes(16), content), (bytes(16), b"\x00\x00\x01")]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), max_size=600).map(bytes), min_size=1, max_size=4))
def test_whatever_is_in_it_comes_out_again(contents: list[bytes]) -> None:
    unit = user_data(IDENTITY, contents)
    assert not any(start in unit for start in (b"\x00\x00\x00", b"\x00\x00\x01", b"\x00\x00\x02"))
    assert user_data_in(unit) == [(IDENTITY, content) for content in contents]
