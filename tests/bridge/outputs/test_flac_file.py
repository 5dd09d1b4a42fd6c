from __future__ import annotations

import errno
import gc
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bridge.outputs.flac_file import FlacFile

pytestmark = pytest.mark.unit

RNG = np.random.default_rng(7)
NOISE = RNG.integers(-20_000, 20_000, 48_000).astype(np.int16)


def heard(path: Path) -> NDArray[np.int16]:
    sound, rate = soundfile.read(path, dtype="int16")
    assert rate == 48_000
    return np.asarray(sound)


def test_what_is_put_is_read_sample_by_sample_and_silence_is_silence(tmp_path: Path) -> None:
    file = FlacFile(tmp_path / "a.flac")
    file.put(NOISE, len(NOISE))
    file.put(None, 150_000)
    file.put(NOISE[:960], 960)
    file.finish()
    assert np.array_equal(heard(tmp_path / "a.flac"), np.concatenate([NOISE, np.zeros(150_000), NOISE[:960]]))
    assert (tmp_path / "a.flac").stat().st_mode & 0o777 == 0o600


def test_two_sides(tmp_path: Path) -> None:
    file = FlacFile(tmp_path / "a.flac", 2)
    both = NOISE.reshape(-1, 2)
    file.put(both, len(both))
    file.put(None, 960)
    file.finish()
    assert np.array_equal(heard(tmp_path / "a.flac")[: len(both)], both)


def test_a_copy_is_finished_in_a_fork_while_the_original_goes_on(tmp_path: Path) -> None:
    file = FlacFile(tmp_path / "a.flac")
    file.put(NOISE, len(NOISE))
    file.sync()
    if (child := os.fork()) == 0:
        try:
            file.branch()
            file.finish()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert np.array_equal(heard(tmp_path / "a.flac"), NOISE)
    file.put(NOISE[::-1], len(NOISE))
    file.finish()
    assert np.array_equal(heard(tmp_path / "a.flac"), np.concatenate([NOISE, NOISE[::-1]]))


def test_a_full_disk_is_said_as_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = FlacFile(tmp_path / "a.flac")

    def full(some: bytes) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(file.file, "write", full)
    with pytest.raises(OSError, match="no space") as wrong:
        for _ in range(20):
            file.put(NOISE, len(NOISE))
    assert wrong.value.errno == errno.ENOSPC
    file.abandon()
    assert not [*tmp_path.iterdir()]


def test_one_that_is_not_wanted_writes_nowhere_any_more(tmp_path: Path) -> None:
    file = FlacFile(tmp_path / "a.flac")
    file.put(NOISE, len(NOISE))
    file.abandon()
    with (tmp_path / "other").open("wb") as other:  # it gets the descriptor that has become free
        del file
        gc.collect()
    assert other.closed and (tmp_path / "other").stat().st_size == 0
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
