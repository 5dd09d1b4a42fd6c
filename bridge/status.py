"""What can be seen of rooms and their participants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.core.ports import InputLook, InputName, LegLook


@dataclass(frozen=True, slots=True)
class InputStatus:
    """One input as people see it."""

    level_dbov: float
    talking: bool
    look: InputLook


@dataclass(frozen=True, slots=True)
class ParticipantStatus:
    """One connected participant as people see it."""

    leg: LegLook
    inputs: Mapping[InputName, InputStatus]


@dataclass(frozen=True, slots=True)
class RoomStatus:
    """A room as people see it; `participants` holds the connected ones."""

    rate_hz: int = 0
    capacity: int = 0
    participants: Mapping[str, ParticipantStatus] = field(default_factory=dict)
