"""Captures through the mixer again, and whether the same comes out, sample by sample.

    assert_replays("bad-call.mbcapture")

What is compared, tick by tick: what the mixer made of the input (`own`: the sound that the call, or the
service, gave to its room), and in which tick checkpoints and clears took effect. With a call's capture and
that of a stream on it, also what the stream was given (`inbound`). What was heard (`mix`, `outbound`) only
where nobody else was there, which a capture cannot know: `alone`.
"""

from __future__ import annotations

import os
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bridge.core.mixbus import TickResult
from bridge.core.ports import AudioFormat, Encoding
from bridge.errors import BadInput
from bridge.harness.capture_reading import Capture, read_capture
from bridge.harness.sound import Samples, decode
from bridge.replay_mix import MIX, OWN, ReplayMix, Seat, Step, acks_in, steps_of

LOOK_TICKS = 50
"""So often is a room's rate looked at."""
ROUNDING = 1
"""So much may a sample differ where a room is mixed at another rate: sums of products in another order."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that is not the same."""

    file: str
    tick: int
    row: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}: tick {self.tick}, {self.row}: {self.text}"


@dataclass(slots=True)
class Replay:
    """What came of a replay."""

    ticks: int = 0
    frames: dict[str, int] = field(default_factory=dict)
    """Compared, by row."""
    acks: int = 0
    rounded: int = 0
    """Samples that differ by one step, in rooms that are mixed at another rate."""
    difference: Difference | None = None
    notes: list[str] = field(default_factory=list)
    """What could not be compared, and why."""
    sound: dict[str, list[bytes]] = field(default_factory=dict)
    """What came out, by file and row, for whoever wants to hear it."""
    formats: dict[str, AudioFormat] = field(default_factory=dict)

    @property
    def compared(self) -> int:
        """Frames of 20 ms."""
        return sum(self.frames.values())

    @property
    def same(self) -> bool:
        """Whether something was compared, and nothing differed."""
        return self.difference is None and self.compared > 0

    def __str__(self) -> str:
        if self.difference is not None:
            return f"differs: {self.difference}"
        if not self.compared:
            return "nothing could be compared"
        rows = ", ".join(f"{row} {count}" for row, count in sorted(self.frames.items()))
        rounded = f"; {self.rounded} samples rounded otherwise" if self.rounded else ""
        return f"same: {self.compared} frames ({rows}), {self.acks} acknowledgements{rounded}"


@dataclass(slots=True)
class _Part:
    capture: Capture
    seat: Seat
    steps: list[Step]
    at: int = 0
    listening: bool = False
    until: int = 0
    """The tick from which on nothing can be compared; 0: all can."""
    resampled: bool = False

    @property
    def name(self) -> str:
        return self.capture.path.name


def replay(captures: Sequence[Capture], *, alone: bool = False, keep_sound: bool = False) -> Replay:
    """Put captures of one server through one mixer. Raises BadInput where that makes no sense."""
    mix, done = ReplayMix(), Replay()
    parts = [_part(mix, capture, done) for capture in captures]
    rooms: dict[str, int] = {}
    for part in parts:
        rooms[part.seat.room] = max(rooms.get(part.seat.room, 0), _first_rate(part.steps))
    for room, rate_hz in rooms.items():
        mix.raise_rate(room, rate_hz)
        for part in parts:
            part.resampled |= part.seat.room == room and rate_hz > part.seat.format.rate_hz
    for number in sorted({step.number for part in parts for step in part.steps}):
        due = [part for part in parts if part.at < len(part.steps) and part.steps[part.at].number == number]
        now = due[0].steps[due[0].at].now
        if any(part.steps[part.at].now != now for part in due):
            raise BadInput("these captures are not of one server: their ticks have different times")
        mix.about_to_tick(now)
        for part in due:
            _prepare(part)
        result = mix.tick(now)
        done.ticks += 1
        for part in due:
            _compare(part, part.steps[part.at], result, done, alone=alone, keep_sound=keep_sound)
            part.at += 1
        if done.difference is not None:
            break
    return done


def assert_replays(path: str | os.PathLike[str], *more: str | os.PathLike[str], alone: bool = False) -> None:
    """For tests: raises AssertionError with the first difference, or when nothing could be compared."""
    done = replay([read_capture(Path(one)) for one in (path, *more)], alone=alone)
    assert done.same, "; ".join([str(done), *done.notes])


def write_sound(done: Replay, folder: Path) -> list[Path]:
    """What came out, if it was kept, as a WAV file for each row of each capture. Raises OSError."""
    files = []
    for name, payloads in done.sound.items():
        audio_format = done.formats[name]
        sound = decode(b"".join(payloads), audio_format)
        files.append(folder / f"{name.replace(' ', '-')}.wav")
        with wave.open(str(files[-1]), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(audio_format.rate_hz)
            file.writeframes(sound.astype("<i2").tobytes())
    return files


def _part(mix: ReplayMix, capture: Capture, done: Replay) -> _Part:
    head = capture.head
    if head.place == "caller":
        raise BadInput(f"{capture.path}: a simulated caller's call never was in a mixer; use test --replay")
    if "audio" in head.redacted:
        raise BadInput(f"{capture.path}: its audio was replaced, so that nothing can be the same")
    part = _Part(capture, Seat(mix, capture), list(steps_of(capture)))
    for last, step in zip(part.steps, part.steps[1:], strict=False):
        if step.holed:
            part.until = last.number
            done.notes.append(
                f"{part.name}: something is missing between tick {last.number} and {step.number}"
            )
            break
    first = _first_rate(part.steps)
    for step in part.steps:
        if step.rate_hz and step.rate_hz != first:
            part.until = min(part.until or step.number, step.number - LOOK_TICKS)
            done.notes.append(f"{part.name}: the room's rate changed at about tick {step.number}")
            break
    if capture.end is None:
        done.notes.append(f"{part.name}: cut off")
    return part


def _first_rate(steps: list[Step]) -> int:
    return next((step.rate_hz for step in steps if step.rate_hz), 0)


def _prepare(part: _Part) -> None:
    step, seat = part.steps[part.at], part.seat
    for verb in step.verbs:
        verb(seat)
    if not part.listening and part.capture.head.place == "stream":
        tracks = tuple(row for row in part.capture.head.tracks if row in step.frames)
        if tracks:
            part.listening = True
            seat.listen(tracks)


def _compare(
    part: _Part, step: Step, result: TickResult, done: Replay, *, alone: bool, keep_sound: bool
) -> None:
    seat = part.seat
    out: dict[str, tuple[bytes, bool]] = {}
    for batch in result.frames:
        for outlet, payload, silent in zip(batch.outlets, batch.payloads, batch.silent, strict=True):
            row = seat.outlets.get(outlet)
            if row is not None:
                out[row] = payload, silent
    for row, (payload, _) in out.items():
        if keep_sound:
            name = f"{part.name} {row}"
            done.sound.setdefault(name, []).append(payload)
            done.formats[name] = seat.format
    if part.until and step.number >= part.until:
        return
    for row, (payload, silent) in out.items():
        wanted = step.frames.get(row)
        if wanted is None or (row in (MIX, "outbound") and not alone):
            continue
        found = b"" if silent else payload
        if found != wanted:
            text = _differs(found, wanted, seat.format, done if part.resampled else None)
            if text:
                done.difference = done.difference or Difference(part.name, step.number, row, text)
                return
        done.frames[row] = done.frames.get(row, 0) + 1
    if OWN in step.frames and OWN in out:
        acks = acks_in(result, seat.room, seat.slot)
        told = [one for one in step.acks] if part.capture.head.place == "stream" else []
        if acks != told and done.difference is None:
            text = f"{_counted(acks)} acknowledged, {_counted(told)} then"
            done.difference = Difference(part.name, step.number, "acks", text)
        done.acks += len(told)


def _counted(acks: list[str | None]) -> str:
    marks, clears = sum(one is not None for one in acks), acks.count(None)
    return f"{marks} checkpoints and {clears} clears"


def _differs(found: bytes, wanted: bytes, audio_format: AudioFormat, rounding: Replay | None) -> str:
    """How two frames differ; nothing where that is rounding, which is counted."""
    one, other = _samples(found, audio_format), _samples(wanted, audio_format)
    apart: NDArray[np.int32] = np.abs(one.astype(np.int32) - other.astype(np.int32))
    if rounding is not None and audio_format.encoding is Encoding.L16 and apart.max() <= ROUNDING:
        rounding.rounded += int(np.count_nonzero(apart))
        return ""
    first = int(np.flatnonzero(apart)[0]) if apart.any() else 0
    return f"{np.count_nonzero(apart)} samples differ from sample {first} on, by up to {apart.max()}"


def _samples(payload: bytes, audio_format: AudioFormat) -> Samples:
    if not payload:
        return np.zeros(audio_format.frame_samples, np.int16)
    return decode(payload, audio_format)
