"""The ears of the test kit hear what is there, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.kit.tones import chirp, click_score, find_tones, level_of, speech_like, tone

pytestmark = pytest.mark.unit

RATES = (8_000, 16_000, 48_000)
PITCHES = (300.0, 440.0, 1_000.0, 1_530.0)


def test_tone_has_its_length_amplitude_and_phase() -> None:
    sound = tone(1_000, 0.1, 8_000, amplitude=500.0, phase=np.pi / 2)
    assert sound.shape == (800,) and sound.dtype == np.float32
    assert sound[0] == sound.max() == 500.0


@pytest.mark.parametrize("rate_hz", RATES)
def test_three_tones_are_found_with_their_levels_loudest_first(rate_hz: int) -> None:
    sound = tone(440, 0.5, rate_hz) + tone(697, 0.5, rate_hz, 400.0) + tone(2_221, 0.5, rate_hz, 2_000.0, 1.0)
    found = find_tones(sound, rate_hz)
    assert list(found) == [440, 2_221, 697]
    assert list(found.values()) == pytest.approx([8_000, 2_000, 400], rel=0.01)


def test_tone_below_the_floor_is_not_found() -> None:
    sound = tone(440, 0.5, 8_000, 8_000) + tone(900, 0.5, 8_000, 32_767 * 10 ** (-55 / 20))
    assert list(find_tones(sound, 8_000)) == [440]
    assert list(find_tones(sound, 8_000, floor_db=-60)) == [440, 900]


def test_silence_and_constant_offset_hold_no_tone() -> None:
    assert find_tones(np.zeros(1_600), 8_000) == {}
    assert find_tones(np.full(1_600, 5_000.0), 8_000) == {}


def test_level_of_a_tone_is_not_disturbed_by_a_louder_one() -> None:
    sound = tone(440, 0.5, 16_000, 10_000) + tone(480, 0.5, 16_000, 3.0)
    assert level_of(sound, 16_000, 480) == pytest.approx(3.0, rel=0.15)
    assert level_of(sound, 16_000, 440) == pytest.approx(10_000, rel=1e-3)
    assert level_of(sound, 16_000, 700) < 0.5


def test_level_of_reads_int16() -> None:
    assert level_of(tone(440, 0.5, 8_000).astype(np.int16), 8_000, 440) == pytest.approx(8_000, rel=1e-3)


def test_chirp_moves_from_its_start_to_its_end() -> None:
    sound = chirp(200, 3_000, 2.0, 8_000)
    first, last = find_tones(sound[:400], 8_000), find_tones(sound[-400:], 8_000)
    assert abs(next(iter(first)) - 235) < 30  # 25 ms from the start
    assert abs(next(iter(last)) - 2_965) < 30


def test_speech_like_sound_has_pauses_and_repeats_by_seed() -> None:
    sound = speech_like(5.0, 16_000, seed=3)
    assert np.array_equal(sound, speech_like(5.0, 16_000, seed=3))
    assert not np.array_equal(sound, speech_like(5.0, 16_000, seed=4))
    assert np.abs(sound).max() == pytest.approx(8_000)
    silent = np.abs(sound).reshape(-1, 320).max(axis=1) == 0
    assert 0.2 < silent.mean() < 0.8
    changes = np.count_nonzero(np.diff(silent.astype(int)))
    assert changes >= 10


def _disturbed(kind: str, at: int, pitch: float, rate_hz: int) -> NDArray[np.float32]:
    sound = tone(pitch, 0.3, rate_hz)
    fade = rate_hz // 200
    if kind == "stray sample":
        sound[at] += 1_600.0
    elif kind == "5 ms gap":
        sound[at : at + fade] = 0.0
    elif kind == "phase jump":
        sound[at:] = tone(pitch, 0.3, rate_hz, phase=1.0)[at:]
    elif kind == "missing millisecond":
        sound = np.delete(sound, np.arange(at, at + rate_hz // 1_000))
    elif kind == "sudden gain":
        sound[at:] *= 0.3
    elif kind == "5 ms fade-in":
        sound[:at] = 0.0
        sound[at : at + fade] *= np.linspace(0, 1, fade, dtype=np.float32)
    elif kind == "5 ms ramp":
        sound[at:] *= 0.3
        sound[at - fade : at] *= np.linspace(1, 0.3, fade, dtype=np.float32)
    return sound


def _scores(kind: str, pitch: float, rate_hz: int) -> list[float]:
    """Over the places of one period, for what happens at a zero crossing is the softest."""
    middle, period = round(0.15 * rate_hz), round(rate_hz / pitch)
    places = range(middle, middle + period, max(period // 10, 1))
    return [click_score(_disturbed(kind, at, pitch, rate_hz), rate_hz, pitch) for at in places]


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("pitch", PITCHES)
def test_steady_tone_scores_next_to_nothing(pitch: float, rate_hz: int) -> None:
    assert click_score(tone(pitch, 0.3, rate_hz), rate_hz, pitch) < 0.01
    assert click_score(np.rint(tone(pitch, 0.3, rate_hz)), rate_hz, pitch) < 0.01


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("pitch", PITCHES)
@pytest.mark.parametrize("kind", ["5 ms fade-in", "5 ms ramp"])
def test_fades_of_the_allowed_length_pass(kind: str, pitch: float, rate_hz: int) -> None:
    assert max(_scores(kind, pitch, rate_hz)) < 1.1


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("pitch", PITCHES)
@pytest.mark.parametrize("kind", ["stray sample", "5 ms gap", "phase jump", "sudden gain"])
def test_clicks_gaps_and_jumps_are_heard_wherever_they_fall(kind: str, pitch: float, rate_hz: int) -> None:
    assert min(_scores(kind, pitch, rate_hz)) > 1.5


@pytest.mark.parametrize("rate_hz", RATES)
def test_missing_millisecond_is_heard_unless_it_is_a_whole_period(rate_hz: int) -> None:
    assert min(_scores("missing millisecond", 440.0, rate_hz)) > 4
    assert max(_scores("missing millisecond", 1_000.0, rate_hz)) < 0.01


def test_longer_ramp_is_a_stricter_judge() -> None:
    faded = _disturbed("5 ms fade-in", 7_200, 440.0, 48_000)
    assert click_score(faded, 48_000, 440.0, ramp_s=0.020) > 2 * click_score(faded, 48_000, 440.0)


def test_silence_scores_nothing_and_a_short_piece_is_refused() -> None:
    assert click_score(np.zeros(4_000), 8_000, 440.0) == 0.0
    with pytest.raises(ValueError, match="too few"):
        click_score(np.zeros(20), 8_000, 440.0)
