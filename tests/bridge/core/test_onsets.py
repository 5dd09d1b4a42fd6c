from __future__ import annotations

import numpy as np
import pytest

from bridge.core.ports import L16_8K
from tests.kit.mixing import Desk, wire
from tests.kit.tones import find_tones, speech_like, tone

pytestmark = pytest.mark.unit


def through_the_mixer(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What went in and what the other one heard, aligned."""
    desk = Desk()
    desk.seat("ann").play(wire(sound))
    desk.seat("ben")
    heard, tap = desk.listen("ben"), desk.listen("ann", solo=True)
    desk.run(len(sound) // 160 + 10)
    alone = desk.heard(tap)
    sent = np.rint(sound).astype(np.int16)
    start = int(np.flatnonzero(alone)[0]) - int(np.flatnonzero(sent)[0])
    assert np.array_equal(alone[start : start + len(sent)], sent)  # before the gate nothing is missing
    return sent.astype(int), desk.heard(heard)[start : start + len(sent)].astype(int)


def test_word_over_faint_noise_keeps_its_beginning_and_its_end() -> None:
    noise = np.random.default_rng(0).standard_normal(48_000).astype(np.float32) * 12  # -69 dBov
    speech = speech_like(6.0, 8_000, seed=4, amplitude=9000)
    sent, heard = through_the_mixer(noise + speech)
    loud = np.abs(speech) > 200
    missing = np.abs(heard - sent)[loud]
    assert (missing > 0).mean() < 0.002  # the first millisecond after held-back noise is faded in
    assert missing.max() < 400


def test_faint_noise_alone_is_not_passed_on() -> None:
    noise = np.random.default_rng(0).standard_normal(48_000).astype(np.float32) * 12
    _, heard = through_the_mixer(noise)
    assert not heard.any()


def test_noise_after_speech_is_held_back_once_the_hang_over_is_past_and_without_a_click() -> None:
    noise = np.random.default_rng(0).standard_normal(24_000).astype(np.float32) * 12
    noise[:4_000] += tone(400, 0.5, 8_000, 6000)
    _, heard = through_the_mixer(noise)
    assert heard[4_000:6_000].any()
    assert not heard[8_000:].any()
    assert np.abs(np.diff(heard[4_100:])).max() < 120


def test_tone_just_above_the_threshold_is_never_interrupted() -> None:
    sent, heard = through_the_mixer(tone(500, 4, 8_000, 160))
    assert np.array_equal(heard, sent)


def test_two_loud_talkers_are_limited_and_a_third_listener_of_one_is_not() -> None:
    desk = Desk()
    for name, frequency in (("ann", 400), ("ben", 700)):
        desk.seat(name).play(wire(tone(frequency, 3, 8_000, 30_000)))
    desk.seat("cat")
    both, one = desk.listen("cat"), desk.listen("ann", L16_8K)
    desk.run(80)
    # Clipping and pumping alike would add tones of their own.
    found = find_tones(desk.heard(both)[3_200:], 8_000, floor_db=-60)
    assert found == {400: pytest.approx(17_000, rel=0.05), 700: pytest.approx(17_000, rel=0.05)}
    single = desk.heard(one)
    start = int(np.flatnonzero(single)[0])
    expected = np.rint(tone(700, 3, 8_000, 30_000)).astype(np.int16)[1:]
    assert np.array_equal(single[start : start + 8_000], expected[:8_000])
