"""What the core and the legs report: plain values, drained or emitted, never callbacks into the core."""

from __future__ import annotations

from dataclasses import dataclass

# --- from a leg, through `LegPort.emit` ---


@dataclass(frozen=True, slots=True)
class LegConnected:
    """Media can flow: the peer is there."""


@dataclass(frozen=True, slots=True)
class LegInterrupted:
    """The peer is gone for the moment and may come back on the same leg."""

    cause: str = ""


@dataclass(frozen=True, slots=True)
class LegClosed:
    """The leg is over by the peer's doing or by failure; the bridge did not ask for it."""

    cause: str = ""


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """The peer pressed a key."""

    digit: str


@dataclass(frozen=True, slots=True)
class TextReceived:
    """The peer sent text on its data channel."""

    text: str


@dataclass(frozen=True, slots=True)
class FellBehind:
    """The peer does not take what is sent to it; `percent` of what may be held is waiting."""

    percent: int


LegEvent = LegConnected | LegInterrupted | LegClosed | DigitPressed | TextReceived | FellBehind

# --- from the core, drained after a tick; `room` and `slot` are the names given when opened ---


@dataclass(frozen=True, slots=True)
class TalkingChanged:
    """A slot began or ceased to sound."""

    room: str
    slot: str
    talking: bool
    ago_ms: int | None = None
    """How long before this tick's frame it truly did so; None: not known."""


@dataclass(frozen=True, slots=True)
class MarkPlayed:
    """Everything queued before the mark has left the mixer."""

    room: str
    slot: str
    name: str


@dataclass(frozen=True, slots=True)
class QueueCleared:
    """A play queue was emptied; `dropped` are the marks that will never be played."""

    room: str
    slot: str
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QueueRanDry:
    """A play queue became empty (`underrun`: in the middle of something)."""

    room: str
    slot: str
    underrun: bool


CoreEvent = TalkingChanged | MarkPlayed | QueueCleared | QueueRanDry
