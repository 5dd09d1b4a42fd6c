"""In place of the stream API: which streams there are, and how they look, is said by the test."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from bridge.core.ports import Gap
from bridge.errors import NoSuchRoom
from bridge.people import Participant
from bridge.status import PlayStatus, RoomStatus, StreamsStatus, StreamStatus

AN_HOUR_AGO_MS = 1_780_000_000_000


@dataclass
class StagedStreams:
    """The streams of each conference, as the pages' port wants them."""

    shown: dict[str, list[StreamStatus]] = field(default_factory=dict)
    """Conference → its streams."""
    left_out: int = 0
    applications: dict[str, str] = field(default_factory=dict)
    """Conference → whose it is, where that is to be checked."""
    ended: list[str] = field(default_factory=list)
    looks: int = 0

    def look(self, application_id: str, conference_id: str, room: RoomStatus) -> StreamsStatus:
        self.looks += 1
        return StreamsStatus(tuple(self.shown.get(conference_id, ())), self.left_out)

    async def end(self, application_id: str, conference_id: str, stream_id: str) -> None:
        streams = self.shown.get(conference_id, [])
        known = {one.id for stream in streams for one in (stream, *stream.parts)}
        mine = self.applications.get(conference_id, application_id) == application_id
        if stream_id not in known or not mine:
            raise NoSuchRoom("stream not found")
        self.ended.append(stream_id)
        self.shown[conference_id] = [stream for stream in streams if stream.id != stream_id]

    # --- for the test ---

    def add(self, conference_id: str, stream: StreamStatus) -> StreamStatus:
        self.shown.setdefault(conference_id, []).append(stream)
        return stream

    def change(self, conference_id: str, stream_id: str, **more: Any) -> None:
        streams = self.shown[conference_id]
        self.shown[conference_id] = [
            replace(stream, **more) if stream.id == stream_id else stream for stream in streams
        ]


def stream(stream_id: str = "s1", of: Participant | None = None, **more: Any) -> StreamStatus:
    """One that goes well: of somebody's call, or of the conference."""
    given: dict[str, Any] = {
        "name": "captions.example.com",
        "host": "captions.example.com",
        "participant_id": of.id if of else None,
        "bot_id": None,
        "track": "inbound",
        "format": "L16 16 kHz",
        "state": "connected",
        "seconds": 247,
        "attempts": 1,
        "waiting_ms": 20,
        "captured": 12_350,
        "delivered": 12_349,
    }
    return StreamStatus(stream_id, **given | more)


def playing(**more: Any) -> PlayStatus:
    """A bot that answers."""
    given: dict[str, Any] = {
        "queued_ms": 420,
        "underruns": 0,
        "response_p50_ms": 640,
        "response_p95_ms": 980,
        "barge_in_p50_ms": 210,
    }
    return PlayStatus(**given | more)


def gaps(number: int) -> tuple[Gap, ...]:
    """So many stretches of half a second that were lost."""
    starts = (AN_HOUR_AGO_MS + 10_000 * index for index in range(number))
    return tuple(Gap(start, start + 500) for start in starts)
