"""Levels: RMS of rows, and RFC 6464's dBov."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediacodecs.levels import dbov, rms
from tests.kit.tones import tone

pytestmark = pytest.mark.unit


def _level(samples: object) -> float:
    return float(dbov(rms(np.asarray(samples, np.float32))))


def test_rms_of_a_batch_is_that_of_each_row() -> None:
    batch = np.random.default_rng(1).normal(0, 3_000, (3, 4, 960)).astype(np.float32)
    levels = rms(batch)
    assert levels.shape == (3, 4) and levels.dtype == np.float32
    exact = np.sqrt((batch.astype(np.float64) ** 2).mean(axis=-1))
    np.testing.assert_allclose(levels, exact, rtol=1e-5)


def test_full_scale_square_wave_is_0_dbov() -> None:
    assert _level([32_767, -32_767] * 80) == 0.0
    assert _level([32_767, -32_768] * 80) == 0.0


def test_full_scale_sine_is_3_db_below_overload() -> None:
    assert _level(tone(1_000, 0.02, 8_000, 32_767)) == pytest.approx(-3.01, abs=0.01)


def test_tenth_of_the_amplitude_is_20_db_less() -> None:
    assert _level([3_276.7, -3_276.7] * 80) == pytest.approx(-20.0, abs=1e-3)


def test_digital_silence_is_the_lowest_level() -> None:
    assert _level(np.zeros(160)) == -127.0


def test_single_bit_of_noise_is_about_minus_90() -> None:
    assert _level([1, -1] * 80) == pytest.approx(-90.3, abs=0.1)


def test_beyond_full_scale_is_still_0_dbov() -> None:
    assert _level([1e6, -1e6] * 80) == 0.0


@given(st.lists(st.floats(0, 1e7, width=32), min_size=1, max_size=20))
def test_dbov_stays_in_its_range_and_rises_with_rms(values: list[float]) -> None:
    levels = dbov(np.array(sorted(values), np.float32))
    assert levels.dtype == np.float32
    assert levels.min() >= -127.0 and levels.max() <= 0.0
    assert np.all(np.diff(levels) >= 0)
