"""All the sound of a scenario, loaded before a call begins and shared by all calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from bridge.errors import MissingLibrary
from bridge.harness.scenario import Problem, Repeat, Scenario, ScenarioError, Speech, Step
from bridge.harness.sound import Samples, load
from bridge.harness.speech import QUIET_DBOV, TALKING_DBOV
from bridge.harness.synthesis import NotSpoken, mm_hm, spoken
from mediacodecs.levels import OVERLOAD_RMS, dbov, rms

MAX_SOUND_S = 600
USUAL_DBOV = -26.0
"""Level of a caller who says nothing, for noise to be measured by (ITU-T P.56)."""
_WINDOW_MS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Something to say: int16 [n], and where in it the words begin and end, in ms."""

    samples: Samples
    begins_ms: float
    ends_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """The clips of a scenario at one rate."""

    rate_hz: int
    spoken: Mapping[Speech, Clip]
    noise: NDArray[np.float32] | None
    """A recording of RMS 1, to go in circles behind everything."""
    speech_rms: float
    """Of all that is said, while it sounds: what noise is measured by."""


def load_clips(scenario: Scenario, folder: Path, rate_hz: int) -> Clips:
    """Reads files from `folder` and has texts spoken: blocks, not for the event loop.

    Raises ScenarioError, which names all that is missing.
    """
    problems: list[Problem] = []
    found: dict[Speech, Clip] = {}
    for speech in _speeches(scenario.steps):
        if speech in found:
            continue
        try:
            found[speech] = load_clip(speech, folder, rate_hz)
        except (OSError, ValueError, MissingLibrary, NotSpoken) as wrong:
            problem = Problem(f"{speech.title} cannot be said: {wrong}")
            if problem not in problems:
                problems.append(problem)
    noise = None
    behind = scenario.background.noise
    if behind is not None and behind.file:
        try:
            recorded = _file(folder / behind.file, rate_hz).astype(np.float32)
            if not recorded.any():
                raise ValueError(f"{behind.file} is silent")
            noise = recorded / np.float32(np.sqrt(np.mean(recorded**2, dtype=np.float64)))
        except (OSError, ValueError) as wrong:
            problems.append(Problem(f"the noise cannot be made: {wrong}"))
    if problems:
        raise ScenarioError(problems)
    return Clips(rate_hz, found, noise, _speech_rms(found.values(), rate_hz))


def load_clip(speech: Speech, folder: Path, rate_hz: int) -> Clip:
    """One of them; blocks, too.

    Raises OSError or ValueError for a file that cannot be said, MissingLibrary or NotSpoken for a text.
    """
    return clip_of(_sound_of(speech, folder, rate_hz), rate_hz)


def clip_of(samples: Samples, rate_hz: int) -> Clip:
    """Finds the words in a sound: int16 [n], n ≥ 1."""
    window = rate_hz * _WINDOW_MS // 1000
    loud = np.flatnonzero(_levels(samples, window) > QUIET_DBOV)
    if not len(loud):
        return Clip(samples, 0.0, 1000 * len(samples) / rate_hz)
    ends_ms = min((loud[-1] + 1) * _WINDOW_MS, 1000 * len(samples) / rate_hz)
    return Clip(samples, float(loud[0] * _WINDOW_MS), float(ends_ms))


def _speeches(steps: Iterable[Step]) -> Iterator[Speech]:
    for step in steps:
        if isinstance(step, Repeat):
            yield from _speeches(step.steps)
        elif isinstance(step, Speech):
            yield step


def _sound_of(speech: Speech, folder: Path, rate_hz: int) -> Samples:
    if speech.sound:
        sound = mm_hm(rate_hz)
    elif speech.text:
        sound = spoken(speech.text, speech.voice, rate_hz)
    else:
        sound = _file(folder / speech.file, rate_hz)
        to_ms = len(sound) if speech.to_ms is None else speech.to_ms * rate_hz // 1000
        sound = sound[speech.from_ms * rate_hz // 1000 : to_ms]
        if not len(sound):
            raise ValueError("it is shorter than where it is to begin")
    if not speech.gain_db:
        return sound
    louder = sound * 10 ** (speech.gain_db / 20)
    made: Samples = np.rint(louder).clip(-32_768, 32_767).astype(np.int16)
    return made


def _file(path: Path, rate_hz: int) -> Samples:
    try:
        seconds = soundfile.info(path).duration if path.is_file() else 0
    except soundfile.LibsndfileError:
        seconds = 0  # `load` says what is wrong with it
    if seconds > MAX_SOUND_S:
        raise ValueError(f"{path} is longer than {MAX_SOUND_S // 60} minutes")
    return load(path, rate_hz)


def _levels(samples: Samples, window: int) -> NDArray[np.float32]:
    """Of each whole or partial window, in dBov."""
    padded = np.pad(samples, (0, -len(samples) % window)).reshape(-1, window)
    return dbov(rms(padded.astype(np.float32)))


def _speech_rms(clips: Iterable[Clip], rate_hz: int) -> float:
    frames = [np.pad(c.samples, (0, -len(c.samples) % (rate_hz // 50))) for c in clips]
    if frames:
        power = rms(np.concatenate(frames).reshape(-1, rate_hz // 50).astype(np.float32)) ** 2
        loud = power[dbov(np.sqrt(power)) > TALKING_DBOV]
        if len(loud):
            return float(np.sqrt(loud.mean()))
    return OVERLOAD_RMS * 10 ** (USUAL_DBOV / 20)
