from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.core.limiter import CEILING, Limiter, LimiterSettings
from tests.kit.tones import tone

pytestmark = pytest.mark.unit

RATE = 48_000
FRAME = RATE // 50


def limited(*rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows, frame after frame, through one limiter."""
    limiter, gain = Limiter(LimiterSettings(), FRAME), np.ones(len(rows), np.float32)
    sound = np.stack(rows)
    for start in range(0, sound.shape[1], FRAME):
        frame = np.ascontiguousarray(sound[:, start : start + FRAME])
        limiter.limit(frame, gain)
        sound[:, start : start + FRAME] = frame
    return sound


def test_row_within_range_is_untouched_bit_for_bit_beside_one_that_is_not() -> None:
    quiet = tone(300, 0.4, RATE, 3000) + np.float32(0.3)
    loud = tone(440, 0.4, RATE, 60_000)
    assert np.array_equal(limited(quiet, loud)[0], quiet)


def test_lone_talker_at_full_scale_is_untouched() -> None:
    square = np.where(np.arange(FRAME * 4) // 50 % 2, 32_767, -32_768).astype(np.float32)
    assert np.array_equal(limited(square)[0], square)


def test_sum_of_two_loud_tones_stays_in_range_without_being_cut() -> None:
    sound = tone(440, 2, RATE, 30_000) + tone(700, 2, RATE, 30_000)
    out = limited(sound)[0]
    assert np.abs(out).max() <= CEILING + 1
    # Only where the first tick began too loud is anything cut; afterwards it is one smooth gain.
    later = slice(FRAME, None)
    loud = np.abs(sound[later]) > 3000
    gain = out[later][loud] / sound[later][loud]
    assert np.abs(np.diff(gain)).max() < 0.02
    assert gain.min() > 0.5


def test_gain_does_not_pump_between_the_peaks_of_a_beat() -> None:
    sound = tone(440, 3, RATE, 30_000) + tone(442, 3, RATE, 30_000)  # swells twice a second
    out = limited(sound)[0][RATE:]
    reference = sound[RATE:]
    loud = np.abs(reference) > 1500
    gain = out[loud] / reference[loud]
    assert np.abs(out).max() <= CEILING + 1
    assert gain.max() < 0.95 and gain.min() > 0.5
    assert np.abs(np.diff(gain)).max() < 0.01


def test_gain_comes_back_within_a_second_and_is_then_exactly_one() -> None:
    quiet = tone(300, 4, RATE, 3000)
    sound = quiet.copy()
    sound[: FRAME * 5] *= 20
    out = limited(sound)[0]
    half_way = slice(FRAME * 5 + RATE // 4, FRAME * 5 + RATE // 4 + FRAME)
    assert 0.75 < np.abs(out[half_way]).max() / 3000 < 0.95
    assert np.array_equal(out[-RATE:], quiet[-RATE:])


def test_overload_late_in_a_tick_is_met_by_a_ramp_before_it() -> None:
    sound = tone(300, 0.1, RATE, 8000)
    sound[FRAME * 2 + 700 : FRAME * 3] *= 8
    out = limited(sound)[0]
    assert np.array_equal(out[: FRAME * 2], sound[: FRAME * 2])
    assert np.abs(out).max() <= CEILING + 1
    before = slice(FRAME * 2, FRAME * 2 + 650)
    steady = np.abs(sound[before]) > 500
    assert np.abs(np.diff(out[before][steady] / sound[before][steady])).max() < 0.03


def test_release_that_would_distort_is_refused() -> None:
    with pytest.raises(ValueError):
        LimiterSettings(release_ms=5)
