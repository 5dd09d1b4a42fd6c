from __future__ import annotations

import numpy as np
import pytest

from bridge.core.splice import Splicer, best_lag, crossing
from tests.kit.tones import click_score, tone

pytestmark = pytest.mark.unit

RATES = [8_000, 16_000, 48_000]


def test_the_best_lag_is_a_number_of_periods_and_the_one_nearest_to_the_wish() -> None:
    sound = tone(200, 0.1, 8_000)  # 40 samples a period
    assert best_lag(sound, 0, 80, 20, 130, 130)[0] == 120
    assert best_lag(sound, 0, 80, 20, 130, 20)[0] == 40
    assert best_lag(sound, 200, 80, -130, -20, -75)[0] == -80
    assert best_lag(sound, 0, 80, 20, 130, 20)[1] == pytest.approx(1.0, abs=1e-3)


def test_noise_resembles_itself_nowhere() -> None:
    noise = np.random.default_rng(1).normal(0, 3_000, 800).astype(np.float32)
    assert best_lag(noise, 0, 80, 20, 120, 120)[1] < 0.6


def test_silence_has_no_likeness_and_breaks_nothing() -> None:
    lag, likeness = best_lag(np.zeros(800, np.float32), 0, 80, 20, 120, 50)
    assert 20 <= lag <= 120 and likeness == 0


def test_a_crossing_goes_from_nothing_to_all() -> None:
    weight = crossing(160, 20, 80)
    assert not weight[:20].any() and (weight[100:] == 1).all() and (np.diff(weight) >= 0).all()


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("hertz", [313, 440, 997])
@pytest.mark.parametrize("wish_ms", [-20, -5, 5, 12, 40])
def test_a_tone_is_spliced_without_a_click(rate_hz: int, hertz: int, wish_ms: int) -> None:
    splicer = Splicer(rate_hz)
    sound = tone(hertz, 0.5, rate_hz)
    at = rate_hz // 5
    due = sound[at - splicer.longest : at + splicer.frame + splicer.longest]
    by = splicer.jump(due, wish_ms * rate_hz // 1000, quiet=False, urgent=False)
    assert np.sign(by) == np.sign(wish_ms)
    assert abs(by) <= splicer.longest and (wish_ms < 0 or by <= wish_ms * rate_hz // 1000)
    spliced = np.concatenate((sound[:at], splicer.cut(due, by), sound[at + splicer.frame + by :]))
    assert len(spliced) == len(sound) - by
    assert click_score(spliced, rate_hz, hertz) < 0.15


def test_in_quiet_the_wish_is_met_to_the_sample() -> None:
    splicer = Splicer(8_000)
    noise = np.random.default_rng(1).normal(0, 20, splicer.span).astype(np.float32)
    for wish in (-100, -7, 7, 100):
        assert splicer.jump(noise, wish, quiet=True, urgent=False) == wish
    assert splicer.jump(noise, 1_000, quiet=True, urgent=False) == splicer.longest


def test_noise_is_left_alone_unless_it_is_urgent() -> None:
    splicer = Splicer(8_000)
    noise = np.random.default_rng(1).normal(0, 3_000, splicer.span).astype(np.float32)
    assert splicer.jump(noise, 100, quiet=False, urgent=False) == 0
    assert splicer.jump(noise, 100, quiet=False, urgent=True) > 0


def test_no_more_is_left_out_than_is_held() -> None:
    splicer = Splicer(8_000)
    sound = tone(1_000, 1, 8_000)[: splicer.longest + splicer.frame + 30]
    assert 20 <= splicer.jump(sound, 120, quiet=False, urgent=True) <= 30
    assert splicer.jump(sound[:-20], 120, quiet=False, urgent=True) == 0
