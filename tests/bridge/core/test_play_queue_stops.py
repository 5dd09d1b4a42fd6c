"""A play queue that is cleared, or runs dry."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.core.intake import RowCleared, RowMark
from tests.kit.queue_row import DRY, FRAME, UNDERRUN, QueueRow, ramp
from tests.kit.tones import click_score, tone

pytestmark = pytest.mark.unit


def test_a_clear_fades_what_plays_and_drops_the_rest_and_its_marks() -> None:
    queue = QueueRow()
    queue.play(tone(400, 2, 8_000))
    queue.mark("never")
    queue.mark("nor this")
    before, _ = queue.ticks(10)
    queue.clear()
    assert queue.pool.look(queue.row).depth_ms == 0
    after, events = queue.ticks(5)
    assert events == [(0, RowCleared(("never", "nor this")))]
    assert after[:40].any() and not after[40:].any()
    assert click_score(np.concatenate((before, after)), 8_000, 400) < 1.1


def test_what_is_played_after_a_clear_follows_the_fade_at_once() -> None:
    queue = QueueRow()
    queue.play(np.full(8_000, 5_000))
    queue.mark("old")
    queue.ticks(3)
    queue.clear()
    queue.play(ramp(400))
    queue.mark("new")
    heard, events = queue.ticks(4)
    assert (np.diff(heard[:40]) < 0).all() and heard[0] < 5_000
    assert np.array_equal(heard[40:440], ramp(400)) and not heard[440:].any()
    assert events == [(0, RowCleared(("old",))), (2, RowMark("new")), (2, DRY)]


def test_a_clear_while_nothing_plays_is_only_told() -> None:
    queue = QueueRow()
    queue.clear()
    queue.play(ramp(FRAME))
    block, events = queue.tick()
    assert events == [RowCleared()] and np.array_equal(block, ramp(FRAME))


def test_two_clears_in_one_tick_are_told_one_by_one_and_fade_once() -> None:
    queue = QueueRow()
    queue.play(np.full(8_000, 5_000))
    queue.ticks(3)
    queue.mark("a")
    queue.clear()
    queue.play(np.full(8_000, -5_000))
    queue.mark("b")
    queue.clear()
    queue.play(ramp(FRAME))
    heard, events = queue.ticks(2)
    assert [event for _, event in events if isinstance(event, RowCleared)] == [
        RowCleared(("a",)),
        RowCleared(("b",)),
    ]
    assert (heard[:40] > 0).all() and np.array_equal(heard[40:200], ramp(FRAME))


def test_a_mark_whose_sound_was_played_survives_a_clear() -> None:
    queue = QueueRow()
    queue.play(ramp(FRAME))
    queue.tick()
    queue.mark("was heard")
    queue.play(ramp(FRAME))
    queue.mark("was not")
    queue.clear()
    assert queue.tick()[1] == [RowMark("was heard"), RowCleared(("was not",))]


def test_running_dry_in_mid_sentence_is_an_underrun_and_makes_the_next_start_more_careful() -> None:
    queue = QueueRow()
    queue.play(ramp(FRAME))
    queue.tick()
    assert queue.tick()[1] == []  # nobody knows yet
    queue.play(ramp(FRAME))
    assert queue.tick()[1] == [UNDERRUN]
    look = queue.pool.look(queue.row)
    assert look.underruns == 1 and look.target_ms == 40
    queue.tick()
    queue.play(ramp(FRAME))
    heard, events = queue.ticks(3)
    assert not heard[: 2 * FRAME].any() and heard[2 * FRAME :].any()
    assert events == [(2, UNDERRUN)]
    assert queue.pool.look(queue.row).target_ms == 60


def test_a_careful_start_is_skipped_when_there_is_enough_or_a_mark_follows() -> None:
    for extra, marked in ((2 * FRAME, False), (0, True)):
        queue = QueueRow()
        for _ in range(4):
            queue.play(ramp(FRAME))
            queue.ticks(3)
        assert queue.pool.look(queue.row).target_ms == 60
        queue.ticks(20)
        queue.play(ramp(FRAME + extra))
        if marked:
            queue.mark("end")
        assert queue.tick()[0].any()


def test_care_is_forgotten_with_sentences_that_end_well() -> None:
    queue = QueueRow()
    for _ in range(4):
        queue.play(ramp(FRAME))
        queue.ticks(3)
    for _ in range(9):
        queue.play(ramp(FRAME))
        queue.mark("end")
        queue.ticks(20)
    assert queue.pool.look(queue.row).target_ms == 20


def test_the_end_without_a_mark_is_told_after_a_while_and_is_no_underrun() -> None:
    queue = QueueRow()
    queue.play(ramp(FRAME))
    _, events = queue.ticks(30)
    assert events == [(11, DRY)]
    queue.play(ramp(FRAME))
    assert queue.tick()[1] == []
    assert queue.pool.look(queue.row).underruns == 0


def test_more_right_after_a_mark_is_no_underrun() -> None:
    queue = QueueRow()
    queue.play(ramp(FRAME))
    queue.mark("end")
    assert queue.tick()[1] == [RowMark("end"), DRY]
    queue.tick()
    queue.play(ramp(FRAME))
    heard, events = queue.ticks(1)
    assert heard.any() and events == []


def test_frames_that_come_one_a_tick_play_without_a_gap() -> None:
    queue = QueueRow()
    heard = []
    sound = ramp(50 * FRAME)
    for index in range(50):
        queue.play(sound[index * FRAME : (index + 1) * FRAME])
        heard.append(queue.tick()[0])
    assert np.array_equal(np.concatenate(heard), sound)
