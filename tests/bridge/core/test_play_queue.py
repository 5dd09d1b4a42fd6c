"""A play queue: what is queued is played to the sample, and marks come with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bridge.core.intake import QueuePool, QueueSettings, RowCleared, RowMark
from bridge.core.ports import L16_8K, L16_16K, OPUS, ULAW_8K, AudioFormat
from mediacodecs.g711 import ulaw_decode, ulaw_encode
from tests.kit.pools import START, wire
from tests.kit.queue_row import DRY, FRAME, QueueRow, ramp

pytestmark = pytest.mark.unit


def test_opus_cannot_be_queued() -> None:
    with pytest.raises(ValueError):
        QueuePool(OPUS, QueueSettings())


@pytest.mark.parametrize(
    "choices",
    [{"limit_s": 0}, {"max_marks": 0}, {"least_prefill_ms": 0}, {"most_prefill_ms": 10}, {"fade_ms": 21}],
)
def test_settings_that_cannot_work_are_refused(choices: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        QueueSettings(**choices)  # type: ignore[arg-type]


@pytest.mark.parametrize("audio_format", [L16_8K, L16_16K, ULAW_8K])
def test_a_long_piece_is_played_to_the_sample_from_the_next_tick_on(audio_format: AudioFormat) -> None:
    queue = QueueRow(audio_format)
    sound = ramp(20_000)
    assert queue.play(sound) == 20_000
    heard, _ = queue.ticks(20_000 // audio_format.frame_samples)
    expected = ulaw_decode(ulaw_encode(sound)) if audio_format is ULAW_8K else sound
    assert np.array_equal(heard, expected[: len(heard)])


def test_many_small_pieces_are_one_sound() -> None:
    queue = QueueRow()
    sound = ramp(24_000)
    at = 0
    for size in [1, 3, 160, 7, 500, 2_000, 11] * 9:
        at += queue.play(sound[at : at + size])
    queue.play(sound[at:])
    heard, _ = queue.ticks(150)
    assert np.array_equal(heard, sound)


def test_a_mark_comes_in_the_tick_that_takes_the_last_sample_before_it() -> None:
    queue = QueueRow()
    queue.play(ramp(3 * FRAME))
    queue.mark("three frames")
    queue.play(ramp(1))
    queue.mark("one sample more")
    queue.play(ramp(2 * FRAME))
    _, events = queue.ticks(5)
    assert events == [(2, RowMark("three frames")), (3, RowMark("one sample more"))]


def test_several_marks_in_one_frame_come_in_their_order() -> None:
    queue = QueueRow()
    queue.play(ramp(10))
    queue.mark("a")
    queue.mark("b")
    queue.play(ramp(150))
    queue.mark("c")
    queue.play(ramp(500))
    _, events = queue.ticks(1)
    assert events == [(0, RowMark("a")), (0, RowMark("b")), (0, RowMark("c"))]


def test_a_mark_with_nothing_queued_comes_with_the_next_tick() -> None:
    queue = QueueRow()
    queue.mark("now")
    assert queue.tick()[1] == [RowMark("now")]
    queue.play(ramp(FRAME))
    queue.tick()
    queue.mark("again")
    assert queue.tick()[1] == [RowMark("again"), DRY]


def test_a_partial_frame_at_the_end_is_padded_and_played_at_once() -> None:
    queue = QueueRow()
    queue.play(ramp(FRAME + 40))
    queue.mark("end")
    heard, events = queue.ticks(3)
    assert np.array_equal(heard[: FRAME + 40], ramp(FRAME + 40)) and not heard[FRAME + 40 :].any()
    assert events == [(1, RowMark("end")), (1, DRY)]


def test_less_than_a_frame_waits_a_tick_for_more_unless_a_mark_follows() -> None:
    queue = QueueRow()
    queue.play(ramp(40))
    heard, _ = queue.ticks(2)
    assert not heard[:FRAME].any() and np.array_equal(heard[FRAME : FRAME + 40], ramp(40))
    marked = QueueRow()
    marked.play(ramp(40))
    marked.mark("end")
    heard, events = marked.ticks(1)
    assert np.array_equal(heard[:40], ramp(40)) and events == [(0, RowMark("end")), (0, DRY)]


def test_what_exceeds_the_limit_is_refused_and_counted() -> None:
    queue = QueueRow(limit_s=1.0)
    assert queue.play(ramp(5_000)) == 5_000
    assert queue.play(ramp(5_000)) == 3_000
    assert queue.play(ramp(10)) == 0
    look = queue.pool.look(queue.row)
    assert look.depth_ms == 1_000 and look.dropped == 13 and look.frames_in == 50
    heard, _ = queue.ticks(51)
    assert np.array_equal(heard[:8_000], np.concatenate((ramp(5_000), ramp(3_000))))
    assert queue.play(ramp(10)) == 10


def test_two_minutes_fit_by_default_and_take_memory_only_then() -> None:
    queue = QueueRow(L16_16K)
    assert queue.play(np.zeros(16_000 * 121)) == 16_000 * 120


def test_marks_beyond_the_limit_are_refused() -> None:
    queue = QueueRow(max_marks=2)
    queue.play(ramp(FRAME))
    assert [queue.mark(name) for name in "abc"] == [True, True, False]
    assert queue.tick()[1] == [RowMark("a"), RowMark("b"), DRY]
    assert queue.mark("d")


def test_an_odd_byte_does_not_shift_what_follows() -> None:
    queue = QueueRow()
    assert queue.pool.play(queue.row, ramp(100).tobytes() + b"\x07") == 100
    assert queue.pool.play(queue.row, b"\x07") == 0
    queue.play(ramp(60, 1_100))
    assert np.array_equal(queue.tick()[0], ramp(FRAME))


def test_marks_and_time_go_on_where_nobody_listens() -> None:
    queue = QueueRow()
    queue.play(ramp(4 * FRAME))
    queue.mark("end")
    queue.pool.wanted[queue.row] = False
    heard, events = queue.ticks(3)
    assert not heard.any() and events == []
    queue.pool.wanted[queue.row] = True
    block, events2 = queue.tick()
    assert np.array_equal(block, ramp(4 * FRAME)[3 * FRAME :]) and events2 == [RowMark("end"), DRY]


def test_rows_are_apart_and_their_places_are_used_again() -> None:
    pool = QueuePool(L16_8K, QueueSettings())
    rows = [pool.open() for _ in range(12)]
    for row in rows:
        pool.play(row, wire(np.full(FRAME, 1_000 + row), L16_8K))
        pool.mark(row, str(row))
    pool.close(5)
    pool.take(START)
    for row in rows:
        assert (pool.block[row] == (0 if row == 5 else 1_000 + row)).all()
    marks = [(row, event) for row, event in pool.drain() if isinstance(event, RowMark)]
    assert marks == [(row, RowMark(str(row))) for row in rows if row != 5]
    assert pool.open() == 5 and pool.look(5).depth_ms == 0
    pool.take(START + 0.02)
    assert not pool.sounding[5] and pool.drain() == []


def test_a_closed_row_tells_nothing_more() -> None:
    queue = QueueRow()
    queue.play(ramp(FRAME))
    queue.mark("late")
    queue.pool.take(START)
    queue.clear()
    queue.pool.close(queue.row)
    assert queue.pool.drain() == []
    queue.pool.take(START + 0.02)
    assert queue.pool.drain() == []


Step = st.one_of(
    st.tuples(st.just("play"), st.integers(0, 4_000)),
    st.tuples(st.just("mark"), st.just(0)),
    st.tuples(st.just("clear"), st.just(0)),
    st.tuples(st.just("tick"), st.integers(1, 12)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(Step, max_size=40))
def test_whatever_is_queued_is_played_in_order_and_every_mark_is_told_once(
    steps: list[tuple[str, int]],
) -> None:
    queue = QueueRow()
    made = 0
    marks: list[str] = []
    told: list[str] = []
    cleared = False
    heard: list[NDArray[np.float32]] = []

    def listen(count: int) -> None:
        for _ in range(count):
            block, events = queue.tick()
            heard.append(block)
            for event in events:
                if isinstance(event, RowMark):
                    told.append(event.name)
                elif isinstance(event, RowCleared):
                    told.extend(event.dropped)

    for step, size in steps:
        if step == "play":
            assert queue.play(1 + (made + np.arange(size)) % 30_000 + 9) == size
            made += size
        elif step == "mark":
            marks.append(str(len(marks)))
            queue.mark(marks[-1])
        elif step == "clear":
            cleared = True
            queue.clear()
        else:
            listen(size)
    listen(made // FRAME + 12)
    assert told == marks
    assert queue.pool.look(queue.row).depth_ms == 0
    if not cleared:
        sound = np.concatenate(heard)
        assert np.array_equal(sound[sound != 0], 1 + np.arange(made) % 30_000 + 9)
