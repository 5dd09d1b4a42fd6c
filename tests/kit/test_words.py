"""The recogniser tells each voice's words and their moments, also after a telephone; not of both at once."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.harness.sound import Samples, change_rate
from mediacodecs.g711 import ulaw_decode, ulaw_encode
from tests.kit.words import RATE_HZ, recognise, voice

pytestmark = pytest.mark.unit

VOICES = ["low_voice", "high_voice"]


def over_the_telephone(samples: Samples) -> Samples:
    narrow = change_rate(samples.astype(np.float64), RATE_HZ, 8_000)
    heard = ulaw_decode(ulaw_encode(np.rint(narrow).astype(np.int16)))
    return np.rint(change_rate(heard.astype(np.float64), 8_000, RATE_HZ)).astype(np.int16)


@pytest.mark.parametrize("name", VOICES)
def test_words_and_moments_are_told_clean_quiet_and_over_the_telephone(name: str) -> None:
    spoken = voice(name)
    quiet = (spoken.samples * 0.15).astype(np.int16)
    for samples in (spoken.samples, quiet, over_the_telephone(spoken.samples)):
        found = recognise(samples)
        assert [word.text for word in found] == spoken.texts
        for word, known in zip(found, spoken.words, strict=True):
            assert word.onset_s == pytest.approx(known.onset_s, abs=0.1), word


def test_both_at_once_are_neither() -> None:
    both = np.clip(voice("low_voice").samples.astype(np.int32) + voice("high_voice").samples, -32_768, 32_767)
    found = [word.text for word in recognise(both.astype(np.int16))]
    assert found not in [voice(name).texts for name in VOICES]


def test_silence_has_no_words() -> None:
    assert recognise(np.zeros(2 * RATE_HZ, np.int16)) == []
