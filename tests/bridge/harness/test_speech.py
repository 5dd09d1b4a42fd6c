from __future__ import annotations

import numpy as np
import pytest

from bridge.harness.speech import SpeechEdges, SpeechLines, first_sound, levels, mean_square, power_of
from tests.kit.tones import tone

pytestmark = pytest.mark.unit


def changes(*levels_dbov: float) -> list[tuple[int, bool]]:
    edges = SpeechEdges(SpeechLines())
    told = [edges.take(power_of(level)) for level in levels_dbov]
    return [(at, change) for at, change in enumerate(told) if change is not None]


def test_a_sound_begins_above_the_upper_line_and_lasts_while_it_is_above_the_lower() -> None:
    assert changes(-47, -44, -48, -49, -51, -47) == [(1, True), (4, False), (5, True)]


def test_after_a_pause_it_takes_the_upper_line_again() -> None:
    pause = [-60.0] * 10
    assert changes(-40, *pause, -47, -44) == [(0, True), (1, False), (12, True)]
    assert changes(-40, *pause[:9], -47) == [(0, True), (1, False), (10, True)]


def test_the_first_sound_is_found_to_its_20_ms() -> None:
    sound = np.concatenate((np.zeros(700), tone(440, 0.1, 16_000))).astype(np.int16)
    assert first_sound(sound, 320, power_of(-45)) == 640
    assert first_sound(sound[:700], 320, power_of(-45)) is None
    assert first_sound(sound[-100:], 320, power_of(-45)) == 0
    assert first_sound(sound[:0], 320, power_of(-45)) is None


def test_levels_are_whole_decibels() -> None:
    half = np.full(320, 16_384, np.int16)
    assert levels(np.array([mean_square(half), 0.0, power_of(0)], np.float32)) == [-6, -127, 0]


@pytest.mark.parametrize("lines", [(-50.0, -45.0, 200), (-45.0, -50.0, -1), (1.0, -50.0, 200)])
def test_lines_that_cannot_work_are_refused(lines: tuple[float, float, int]) -> None:
    with pytest.raises(ValueError, match="dBov"):
        SpeechLines(*lines)
