"""What an output is told of a room: its sound, tick by tick, and what happened. Plain values.

A *stretch* is what is recorded without a pause; its ticks (20 ms) count from 0 and follow the conference's
clock, whatever is missing. Where a track has no `Sound` it was silent; what is not known is `Lost`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from bridge.core.ports import PTIME_MS

RATE_HZ = 48_000
FRAME_SAMPLES = RATE_HZ * PTIME_MS // 1000
FRAME_BYTES = 2 * FRAME_SAMPLES
PROGRAM = "program"
"""The track of the whole room's mix; the others are called by their participants' ids."""

EndCause = Literal["stopped", "paused", "conference ended", "restart", "died"]
"""`restart`: the server was shut down; `died`: it was not, and the end was found at the next start."""


class Value(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """One of those below."""


class Begun(Value, frozen=True):
    """A stretch begins."""

    recording: str
    room: str
    stretch: int
    """From 0, over all runs of the server."""
    began_ms: int
    """When its tick 0 sounded, Unix ms."""


class Sound(Value, frozen=True):
    """What a track sounded like from `tick` on."""

    track: str
    tick: int
    pcm: bytes
    """Signed 16-bit, little-endian, mono, 48 kHz; whole ticks."""


class Joined(Value, frozen=True):
    """A participant has a leg, now or before the stretch began."""

    tick: int
    participant: str
    name: str


class Left(Value, frozen=True):
    """It has none any more; who comes back joins again."""

    tick: int
    participant: str


class Named(Value, frozen=True):
    """A participant is called something else."""

    tick: int
    participant: str
    name: str


class Talked(Value, frozen=True):
    """A participant began or ceased to talk."""

    tick: int
    participant: str
    talking: bool


class Lost(Value, frozen=True):
    """Nobody knows how it sounded from `tick` until before `until`: a hole, on every track."""

    tick: int
    until: int
    why: str


class Ended(Value, frozen=True):
    """The stretch is over at `tick`; nothing follows."""

    tick: int
    why: EndCause


Record = Begun | Sound | Joined | Left | Named | Talked | Lost | Ended
"""In the order of their ticks, but for what of one chunk belongs to the same ticks."""
