"""What a test says in a call, and what it hears."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TypedDict

import numpy as np
import soundfile

from bridge.harness.clips import Clip, clip_of
from bridge.harness.scenario import Backchannel, BargeIn, Say
from bridge.harness.sound import Samples

Sound = str | PathLike[str] | Samples
"""A file's name, or int16 [n] at the call's rate."""
Speaking = Callable[..., Say | BargeIn | Backchannel]
"""Makes a step in which something is said."""


class How(TypedDict, total=False):
    """What else there is to say about something that is said."""

    text: str
    """Words for espeak-ng, in place of a sound."""
    voice: str
    """A voice of espeak-ng (`en-us`)."""
    from_s: float
    """Of a file: where in it to begin."""
    to_s: float
    """Of a file: where in it to end."""
    gain_db: float
    """Softer or louder (0)."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What the bot said at a stretch."""

    samples: Samples
    """int16 [n]."""
    rate_hz: int
    began_ms: int
    ended_ms: int

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.ended_ms - self.began_ms) / 1000

    def save(self, path: str | PathLike[str]) -> None:
        """Write a sound file, of the kind that its name says. Raises OSError or soundfile.LibsndfileError."""
        soundfile.write(fspath(path), self.samples, self.rate_hz)


def said(
    kind: Speaking, sound: Sound | None, how: How, rate_hz: int, **more: int
) -> tuple[Say | BargeIn | Backchannel, Clip | None]:
    """The step, and its clip, where that need not be loaded. Raises ValueError for what cannot be said."""
    if isinstance(sound, np.ndarray):
        if how:
            raise ValueError("an array is said as it is")
        if sound.dtype != np.int16 or sound.ndim != 1 or not len(sound):
            raise ValueError("an array to be said is int16 [n], at the call's rate, and not empty")
        return kind(file=f"{len(sound) / rate_hz:.1f} s of sound", **more), clip_of(sound, rate_hz)
    rest = {**how, **more}
    for name in ("from", "to"):
        seconds = rest.pop(f"{name}_s", None)
        if isinstance(seconds, int | float):
            rest[f"{name}_ms"] = ms(seconds)
    return kind(file="" if sound is None else fspath(sound), **rest), None


def ms(seconds: float) -> int:
    """Seconds in whole milliseconds."""
    return round(1000 * seconds)
