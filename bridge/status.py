"""What can be seen of rooms, their participants, and the streams of their calls to services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bridge.core.ports import Gap, InputLook, InputName, LegLook

StreamState = Literal["dialling", "connected", "interrupted", "ending", "ended"]


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


@dataclass(frozen=True, slots=True)
class PlayStatus:
    """What a service plays back, and how it takes its turns (docs/turns.md). Times in ms."""

    queued_ms: int
    """Audio of the service that waits to be played."""
    underruns: int
    response_p50_ms: int | None = None
    """None where nothing was measured so far."""
    response_p95_ms: int | None = None
    barge_in_p50_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """A stream as people see it. Frames are 20 ms of one track; a roster's are all its parts'."""

    id: str
    name: str
    """What the service is called; its host where it has no name."""
    host: str
    """Of the service, with its port if it has one; nothing else of the address, which may hold secrets."""
    participant_id: str | None
    """Whose call is streamed. None: the conference."""
    bot_id: str | None
    """The participant that the service is, of a stream on a conference."""
    track: str
    format: str
    state: StreamState
    seconds: int
    """Since the service was reached; while it never was, since it was asked for. Up to the end."""
    attempts: int = 0
    reconnects: int = 0
    end: str = ""
    """Why it ended, or is about to."""
    waiting_ms: int = 0
    """Sound that the service has not taken."""
    waiting_share: float = 0.0
    """Of what can be held for it, 0…1. Of a roster: where it is most, as with `waiting_ms`."""
    captured: int = 0
    delivered: int = 0
    lost: int = 0
    gaps: Sequence[Gap] = ()
    """The last ones of those that are kept one by one."""
    more_gaps: int = 0
    play: PlayStatus | None = None
    """None for a service that only listens."""
    roster: bool = False
    """It has no socket of its own but one for every participant."""
    part_states: Mapping[StreamState, int] = field(default_factory=dict)
    """How many of its parts live, by state."""
    parts: Sequence[StreamStatus] = ()


@dataclass(frozen=True, slots=True)
class StreamsStatus:
    """The streams of a conference and its calls, oldest first."""

    streams: Sequence[StreamStatus] = ()
    left_out: int = 0
    """Streams and parts there are besides, when there are too many to be looked at."""
