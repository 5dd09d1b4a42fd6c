from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.errors import MissingLibrary
from bridge.harness.clips import MAX_SOUND_S, clip_of, load_clips
from bridge.harness.scenario import ScenarioError, Speech
from bridge.harness.synthesis import NotSpoken, mm_hm, noise, spoken
from mediacodecs.levels import dbov, rms
from tests.kit.rehearsal import scenario, sound_file
from tests.kit.tones import tone

pytestmark = pytest.mark.unit

espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None and os.environ.get("CI") != "true", reason="espeak-ng is not installed"
)
"""In CI it must be there: without it these tests fail."""


@espeak
@pytest.mark.parametrize("rate_hz", [8000, 16_000])
def test_words_are_spoken_at_the_call_s_rate_and_level(rate_hz: int) -> None:
    sound = spoken("When do you open on Sundays?", "en-us", rate_hz)
    assert 1 < len(sound) / rate_hz < 4
    frames = sound[: len(sound) // 160 * 160].reshape(-1, 160).astype(np.float32)
    loud = frames[dbov(rms(frames)) > -45]
    assert 10 * np.log10(np.mean(loud**2) / 32_767**2) == pytest.approx(-23, abs=2)
    assert np.array_equal(sound, spoken("When do you open on Sundays?", "en-us", rate_hz))


@espeak
def test_words_are_never_taken_for_options() -> None:
    assert len(spoken("--version -f /etc/hostname", "en-us", 8000)) > 8000


@espeak
def test_what_espeak_cannot_say_is_told() -> None:
    with pytest.raises(NotSpoken, match="espeak-ng"):
        spoken("hello", "klingon-of-the-north", 8000)
    with pytest.raises(NotSpoken):
        spoken("\n \n", "en-us", 8000)


def test_without_espeak_a_text_is_a_clear_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingLibrary, match="apt-get install espeak-ng"):
        spoken("hello", "en-us", 8000)
    with pytest.raises(ScenarioError, match="“hello” cannot be said: espeak-ng is not installed"):
        load_clips(scenario('- say: {text: "hello"}'), tmp_path, 8000)


def test_the_hum_has_two_syllables_and_is_the_same_every_time() -> None:
    hum = mm_hm(16_000)
    assert np.array_equal(hum, mm_hm(16_000))
    loud = dbov(rms(hum.reshape(-1, 320).astype(np.float32))) > -35
    assert np.count_nonzero(np.diff(loud.astype(int)) == 1) + loud[0] == 2
    assert np.abs(hum).max() < 32_767


def test_noise_goes_in_circles_without_a_seam_and_cannot_be_written_to() -> None:
    pink = noise("pink")
    assert noise("pink") is pink
    assert not pink.flags.writeable
    steps = np.abs(np.diff(pink))
    assert abs(pink[0] - pink[-1]) < steps.max()


def test_everything_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    sound_file(tmp_path, "short.wav", 0.5)
    soundfile.write(tmp_path / "silent.wav", np.zeros(800), 8000)
    of = scenario(
        "- say: none.wav\n- say: text.wav\n- repeat: {times: 2, steps: [say: none.wav]}\n"
        "- say: {file: short.wav, from: 3s}",
        "background: {noise: {file: silent.wav}}",
    )
    with pytest.raises(ScenarioError) as wrong:
        load_clips(of, tmp_path, 16_000)
    told = [problem.text for problem in wrong.value.problems]
    assert len(told) == 4
    for text, words in zip(told, ["no file", "cannot be read", "shorter than", "is silent"], strict=True):
        assert words in text


def test_a_sound_may_not_be_endless(tmp_path: Path) -> None:
    with soundfile.SoundFile(tmp_path / "long.wav", "w", 8000, 1, "PCM_U8") as file:
        for _ in range(MAX_SOUND_S + 1):
            file.write(np.zeros(8000))
    with pytest.raises(ScenarioError, match="longer than 10 minutes"):
        load_clips(scenario("- say: long.wav"), tmp_path, 8000)


def test_words_are_found_between_the_silence_of_a_file(tmp_path: Path) -> None:
    sound_file(tmp_path, "framed.wav", 0.4, lead_s=0.3, tail_s=0.25)
    clips = load_clips(scenario("- say: framed.wav"), tmp_path, 16_000)
    (clip,) = clips.spoken.values()
    assert (clip.begins_ms, clip.ends_ms) == (300, 700)
    assert clips.speech_rms == pytest.approx(8000 / 2**0.5, rel=0.05)
    silent = clip_of(np.zeros(1600, np.int16), 16_000)
    assert (silent.begins_ms, silent.ends_ms) == (0, 100)


def test_a_sound_of_another_rate_and_two_channels_becomes_the_call_s(tmp_path: Path) -> None:
    left = tone(440, 1.0, 44_100)
    soundfile.write(tmp_path / "two.wav", np.stack((left, left), 1).astype(np.int16), 44_100)
    clips = load_clips(scenario("- say: two.wav"), tmp_path, 8000)
    assert len(clips.spoken[_only(clips.spoken)].samples) == 8000


def _only(speeches: object) -> Speech:
    (speech,) = speeches  # type: ignore[attr-defined]
    assert isinstance(speech, Speech)
    return speech
