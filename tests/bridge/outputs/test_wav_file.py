"""WAV files of any size, readable while they grow."""

from __future__ import annotations

import shutil
import struct
from copy import copy
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.outputs.kept_file import PART, KeptFile
from bridge.outputs.wav_file import HEAD_BYTES, WavFile, wav_head

pytestmark = pytest.mark.unit

PCM = np.random.default_rng(7).integers(-32_768, 32_768, 9_600).astype(np.int16)


def test_what_was_put_in_is_read_back_with_silence_in_its_place(tmp_path: Path) -> None:
    wav = WavFile(tmp_path / "a.wav")
    wav.put(PCM, len(PCM))
    wav.put(None, 4_800)
    wav.put(PCM, len(PCM))
    wav.put(None, 960)
    wav.finish()
    read, rate = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert rate == 48_000 and soundfile.info(tmp_path / "a.wav").format == "WAV"
    assert (read == np.concatenate([PCM, np.zeros(4_800), PCM, np.zeros(960)])).all()
    assert (tmp_path / "a.wav").stat().st_mode & 0o777 == 0o600


def test_two_sides_stay_two_sides(tmp_path: Path) -> None:
    wav = WavFile(tmp_path / "a.wav", channels=2)
    sides = np.stack([PCM, -(PCM // 2)], axis=1)
    wav.put(sides, len(sides))
    wav.put(None, 480)
    wav.finish()
    read, _ = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert read.shape == (len(PCM) + 480, 2) and (read[: len(PCM)] == sides).all()


def test_a_large_file_is_rf64(tmp_path: Path) -> None:
    wav = WavFile(tmp_path / "a.wav", limit=10_000)
    wav.put(PCM, len(PCM))
    wav.finish()
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    assert (soundfile.read(tmp_path / "a.wav", dtype="int16")[0] == PCM).all()


def test_a_file_beyond_four_gigabytes_says_its_true_size() -> None:
    samples = 30 * 3_600 * 48_000  # thirty hours
    head = wav_head(1, samples)
    assert len(head) == HEAD_BYTES and head[:4] == b"RF64"
    riff, length, count = struct.unpack_from("<QQQ", head, 20)
    assert (riff, length, count) == (HEAD_BYTES - 8 + 2 * samples, 2 * samples, samples)
    assert wav_head(1, 1_000)[:4] == b"RIFF"
    assert wav_head(1, (0xFFFF_FFFF - HEAD_BYTES + 8) // 2)[:4] == b"RIFF"
    assert wav_head(1, (0xFFFF_FFFF - HEAD_BYTES + 8) // 2 + 1)[:4] == b"RF64"


def test_a_growing_file_can_be_read_as_far_as_it_was_synced(tmp_path: Path) -> None:
    wav = WavFile(tmp_path / "a.wav")
    wav.put(PCM, len(PCM))
    wav.sync()
    wav.put(PCM, len(PCM))
    growing = shutil.copy(tmp_path / f"a.wav{PART}", tmp_path / "copy.wav")
    assert (soundfile.read(growing, dtype="int16")[0][: len(PCM)] == PCM).all()
    assert not (tmp_path / "a.wav").exists()
    wav.finish()
    assert not (tmp_path / f"a.wav{PART}").exists()


def test_an_abandoned_file_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"old")
    wav = WavFile(tmp_path / "a.wav")
    wav.put(PCM, len(PCM))
    wav.abandon()
    wav.abandon()
    assert (tmp_path / "a.wav").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_silence_takes_no_disk(tmp_path: Path) -> None:
    wav = WavFile(tmp_path / "a.wav")
    wav.put(None, 48_000 * 60)
    wav.finish()
    found = (tmp_path / "a.wav").stat()
    assert found.st_size == HEAD_BYTES + 2 * 48_000 * 60
    assert found.st_blocks * 512 < 100_000


def test_a_branch_is_finished_and_the_original_goes_on(tmp_path: Path) -> None:
    original = KeptFile(tmp_path / "a")
    original.write(b"one ")
    branch = copy(original)  # as a fork does
    branch.branch()
    branch.write(b"whole")
    branch.finish()
    assert (tmp_path / "a").read_bytes() == b"one whole"
    original.write(b"two")
    assert (tmp_path / f"a{PART}").read_bytes() == b"one two"
    original.finish()
    assert (tmp_path / "a").read_bytes() == b"one two"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
