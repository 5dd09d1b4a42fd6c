"""Rooms with live outputs: each has one encoder, fed from its taps, as long as there is an output."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from bridge.core.ports import PTIME_MS, OutputPort
from bridge.outputs.live_encoder import LiveEncoder
from bridge.outputs.live_wire import Caption
from bridge.outputs.record import PROGRAM, Begun, Joined, Left, Named, Record, Talked
from bridge.outputs.track_feed import TrackFeed

CHUNK_TICKS = 5
"""A player hears everything later by as much; less costs more messages."""

MakeEncoder = Callable[[str, Callable[[str], None]], LiveEncoder]


class LiveFeed:
    """A room's encoder, and what feeds it.

    Every output taps the program and tells who is there: whichever ends, the others go on. Told twice, a
    frame or a participant counts once.
    """

    def __init__(self, port: OutputPort, make: MakeEncoder) -> None:
        self.ports: list[OutputPort] = []
        self.room_id = port.room_id
        self.encoder = make(port.room_id, self._trouble)
        self.trouble = ""
        self._tick = port.tick
        self._began_ms = port.sound_ms() + PTIME_MS
        self._until = 0
        self._feed = TrackFeed(port.tick, self._put, chunk_ticks=CHUNK_TICKS)
        self._sink = self._feed.track(PROGRAM)
        self._begun: Begun | None = Begun("live", port.room_id, 0, self._began_ms)

    def tap(self, port: OutputPort) -> None:
        """One more output listens."""
        self.ports.append(port)
        port.open_program(self._sink)

    def flush(self) -> None:
        """Give on what was heard up to now."""
        self._feed.flush()

    def joined(self, participant: str, name: str) -> None:
        """Somebody is there."""
        self._feed.tell(Joined(self._feed.tick, participant, name))

    def left(self, participant: str) -> None:
        """Somebody is not any more."""
        self._feed.tell(Left(self._feed.tick, participant))

    def named(self, participant: str, name: str) -> None:
        """Somebody is called something else."""
        self._feed.tell(Named(self._feed.tick, participant, name))

    def talked(self, participant: str, talking: bool) -> None:
        """Somebody began or ceased to talk."""
        self._feed.tell(Talked(self._feed.tick, participant, talking))

    def caption(self, from_ms: float, until_ms: float, text: str, speaker: str) -> None:
        """Something was said, from when to when by the conference's clock, Unix ms."""
        tick, until = (max(0, int((at - self._began_ms) / PTIME_MS)) for at in (from_ms, until_ms))
        self.encoder.caption(Caption(tick, until, text, speaker))

    def _put(self, records: list[Record], until: int) -> None:
        if self._begun is not None:
            records = [self._begun, *records]
            self._begun = None
        since, self._until = self._until, until
        self.encoder.passed(since, until, records)

    def _trouble(self, why: str) -> None:
        self.trouble = why
        for port in self.ports:
            port.report(why)


class LiveRooms:
    """Which rooms have an encoder. All on the event loop's thread."""

    def __init__(self, make: MakeEncoder | None = None) -> None:
        self._make = make or (lambda room, on_trouble: LiveEncoder(room, on_trouble=on_trouble))
        self._feeds: dict[str, LiveFeed] = {}
        self._changing = asyncio.Lock()

    async def enter(self, port: OutputPort) -> LiveFeed:
        """For one more output; the first one of a room begins its encoder. Raises OSError."""
        async with self._changing:
            feed = self._feeds.get(port.room_id)
            if feed is None:
                feed = LiveFeed(port, self._make)
                await feed.encoder.start()
                self._feeds[port.room_id] = feed
            feed.tap(port)
            return feed

    async def leave(self, feed: LiveFeed, port: OutputPort) -> None:
        """An output is over; with the last one of a room its encoder ends, when all is finished."""
        async with self._changing:
            with contextlib.suppress(ValueError):
                feed.ports.remove(port)
            if not feed.ports and self._feeds.get(feed.room_id) is feed:
                del self._feeds[feed.room_id]
                await feed.encoder.stop()

    def of(self, room_id: str) -> LiveFeed | None:
        """A room's, when it has live outputs: for captions."""
        return self._feeds.get(room_id)

    @property
    def encoders(self) -> list[LiveEncoder]:
        """All that run, for the metrics."""
        return [feed.encoder for feed in self._feeds.values()]
