"""Sound that is made, not recorded: words by espeak-ng, a hum, noise."""

from __future__ import annotations

import io
import shutil
import subprocess
from functools import cache

import numpy as np
import soundfile
from numpy.typing import NDArray

from bridge.errors import BridgeError, MissingLibrary
from bridge.harness.sound import Samples, change_rate

SPEECH_DBOV = -23.0
"""Level of words and of the hum while they sound."""
NOISE_SAMPLES = 1 << 18
"""After so many, noise begins anew, without a seam: 16 s at 16 kHz."""
_ESPEAK_S = 60


class NotSpoken(BridgeError):
    """espeak-ng could not say it; the text says why."""


def spoken(text: str, voice: str, rate_hz: int) -> Samples:
    """Words, at a level of SPEECH_DBOV: int16 [n]. Blocks while they are made: not for the event loop.

    Raises MissingLibrary where espeak-ng is not installed, NotSpoken when it has no such voice or fails.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise MissingLibrary("espeak-ng is not installed (apt-get install espeak-ng); or say a file")
    try:
        # The words come by the standard input, where none of them can be taken for an option.
        made = subprocess.run(
            [program, "-v", voice, "--stdin", "--stdout"],
            input=text.encode(),
            capture_output=True,
            timeout=_ESPEAK_S,
            check=False,
        )
        if made.returncode:
            why = made.stderr.decode(errors="replace").strip()
            raise NotSpoken(f"espeak-ng could not say it: {why[:200]}")
        sound, made_hz = soundfile.read(io.BytesIO(made.stdout), dtype="float64")
    except subprocess.TimeoutExpired:
        raise NotSpoken(f"espeak-ng did not finish within {_ESPEAK_S} s") from None
    except (OSError, soundfile.LibsndfileError) as wrong:
        raise NotSpoken(f"espeak-ng could not say it: {wrong}") from None
    if not sound.any():
        raise NotSpoken("espeak-ng found nothing to say in it")
    resampled = change_rate(sound, int(made_hz), rate_hz)
    audible = np.abs(resampled) > 0.01 * np.abs(resampled).max()
    return _at_level(resampled, audible, SPEECH_DBOV)


def mm_hm(rate_hz: int) -> Samples:
    """A hum of two syllables, the second one higher, as people make who listen: int16 [0.5 s]."""
    time = np.arange(round(0.5 * rate_hz)) / rate_hz
    first = np.clip(1 - np.abs(time - 0.09) / 0.09, 0, 1)
    second = np.clip(1 - np.abs(time - 0.36) / 0.14, 0, 1)
    envelope = np.sqrt(first) + np.sqrt(second)
    pitch_hz = np.where(time < 0.2, 118 - 60 * time, 112 + 110 * (time - 0.2))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / rate_hz
    # A closed mouth: the nose lets through what is around 250 Hz, and little above.
    sound = np.zeros_like(time)
    for harmonic in range(1, 13):
        sound += np.sin(harmonic * phase) / (1 + ((harmonic * 120 - 250) / 150) ** 2)
    return _at_level(sound * envelope, envelope > 0, SPEECH_DBOV)


@cache
def noise(colour: str) -> NDArray[np.float32]:
    """White or pink noise of RMS 1: float32 [NOISE_SAMPLES], read-only, and the same for every call."""
    rng = np.random.Generator(np.random.PCG64(20))
    spectrum = np.fft.rfft(rng.standard_normal(NOISE_SAMPLES))
    if colour == "pink":
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[:8] = 0  # no pressure of the air that changes over seconds
    sound = np.fft.irfft(spectrum, NOISE_SAMPLES)
    made: NDArray[np.float32] = (sound / np.sqrt(np.mean(sound**2))).astype(np.float32)
    made.flags.writeable = False
    return made


def _at_level(sound: NDArray[np.float64], audible: NDArray[np.bool_], level_dbov: float) -> Samples:
    wanted = 32_767 * 10 ** (level_dbov / 20)
    scaled = sound * (wanted / np.sqrt(np.mean(sound[audible] ** 2)))
    made: Samples = np.rint(scaled).clip(-32_768, 32_767).astype(np.int16)
    return made
