"""What is put between a leg and the mixer while a capture is kept; a leg without one has nothing of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bridge.core.ports import AudioInput, FrameSink, InputLook, PlayInput, PlaySink
from bridge.legs.captures import LegCapture

OWN = "own"
"""The key of the output that gives a leg's own sound back, and the row of its frames."""


@dataclass(frozen=True, slots=True)
class MixCounts:
    """What became of a call's mix: frames sent, and those that were not, by why; and clears of our own."""

    sent: int
    late: int
    congested: int
    left_out: int
    clears: int


class Mixed(FrameSink, Protocol):
    """A leg that is sent the mix, and counts."""

    def mix_counts(self) -> MixCounts: ...


class CapturedMix:
    """The sink of a call's mix: what is sent, and what is not, is kept."""

    __slots__ = ("_capture", "_leg")

    def __init__(self, capture: LegCapture, leg: Mixed) -> None:
        self._capture = capture
        self._leg = leg

    def send_frame(self, frame: bytes, silent: bool, late: bool) -> None:
        """One tick's."""
        before = self._leg.mix_counts()
        self._leg.send_frame(frame, silent, late)
        after = self._leg.mix_counts()
        if after.clears > before.clears:
            self._capture.own_message(b'{"event":"clearAudio"}')
        grown = (
            after.sent > before.sent,
            after.late > before.late,
            after.congested > before.congested,
            after.left_out > before.left_out,
        )
        self._capture.frame("mix", frame, silent, grown.index(True) if any(grown) else len(grown))


class CapturedSink:
    """A track's sink: what it is given is kept under `row`."""

    __slots__ = ("_capture", "_row", "_under")

    def __init__(self, capture: LegCapture, under: FrameSink, row: str) -> None:
        self._capture = capture
        self._under = under
        self._row = row

    def send_frame(self, frame: bytes, silent: bool, late: bool) -> None:
        self._capture.frame(self._row, frame, silent)
        self._under.send_frame(frame, silent, late)


class OwnTap:
    """A `FrameSink` for what the leg's own input gives to the room: what the mixer made of what came in."""

    __slots__ = ("_capture",)

    def __init__(self, capture: LegCapture) -> None:
        self._capture = capture

    def send_frame(self, frame: bytes, silent: bool, late: bool) -> None:
        """One tick's."""
        self._capture.frame(OWN, frame, silent)


class CapturedInput:
    """A live input whose audio is kept."""

    __slots__ = ("_capture", "_track", "_under")

    def __init__(self, capture: LegCapture, under: AudioInput, track: str) -> None:
        self._capture = capture
        self._under = under
        self._track = track

    @property
    def phase(self) -> int:
        return self._under.phase

    def push(self, payload: bytes | memoryview, now: float) -> None:
        self._under.push(payload, now)
        self._capture.media("call", self._track, bytes(payload), now)

    def look(self) -> InputLook:
        return self._under.look()


class CapturedQueue:
    """A play queue of which it is kept what goes in."""

    __slots__ = ("_capture", "_under")

    def __init__(self, capture: LegCapture, under: PlayInput) -> None:
        self._capture = capture
        self._under = under

    def play(self, payload: bytes | memoryview) -> int:
        if payload:
            self._capture.queued(bytes(payload))
        return self._under.play(payload)

    def mark(self, name: str) -> None:
        self._capture.queued(name=name)
        self._under.mark(name)

    def clear(self) -> None:
        self._capture.queued()
        self._under.clear()

    def look(self) -> InputLook:
        return self._under.look()


class CapturedPlaySink:
    """Who is told what becomes of a play queue, and tells the call."""

    __slots__ = ("_capture", "_under")

    def __init__(self, capture: LegCapture, under: PlaySink) -> None:
        self._capture = capture
        self._under = under

    def played(self, name: str) -> None:
        self._capture.ack(name)
        self._under.played(name)

    def cleared(self, dropped: tuple[str, ...]) -> None:
        self._capture.ack(None)
        self._under.cleared(dropped)

    def ran_dry(self, underrun: bool) -> None:
        self._under.ran_dry(underrun)
