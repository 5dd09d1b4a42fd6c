"""Tells what is in recordings: where noise of a known seed lies in them, and whether files are in step."""

from __future__ import annotations

import io
import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE_HZ = 48_000
COARSE_HZ = 8_000


def noise(seed: int, seconds: float, rate_hz: int = 16_000, level: float = 2500.0) -> NDArray[np.int16]:
    """Noise below 3.4 kHz, of which every stretch is unlike every other: int16 [n]."""
    samples = round(seconds * rate_hz)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(samples))
    frequencies = np.fft.rfftfreq(samples, 1 / rate_hz)
    spectrum[(frequencies < 200) | (frequencies > 3_400)] = 0
    made = np.fft.irfft(spectrum, samples)
    return (made * (level / made.std() / 3)).clip(-level * 2, level * 2).astype(np.int16)


def read_wav(content: bytes) -> NDArray[np.float32]:
    """Mono at 48 kHz: float32 [n] at int16 scale."""
    sound, rate_hz = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    assert rate_hz == RATE_HZ
    mono: NDArray[np.float32] = sound.mean(axis=1) * 32_768
    return mono


def lag_ms(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """By how much `other` comes later than `one`, both float32 [n] at 48 kHz: where they are most alike."""
    size = len(one) + len(other)
    alike = np.fft.irfft(np.fft.rfft(other, size) * np.conj(np.fft.rfft(one, size)), size)
    at = int(np.argmax(alike))
    return 1000 * (at if at <= size // 2 else at - size) / RATE_HZ


def sounding_s(sound: NDArray[np.float32], floor: float = 100.0) -> NDArray[np.bool_]:
    """Of every 100 ms, whether anything is to be heard: bool [n]."""
    step = RATE_HZ // 10
    whole = sound[: len(sound) // step * step].reshape(-1, step)
    loud: NDArray[np.bool_] = np.sqrt((whole**2).mean(axis=1)) > floor
    return loud


@dataclass(frozen=True)
class Children:
    """The child processes of a server, by what they do."""

    server: int

    def of(self, job: str) -> list[int]:
        """Their process ids now."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            if parent == self.server and job.encode() in words:
                found.append(int(entry.name))
        return found

    def kill(self, job: str) -> int:
        """All of them, at once; gives how many there were."""
        there = self.of(job)
        for pid in there:
            os.kill(pid, signal.SIGKILL)
        return len(there)


def manifest_in(data: Path) -> dict[str, Any]:
    """Of the only recording in a server's data folder."""
    [found] = data.glob("recordings/*/manifest.json")
    read: dict[str, Any] = json.loads(found.read_text())
    return read
