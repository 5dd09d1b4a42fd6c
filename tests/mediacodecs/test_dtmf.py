from __future__ import annotations

import numpy as np
import pytest

from mediacodecs.dtmf import HIGH_HZ, KEYS, LOW_HZ, dtmf, frequencies
from tests.kit.tones import find_tones, level_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("key", "".join(KEYS))
def test_a_key_is_its_two_tones_and_nothing_else(key: str, rate_hz: int) -> None:
    low, high = frequencies(key)
    tones = find_tones(dtmf(key, rate_hz)[: rate_hz // 10].astype(np.float32), rate_hz)
    found = sorted(frequency for frequency, amplitude in tones.items() if amplitude > 500)
    # Q.23 allows 1.8 %.
    assert found == [pytest.approx(low, rel=0.003), pytest.approx(high, rel=0.003)]


def test_every_key_has_a_pair_of_its_own() -> None:
    pairs = {frequencies(key) for key in "0123456789*#ABCD"}
    assert len(pairs) == 16
    assert pairs == {(low, high) for low in LOW_HZ for high in HIGH_HZ}


def test_the_high_tone_is_two_decibels_louder_and_both_fit() -> None:
    sound = dtmf("5", 16_000)
    middle = sound[160:1440].astype(np.float32)
    low, high = (level_of(middle, 16_000, frequency) for frequency in frequencies("5"))
    assert 20 * np.log10(high / low) == pytest.approx(2.0, abs=0.3)
    assert 20 * np.log10(low / 32_767) == pytest.approx(-9 - 3.14, abs=0.3)
    assert int(np.abs(sound.astype(np.int32)).max()) < 20_000


def test_a_tone_has_soft_edges_and_a_pause_behind_it() -> None:
    sound = dtmf("9", 8_000, on_ms=60, off_ms=40)
    assert len(sound) == 800
    assert not sound[480:].any()
    assert np.abs(sound[:4]).max() < 200
    assert np.abs(sound[478:480]).max() < 200
    assert np.abs(sound[40:440]).max() > 10_000


def test_what_is_no_key_or_no_tone_is_refused() -> None:
    for key in ("E", "a", "", "12", "w"):
        with pytest.raises(ValueError, match="not a key"):
            dtmf(key, 8_000)
    for on_ms, off_ms in ((9, 0), (50, -1)):
        with pytest.raises(ValueError, match="cannot be heard"):
            dtmf("1", 8_000, on_ms, off_ms)
