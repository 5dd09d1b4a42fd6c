"""Makes the two sounds of this folder again: words by espeak-ng, each begun at a moment that is chosen here.

.venv/bin/python tests/kit/sounds/speak.py        (needs espeak-ng; the tests do not)
"""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from bridge.harness.sound import change_rate

HERE = Path(__file__).parent
RATE_HZ = 16_000
PEAK = 12_000.0
AUDIBLE = 0.02
"""Share of a word's peak from which on it counts as begun."""

SPEAKERS: dict[str, tuple[str, int, str]] = {
    "low_voice": ("en-us", 35, "garden:0.50 orange:1.30 window:2.16 eleven:2.90 friday:3.74 yellow:4.50"),
    "high_voice": ("en-us+f2", 60, "summer:0.70 eleven:1.48 yellow:2.20 music:2.94 orange:3.66 window:4.60"),
}
"""File → voice, pitch, and the words with their onsets in seconds."""
LENGTH_S = 5.6


def spoken(word: str, voice: str, pitch: int) -> NDArray[np.float64]:
    """One word from its first audible sample to its last: float64 [n] at int16 scale."""
    command = ["espeak-ng", "-v", voice, "-s", "140", "-p", str(pitch), "--stdout", word]
    made = subprocess.run(command, check=True, capture_output=True).stdout
    sound, rate_hz = soundfile.read(io.BytesIO(made), dtype="float64")
    sound = change_rate(sound, rate_hz, RATE_HZ)
    audible = np.flatnonzero(np.abs(sound) > AUDIBLE * np.abs(sound).max())
    sound = sound[audible[0] : audible[-1] + 1]
    scaled: NDArray[np.float64] = sound * (PEAK / np.abs(sound).max())
    return scaled


def main() -> None:
    """Write the sounds, and beside them what is said when."""
    onsets: dict[str, list[tuple[str, float]]] = {}
    for name, (voice, pitch, script) in SPEAKERS.items():
        track = np.zeros(round(LENGTH_S * RATE_HZ))
        onsets[name] = []
        for item in script.split():
            word, onset = item.split(":")
            sound = spoken(word, voice, pitch)
            at = round(float(onset) * RATE_HZ)
            assert not track[at:].any(), f"{word} begins before the last word has ended"
            track[at : at + len(sound)] = sound
            onsets[name].append((word, float(onset)))
        soundfile.write(HERE / f"{name}.wav", np.rint(track).astype(np.int16), RATE_HZ)
    (HERE / "words.json").write_text(json.dumps(onsets, indent=1) + "\n")


if __name__ == "__main__":
    main()
