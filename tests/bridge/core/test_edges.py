"""True edges of sounds: what was played is known to the sample, and compared with what is made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from bridge.core.edges import Edges, EdgeState, meter_lag
from bridge.core.meter import Meter, MeterSettings, MeterState
from tests.kit.tones import speech_like

pytestmark = pytest.mark.unit

RATE = 16_000
TICK = RATE // 50


@dataclass
class Said:
    talking: bool
    at_ms: float
    """When it truly was, by the meter's word less `ago_ms`."""
    told_ms: float


def listen(sound: np.ndarray, settings: MeterSettings) -> list[Said]:
    """What meter and edges say of `sound`, tick by tick."""
    meter, state = Meter(settings), MeterState(1, 1)
    edges, memory = Edges(settings), EdgeState(1, 1)
    said = []
    for tick in range(len(sound) // TICK):
        frame = sound[tick * TICK : (tick + 1) * TICK].astype(np.float64)
        powers = np.array([[np.mean(frame**2)]], dtype=np.float32)
        edges.note(memory, powers)
        for slot in meter.read(state, powers):
            talking = bool(state.talking.reshape(-1)[slot])
            now = tick * 20.0
            said.append(Said(talking, now - edges.ago_ms(memory, int(slot), talking), now))
    return said


def at_level(sound: np.ndarray, dbov: float) -> np.ndarray:
    """`sound` with this level while it sounds."""
    loud = np.abs(sound) > np.abs(sound).max() / 50
    return sound * (32_767 * 10 ** (dbov / 20) / np.sqrt(np.mean(sound[loud].astype(np.float64) ** 2)))


def burst(seed: int, dbov: float, seconds: float, before_ms: float) -> tuple[np.ndarray, float, float]:
    """Speech between silences; the middle of the first and last 10 ms of any substance, in ms."""
    speech = at_level(speech_like(seconds, RATE, seed=seed), dbov)
    sound = np.concatenate([np.zeros(int(before_ms * RATE / 1000)), speech, np.zeros(3 * RATE)])
    window = RATE // 100
    powers = np.convolve(sound.astype(np.float64) ** 2, np.ones(window) / window, mode="same")
    heard = np.flatnonzero(powers > 32_767**2 * 10 ** (-45 / 10))
    return sound, heard[0] * 1000 / RATE, heard[-1] * 1000 / RATE


@pytest.mark.parametrize("dbov", [-12.0, -20.0, -26.0, -32.0])
@pytest.mark.parametrize("seed", [0, 2, 3, 4, 5, 6])  # their last syllable is a whole one
def test_beginning_and_end_of_speech_are_the_true_ones_whatever_its_level(seed: int, dbov: float) -> None:
    sound, begins, ends = burst(seed, dbov, 2.0, before_ms=307 + 7 * seed)
    said = listen(sound, MeterSettings(hold_ms=900))
    assert [one.talking for one in said] == [True, False]
    assert said[0].at_ms == pytest.approx(begins, abs=20)
    assert said[1].at_ms == pytest.approx(ends, abs=20)
    assert said[1].told_ms - ends > 900  # what the meter alone would have given


def test_edges_lie_neither_early_nor_late_on_average() -> None:
    wrong = []
    for seed in range(40):
        sound, begins, ends = burst(seed, -20.0, 0.6, before_ms=200 + 3.7 * seed)
        first, *_, last = listen(sound, MeterSettings())
        wrong.append((first.at_ms - begins, last.at_ms - ends))
    assert np.abs(np.mean(wrong, axis=0)).max() < 8


@pytest.mark.parametrize("dbov", [-6.0, -20.0, -26.0, -35.0, -43.0])
def test_lag_of_a_level_is_what_the_meter_takes_at_it(dbov: float) -> None:
    settings = MeterSettings(attack_ms=80, hold_ms=300)
    tone = np.full(RATE, 32_767 * 10 ** (dbov / 20))
    sound = np.concatenate([np.zeros(RATE), tone, np.zeros(3 * RATE)])
    lag = meter_lag(settings, dbov)
    began, ended = listen(sound, settings)
    assert began.told_ms - lag.began_ms == pytest.approx(1_000, abs=10)
    assert ended.told_ms - lag.ended_ms == pytest.approx(2_000, abs=10)


def test_a_loud_sound_is_told_to_be_over_much_later_than_a_faint_one() -> None:
    assert meter_lag(MeterSettings(), -10).ended_ms - meter_lag(MeterSettings(), -40).ended_ms > 700


def test_sound_that_the_meter_does_not_see_has_no_lag() -> None:
    with pytest.raises(ValueError, match="does not see"):
        meter_lag(MeterSettings(), -60)


def test_noise_between_the_thresholds_does_not_move_a_beginning_far_back() -> None:
    noise = np.random.default_rng(1).normal(0, 32_767 * 10 ** (-47.5 / 20), 3 * RATE)
    noise[:TICK] *= 1.5  # loud enough to be sound, too short to be talking
    speech = np.full(RATE, 32_767 * 10 ** (-20 / 20))
    began = listen(np.concatenate([noise, speech]), MeterSettings())[-1]
    assert began.talking and began.at_ms == pytest.approx(3_000, abs=130)
