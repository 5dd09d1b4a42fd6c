from __future__ import annotations

import numpy as np
import pytest

from bridge.harness.phone_playout import MAX_CHECKPOINTS, PhonePlayout, Samples

pytestmark = pytest.mark.unit


def ramp(start: int, count: int) -> Samples:
    return np.arange(start, start + count, dtype=np.int16)


def test_audio_of_any_length_is_played_twenty_milliseconds_at_a_time() -> None:
    playout = PhonePlayout(8000)
    for start, count in ((1, 50), (51, 300), (351, 130)):
        playout.queue(ramp(start, count))
    assert playout.waiting_ms == 60
    played = np.concatenate([playout.tick()[0] for _ in range(3)])
    assert np.array_equal(played, ramp(1, 480))
    assert playout.waiting_ms == 0
    assert playout.underruns == 0
    assert playout.longest_ms == 60


def test_a_dry_queue_is_silence_and_a_partial_frame_an_underrun() -> None:
    playout = PhonePlayout(8000)
    assert not playout.tick()[0].any()
    assert playout.underruns == 0
    playout.queue(ramp(1, 100))
    frame, _ = playout.tick()
    assert np.array_equal(frame[:100], ramp(1, 100))
    assert not frame[100:].any()
    assert playout.underruns == 1


def test_a_checkpoint_is_reached_when_what_was_before_it_has_been_played() -> None:
    playout = PhonePlayout(8000)
    playout.checkpoint("first")
    playout.queue(ramp(1, 160))
    playout.checkpoint("second")
    playout.queue(ramp(1, 161))
    playout.checkpoint("third")
    assert playout.tick()[1] == ["first", "second"]
    assert playout.tick()[1] == []
    assert playout.tick()[1] == ["third"]


def test_clearing_drops_audio_and_checkpoints() -> None:
    playout = PhonePlayout(8000)
    playout.queue(ramp(1, 1000))
    playout.checkpoint("never")
    playout.clear()
    playout.checkpoint("after")
    frame, reached = playout.tick()
    assert not frame.any()
    assert reached == ["after"]
    assert playout.waiting_ms == 0


def test_a_whole_frame_is_played_as_it_came_and_silence_is_one_array_for_all() -> None:
    playout = PhonePlayout(8000)
    whole = ramp(1, 160)
    playout.queue(whole)
    playout.checkpoint("heard")
    frame, reached = playout.tick()
    assert frame is whole and reached == ["heard"] and playout.filled == 160
    silent, reached = playout.tick()
    assert reached == [] and playout.filled == 0
    assert playout.tick()[0] is silent
    assert not silent.any()


def test_only_so_many_checkpoints_wait_and_the_others_are_never_reached() -> None:
    playout = PhonePlayout(8000)
    playout.queue(ramp(1, 160))
    for number in range(MAX_CHECKPOINTS + 3):
        assert playout.takes_checkpoints == (number < MAX_CHECKPOINTS)
        playout.checkpoint(f"{number}")
    assert playout.awaits(f"{MAX_CHECKPOINTS - 1}") and not playout.awaits(f"{MAX_CHECKPOINTS}")
    assert len(playout.pending) == MAX_CHECKPOINTS
    _, reached = playout.tick()
    assert reached == [f"{number}" for number in range(MAX_CHECKPOINTS)]
    assert playout.takes_checkpoints and playout.pending == []


def test_checkpoints_stay_in_their_places_when_the_newest_audio_is_dropped() -> None:
    playout = PhonePlayout(8000)
    playout.queue(ramp(1, 160))
    playout.checkpoint("first")
    playout.queue(ramp(161, 320))
    playout.checkpoint("second")
    playout.shorten(30)
    assert playout.pending == ["first", "second"]
    assert playout.waiting_ms == 30
    assert [playout.tick()[1] for _ in range(3)] == [["first"], ["second"], []]
