"""L16 is little-endian on the wire."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediacodecs.l16 import l16_decode, l16_encode

pytestmark = pytest.mark.unit


def test_low_byte_comes_first() -> None:
    assert l16_decode(b"\x01\x00\x00\x80\xff\x7f").tolist() == [1, -32_768, 32_767]
    assert l16_encode(np.array([1, -32_768, 32_767], np.int16)) == b"\x01\x00\x00\x80\xff\x7f"


@pytest.mark.parametrize("payload", [b"\x00", b"\x00" * 319])
def test_odd_length_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="even"):
        l16_decode(payload)


@given(st.binary(max_size=400).filter(lambda payload: not len(payload) & 1))
def test_what_is_decoded_encodes_to_the_same_bytes(payload: bytes) -> None:
    assert l16_encode(l16_decode(payload)) == payload
    assert l16_encode(l16_decode(memoryview(payload))) == payload


def test_rows_and_strided_columns_encode_in_order() -> None:
    pcm = np.arange(12, dtype=np.int16).reshape(3, 4)
    assert l16_encode(pcm) == l16_encode(pcm.ravel())
    assert l16_decode(l16_encode(pcm[:, ::2])).tolist() == [0, 2, 4, 6, 8, 10]
