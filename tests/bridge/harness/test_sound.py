from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.core.ports import L16_16K, ULAW_8K
from bridge.harness.sound import Loop, decode, encode, load
from tests.kit.tones import find_tones, tone

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("file_rate_hz", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
def test_a_file_of_any_rate_keeps_its_tone(tmp_path: Path, file_rate_hz: int, rate_hz: int) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, tone(1000, 0.5, file_rate_hz).astype(np.int16), file_rate_hz)
    samples = load(path, rate_hz)
    assert len(samples) == pytest.approx(rate_hz / 2, abs=1)
    [(frequency_hz, amplitude)] = find_tones(samples[400:-400], rate_hz).items()
    assert frequency_hz == 1000
    assert amplitude == pytest.approx(8000, rel=0.01)


def test_stereo_is_mixed_down_and_what_is_too_high_is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    left, right = tone(1000, 0.5, 48_000), tone(6000, 0.5, 48_000)
    soundfile.write(path, np.stack((left, right), axis=1).astype(np.int16), 48_000)
    [(frequency_hz, amplitude)] = find_tones(load(path, 8000)[400:-400], 8000).items()
    assert frequency_hz == 1000
    assert amplitude == pytest.approx(4000, rel=0.01)


def test_files_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.wav", 8000)
    (tmp_path / "text.wav").write_text("not a sound at all")
    with pytest.raises(ValueError, match="cannot be read"):
        load(tmp_path / "text.wav", 8000)
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.int16), 8000)
    with pytest.raises(ValueError, match="no sound"):
        load(tmp_path / "empty.wav", 8000)


def test_wire_audio_and_back() -> None:
    samples = tone(440, 0.02, 16_000).astype(np.int16)
    assert np.array_equal(decode(encode(samples, L16_16K), L16_16K), samples)
    assert len(encode(samples, ULAW_8K)) == len(samples)
    error = decode(encode(samples, ULAW_8K), ULAW_8K).astype(int) - samples
    assert abs(error).max() <= 256


def test_a_loop_has_no_seam_and_one_turn_ends_in_silence() -> None:
    samples = np.arange(1, 101, dtype=np.int16)
    loop = Loop(samples, 30, repeat=True)
    said = np.concatenate([loop.next_frame() for _ in range(10)])
    assert np.array_equal(said, np.tile(samples, 3))
    assert not loop.over
    once = Loop(samples, 30, repeat=False)
    said = np.concatenate([once.next_frame() for _ in range(4)])
    assert np.array_equal(said, np.pad(samples, (0, 20)))
    assert once.over
    assert not once.next_frame().any()
    assert not Loop(samples[:0], 30, repeat=True).next_frame().any()
