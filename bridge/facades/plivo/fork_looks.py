"""How the streams of a conference look to whoever runs it: plain values, and an end to any of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from urllib.parse import urlsplit

from bridge.errors import NoSuchRoom
from bridge.facades.plivo.fork import Fork
from bridge.facades.plivo.fork_course import ForkCourse
from bridge.status import (
    ParticipantStatus,
    PlayStatus,
    RoomStatus,
    StreamsStatus,
    StreamState,
    StreamStatus,
)

RECENT_S = 60.0
"""What ended is still shown for so long, so that one can read why."""
MAX_SHOWN = 100
"""Streams and parts of one conference that are looked at, which is done between two ticks: 2 ms."""
MAX_GAPS_SHOWN = 5

_STATES: dict[str, StreamState] = {
    "connecting": "dialling",
    "connected": "connected",
    "interrupted": "interrupted",
    "closed": "ending",
}


class ForkLooks:
    """What streams do in one conference; its names are the conference's and the streams' ids."""

    def __init__(self, course: ForkCourse, now: Callable[[], float] = time.time) -> None:
        self._course = course
        self._now = now

    def look(self, application_id: str, conference_id: str, room: RoomStatus) -> StreamsStatus:
        """The streams of a conference and its calls, lately ended ones, too; `room` is how it looks now."""
        now = self._now()
        forks = self._course.records.in_conference(application_id, conference_id, now - RECENT_S)
        for fork in forks:
            if fork.request.bidirectional:
                self._course.turns.refresh(fork)
        return streams_of(forks, room, now)

    async def end(self, application_id: str, conference_id: str, stream_id: str) -> None:
        """End one that lives there, or a part of one. Raises NoSuchRoom."""
        for fork in self._course.records.live(application_id):
            if fork.id == stream_id and fork.conference_id == conference_id:
                await self._course.stop(fork)
                return
        raise NoSuchRoom("stream not found")


def streams_of(forks: Sequence[Fork], room: RoomStatus, now: float) -> StreamsStatus:
    """`forks` in their order, each with its parts, the lately ended ones behind those that live.

    Where not all can be shown, whole streams go before parts of any.
    """
    shown: list[StreamStatus] = []
    left, left_out = max(0, MAX_SHOWN - len(forks)), max(0, len(forks) - MAX_SHOWN)
    for fork in forks[:MAX_SHOWN]:
        parts = list(fork.children.values())
        parts += (part for part in fork.ended_children if now - (part.ended_at or now) < RECENT_S)
        kept = parts[:left]
        left -= len(kept)
        left_out += len(parts) - len(kept)
        shown.append(_stream(fork, room, now, [_stream(part, room, now, ()) for part in kept]))
    return StreamsStatus(shown, left_out)


def _stream(fork: Fork, room: RoomStatus, now: float, parts: Iterable[StreamStatus]) -> StreamStatus:
    seat = room.participants.get(fork.seat_id)
    sums, request, ledger = fork.sums(), fork.request, fork.ledger
    waiting = [(fork, seat)]
    waiting += ((part, room.participants.get(part.seat_id)) for part in fork.children.values())
    gaps = [gap for track in ledger.tracks.values() for gap in track.gaps[-MAX_GAPS_SHOWN:]]
    gaps = sorted(gaps, key=attrgetter("from_ms"))[-MAX_GAPS_SHOWN:]
    all_gaps = sum(len(track.gaps) + track.more_gaps for track in ledger.tracks.values())
    states = Counter(_state(part, room) for part in fork.children.values())
    return StreamStatus(
        id=fork.id,
        name=fork.name,
        host=_host(request.service_url),
        participant_id=fork.participant_id,
        bot_id=fork.bot_id,
        track=request.audio_track,
        format=request.audio_format.title,
        state=_state(fork, room),
        seconds=round(max(0.0, (fork.ended_at or now) - (fork.started_at or fork.created_at))),
        attempts=ledger.attempts,
        reconnects=fork.reconnects,
        end=": ".join(filter(None, (fork.ending.reason, fork.ending.detail))) if fork.ending else "",
        waiting_ms=round(max(look.leg.backlog_ms if look else 0.0 for _, look in waiting)),
        waiting_share=round(max(one.ledger.unsent_share for one, _ in waiting), 3),
        captured=sums.captured,
        delivered=sums.delivered,
        lost=sums.lost,
        gaps=gaps,
        more_gaps=all_gaps - len(gaps),
        play=_play(fork, seat) if request.bidirectional else None,
        roster=fork.roster,
        part_states=states,
        parts=tuple(parts),
    )


def _play(fork: Fork, seat: ParticipantStatus | None) -> PlayStatus:
    queue = seat.inputs.get("primary") if seat is not None else None
    queued_ms = round(queue.look.depth_ms) if queue is not None else 0
    turns, underruns = fork.turns, fork.ledger.underruns
    if turns is None:
        return PlayStatus(queued_ms, underruns)
    delay = turns.response_delay
    return PlayStatus(queued_ms, underruns, delay.p50, delay.p95, turns.barge_in.p50)


def _state(fork: Fork, room: RoomStatus) -> StreamState:
    if fork.over.is_set():
        return "ended"
    if fork.ending is not None:
        return "ending"
    if fork.roster:
        return "dialling" if fork.started_at is None else "connected"
    seat = room.participants.get(fork.seat_id)
    return "dialling" if seat is None else _STATES.get(seat.leg.state, "dialling")


def _host(url: str) -> str:
    """Without user, path and query."""
    return urlsplit(url).netloc.rpartition("@")[2]
