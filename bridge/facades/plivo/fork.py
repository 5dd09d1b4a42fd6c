"""A stream that was asked for: what it is, how it goes, and how it ended."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from bridge.core.ledger import StreamEnd, StreamLedger, TrackLedger
from bridge.core.ports import CloseReason
from bridge.facades.plivo.rest_wire import StreamRequest
from bridge.turns.report import TurnReport

MAX_ENDED_CHILDREN = 200
"""Ended children of one parent that are listed one by one; of older ones only the sums are kept."""


class StatusEvent(StrEnum):
    """What a status callback tells."""

    START = "StartStream"
    STOP = "StopStream"
    DROPPED = "DroppedStream"
    DEGRADED = "DegradedStream"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a stream came to its end, in Plivo's words, and what else is known."""

    event: StatusEvent
    reason: str
    detail: str = ""


API_REQUEST = Ending(StatusEvent.STOP, "API request")
CALL_HANGUP = Ending(StatusEvent.STOP, "Call hangup")
TIMED_OUT = Ending(StatusEvent.STOP, "Stream timeout")
CONNECTION_ERROR = "Connection error"

_BY_REASON = {
    CloseReason.EXPELLED.value: API_REQUEST,
    CloseReason.ENDED.value: CALL_HANGUP,
    CloseReason.HANGUP.value: CALL_HANGUP,
}


def ending_of(cause: str) -> Ending:
    """What the cause of a leg's end means where nobody here asked for it."""
    end = StreamEnd.of(cause)
    if end is StreamEnd.TIMEOUT:
        return TIMED_OUT
    if end is None and cause in _BY_REASON:
        return _BY_REASON[cause]
    return Ending(StatusEvent.DROPPED, CONNECTION_ERROR, cause)


@dataclass(frozen=True, slots=True)
class Sums:
    """Of all tracks, in frames of 20 ms."""

    captured: int = 0
    delivered: int = 0
    lost: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.captured + other.captured, self.delivered + other.delivered, self.lost + other.lost)


@dataclass(slots=True, eq=False)
class Fork:
    """One stream. Changed by its `ForkCourse` only."""

    id: str
    application_id: str
    auth_id: str
    call_uuid: str
    """As it was asked for."""
    target_id: str
    """The participant's or conference's that it is a stream of."""
    conference_id: str
    request: StreamRequest
    start_id: str
    """`callId` of its `start`."""
    ends: tuple[str, str]
    """`From` and `To` of callbacks."""
    created_at: float
    """Unix seconds, as all times here."""
    participant_id: str | None = None
    """Of a stream on one call: whose. None: a stream on a conference."""
    bot_id: str | None = None
    """Of a stream on a conference: the participant that the service is."""
    parent: Fork | None = None
    roster: bool = False
    """It has no socket of its own but one for every participant."""
    ledger: StreamLedger = field(default_factory=StreamLedger)
    started_at: float | None = None
    ended_at: float | None = None
    ending: Ending | None = None
    """Set as soon as it is known, which may be before the end."""
    capture_id: str | None = None
    """Of the file in which it is kept, where that was asked for."""
    turns: TurnReport | None = None
    """Of a bidirectional one; of a live one as it was when somebody last asked."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    children: dict[str, Fork] = field(default_factory=dict)
    """Live ones."""
    ended_children: deque[Fork] = field(default_factory=deque)
    older: Sums = field(default_factory=Sums)
    older_children: int = 0

    @property
    def seat_id(self) -> str:
        """The switchboard's name for its place in the room."""
        return self.bot_id or self.id

    @property
    def name(self) -> str:
        """As callbacks call it."""
        return self.request.title

    @property
    def settled(self) -> bool:
        """It is over and its books are closed: after its end, what was held is sent for a moment longer."""
        closed = not self.ledger.tracks or self.ledger.ended_at is not None
        return self.ended_at is not None and closed and all(child.settled for child in self.ended_children)

    @property
    def status(self) -> str:
        """`initiated` until the service is reached, then `in-progress`, `completed` once it is settled."""
        if self.settled:
            return "completed"
        return "initiated" if self.started_at is None else "in-progress"

    def names(self) -> Iterator[str]:
        """Every `call_uuid` under which it is found."""
        yield from (self.call_uuid, self.target_id, self.start_id)
        if self.bot_id is not None:
            yield self.bot_id

    def duration_s(self, now: float) -> float:
        """How long it streamed, up to now or to its end."""
        if self.started_at is None:
            return 0.0
        return max(0.0, (self.ended_at or now) - self.started_at)

    @property
    def reconnects(self) -> int:
        """How often the service was reached again."""
        return max(0, self.ledger.connects - 1)

    def sums(self) -> Sums:
        """Of its own tracks and its children's."""
        total = self.older
        for track in self.ledger.tracks.values():
            total += sums_of(track)
        for child in (*self.children.values(), *self.ended_children):
            total += child.sums()
        return total

    def child_over(self, child: Fork) -> None:
        """Keep what is to be known of a child that ended."""
        if self.children.pop(child.id, None) is None:
            return
        self.ended_children.append(child)
        self.sum_up(MAX_ENDED_CHILDREN)

    def sum_up(self, keep: int = 0) -> None:
        """Of all but the last `keep` ended children only the sums are known from now on."""
        while len(self.ended_children) > keep:
            self.older += self.ended_children.popleft().sums()
            self.older_children += 1


def sums_of(track: TrackLedger) -> Sums:
    """What a track's books say in short."""
    return Sums(track.captured, track.delivered, track.lost)
