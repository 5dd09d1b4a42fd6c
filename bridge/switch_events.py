"""What the switchboard says: plain values, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bridge.core.ports import InputName


@dataclass(frozen=True, slots=True)
class LegUp:
    """A participant's leg works."""

    room_id: str
    participant_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class LegInterruptedOn:
    """A participant's leg is silent for the moment."""

    room_id: str
    participant_id: str
    cause: str


@dataclass(frozen=True, slots=True)
class LegResumed:
    """A participant's leg works again."""

    room_id: str
    participant_id: str


@dataclass(frozen=True, slots=True)
class LegDown:
    """A participant has no leg any more. Not said when a newer one replaced it."""

    room_id: str
    participant_id: str
    cause: str


@dataclass(frozen=True, slots=True)
class MediaChanged:
    """A participant began or ceased to send on an input."""

    room_id: str
    participant_id: str
    input_name: InputName
    sending: bool


@dataclass(frozen=True, slots=True)
class Digit:
    """A participant pressed a key."""

    room_id: str
    participant_id: str
    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A participant's client sent text over its leg."""

    room_id: str
    participant_id: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Talking:
    """A participant began or ceased to sound."""

    room_id: str
    participant_id: str
    input_name: InputName
    talking: bool
    ago_ms: int | None = None
    """How long before the frame of this tick it truly did so; None: as long as the meter takes as a rule."""


@dataclass(frozen=True, slots=True)
class Behind:
    """A participant's peer does not take what is sent to it."""

    room_id: str
    participant_id: str
    percent: int
    """Of what may be held."""


@dataclass(frozen=True, slots=True)
class PlayEnded:
    """What a participant's service had queued was played to its end, cut, or ran dry in mid-sentence."""

    room_id: str
    participant_id: str
    how: Literal["played", "cut", "underrun"]


SwitchEvent = (
    LegUp
    | LegInterruptedOn
    | LegResumed
    | LegDown
    | MediaChanged
    | Digit
    | Text
    | Talking
    | Behind
    | PlayEnded
)
