from __future__ import annotations

import numpy as np
import pytest

from bridge.core.outlet import FrameOutlets, wire_frames
from bridge.core.ports import L16_8K, OPUS, ULAW_8K
from mediacodecs.g711 import ulaw_encode

pytestmark = pytest.mark.unit


def test_l16_frames_are_little_endian_rows() -> None:
    pcm = np.array([[1, -2], [256, 32_767]], dtype=np.int16)
    assert wire_frames(pcm, L16_8K) == [b"\x01\x00\xfe\xff", b"\x00\x01\xff\x7f"]


def test_ulaw_frames_are_coded_rows_even_where_they_end_in_zero_bytes() -> None:
    pcm = np.full((3, 160), -32_768, dtype=np.int16)
    pcm[1] = 0
    assert wire_frames(pcm, ULAW_8K) == [row.tobytes() for row in ulaw_encode(pcm)]
    assert wire_frames(np.zeros((1, 4), np.int16), L16_8K) == [bytes(8)]


def test_opus_has_no_frames() -> None:
    with pytest.raises(ValueError):
        FrameOutlets(OPUS, solo=False)
