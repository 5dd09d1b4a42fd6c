from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.ports import L16_8K, OPUS, ULAW_8K
from bridge.core.ring import WireRing

pytestmark = pytest.mark.unit


def test_opus_has_no_wire_samples() -> None:
    with pytest.raises(ValueError):
        WireRing(OPUS, 100, 10)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=30), st.integers(0, 2**31))
def test_it_gives_back_the_newest_of_what_was_written(sizes: list[int], seed: int) -> None:
    ring, row, reach = WireRing(L16_8K, 100, 20), 3, 20
    written = np.zeros(0, np.int16)
    out = 0
    for size in sizes:
        new = np.random.default_rng(seed + size).integers(-30_000, 30_000, size).astype(np.int16)
        out += ring.write(row, new.tobytes(), size)
        written = np.concatenate((written, new))
        head, tail = int(ring.head[row]), int(ring.tail[row])
        assert head == len(written) and head - tail == min(len(written), 100) and out == tail
        for start in range(max(tail - reach, 0), head - reach, 7):
            assert np.array_equal(ring.sound(row, start, reach), written[start : start + reach])
            both = ring.read(np.array([row, row]), np.array([start, tail]), 5)
            assert np.array_equal(both, [written[start : start + 5], written[tail : tail + 5]])


def test_rows_do_not_touch_each_other_and_survive_growing() -> None:
    ring = WireRing(L16_8K, 50, 10)
    for row in range(8):
        ring.write(row, np.full(70, row, np.int16).tobytes(), 70)
    ring.grow(32)
    rows = np.arange(8)
    wire = ring.read(rows, ring.tail[rows], 10)
    assert np.array_equal(wire, np.repeat(rows[:, None], 10, axis=1))
    ring.reset(4)
    assert not ring.read(np.array([4]), np.array([0]), 10).any()


def test_what_lies_before_the_first_sample_of_ulaw_is_silence() -> None:
    ring = WireRing(ULAW_8K, 50, 10)
    assert not ring.sound(0, -10, 10).any()
    ring.write(0, b"\x00" * 50, 50)
    assert ring.sound(0, 0, 10).min() == ring.sound(0, 0, 10).max() == -32_124
    ring.reset(0)
    assert not ring.sound(0, 0, 10).any()
