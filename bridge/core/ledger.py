"""The books of a stream to a service: what was captured, what arrived, what was lost. One writer, its leg.

A frame is 20 ms of one track. At any moment `captured = delivered + lost + waiting`, and nothing waits once
the stream has ended. Delivered: the service has confirmed that it received it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

MAX_GAPS = 100
"""Gaps that are listed one by one; later ones are only counted."""


class StreamEnd(StrEnum):
    """How a stream ends by itself: what the `cause` of its leg's end begins with."""

    CONNECT_FAILED = "connect failed"
    """No attempt came through; why is said behind a colon."""
    SERVICE_CLOSED = "service closed"
    """The service meant to end it."""
    CONNECTION_LOST = "connection lost"
    TOO_SLOW = "too slow"
    """The service has not taken what was held for it."""
    NOT_UNDERSTOOD = "not understood"
    """The service said nothing but rubbish."""
    TIMEOUT = "stream timeout"

    @classmethod
    def of(cls, cause: str) -> StreamEnd | None:
        """Which one a leg's cause means; None when somebody ended the stream."""
        return next((end for end in cls if cause.partition(":")[0] == end.value), None)


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of a track that was lost; Unix milliseconds of the sound, `to_ms` exclusive."""

    from_ms: int
    to_ms: int


@dataclass(slots=True)
class TrackLedger:
    """One track, in frames."""

    captured: int = 0
    delivered: int = 0
    lost: int = 0
    gaps: list[Gap] = field(default_factory=list)
    more_gaps: int = 0

    def lose(self, from_ms: int, to_ms: int, frames: int) -> None:
        """`frames` of sound between two moments will never arrive; a stretch that goes on is one gap."""
        self.lost += frames
        if self.gaps and self.gaps[-1].to_ms == from_ms:
            self.gaps[-1] = Gap(self.gaps[-1].from_ms, to_ms)
        elif len(self.gaps) < MAX_GAPS:
            self.gaps.append(Gap(from_ms, to_ms))
        else:
            self.more_gaps += 1


@dataclass(slots=True)
class StreamLedger:
    """A stream from its beginning to its end."""

    tracks: dict[str, TrackLedger] = field(default_factory=dict)
    connects: int = 0
    """Connections that were opened and greeted."""
    attempts: int = 0
    connected_at: float | None = None
    """Unix seconds of the first connection."""
    ended_at: float | None = None
    unsent_share: float = 0.0
    """Of what may be held, 0…1: own queue, transport and kernel together."""
    played_ms: float = 0.0
    """Audio of the service that was taken into the play queue."""
    refused_ms: float = 0.0
    """Audio of the service there was no room for."""
    converted: int = 0
    """Messages in another format than the stream's, which were converted."""
    malformed: int = 0
    checkpoints: int = 0
    clears: int = 0
    underruns: int = 0
    digits: int = 0
