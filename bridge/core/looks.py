"""What the mixer gives back: a tick's results, and what can be seen of it at any time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.core.encoders import EncodeJob
from bridge.core.events import CoreEvent
from bridge.core.outlet import FrameBatch
from bridge.core.ports import InputLook


@dataclass(frozen=True, slots=True)
class TickResult:
    """What 20 ms brought. The arrays and lists in it are the receiver's to read, not to change."""

    frames: list[FrameBatch]
    encodes: list[EncodeJob]
    events: list[CoreEvent]


@dataclass(frozen=True, slots=True)
class SlotLook:
    """One slot at this moment."""

    level_dbov: float = -127.0
    """Smoothed, -127…0 (RFC 6464 sends its negative)."""
    talking: bool = False
    input: InputLook | None = None
    """None while nothing is plugged in."""


@dataclass(frozen=True, slots=True)
class RoomLook:
    """One room at this moment."""

    rate_hz: int
    capacity: int
    slots: Mapping[str, SlotLook] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CoreFigures:
    """Totals for the metrics. Counters run from the start and never fall, whatever is closed meanwhile."""

    rooms: int
    slots: int
    inputs: int
    frame_outlets: int
    encoders: int
    """Encoders in use now."""
    banks: int
    silent_packets: int
    """Packets sent without encoding, since nothing sounded."""
    migrations: int
    """Times a room moved to another bank."""
    frames_in: int
    concealed: int
    recovered: int
    dropped: int
    lost: int
    corrected: int
    underruns: int
    depths_ms: tuple[float, ...]
    """Audio held by every open input."""
