"""What all live outputs of a room share: one encoder process, fed once however many of them there are."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping

from bridge.core.ports import PTIME_MS, FrameSink, OutputPort
from bridge.errors import BridgeError
from bridge.outputs.live_encoder import EncoderFigures, LiveEncoder
from bridge.outputs.live_wire import Levels
from bridge.outputs.record import PROGRAM, Begun, Joined, Left, Named, Record, Talked
from bridge.outputs.track_feed import TrackFeed

log = logging.getLogger(__name__)

CHUNK_TICKS = 5
"""So much is told at once: 100 ms."""
LEVEL_TICKS = 10
"""Levels are looked at this often, five times a second."""
_MOST_LEVELS = 50
"""Of the loudest."""


class RoomEncoder:
    """`enter` for each output, `leave` at its end: the process lives as long as somebody is in.

    Every output of the room opens the program with `program`, and passes on what it is told of the room. A
    tick counts once, and so does a person who comes: so it does not matter which output goes, or when.
    """

    def __init__(
        self,
        room: str,
        title: str,
        encoder: Callable[[str, str, Callable[[str], None]], LiveEncoder] = lambda room, title, on_trouble: (
            LiveEncoder(room, title, on_trouble=on_trouble)
        ),
    ) -> None:
        """`title` stands above the picture. `encoder` makes one of room, title and who hears of trouble."""
        self.room = room
        self.encoder = encoder(room, title, self._trouble)
        self.trouble = ""
        self._users: dict[str, Callable[[str], None]] = {}
        self._levels_of: dict[str, Callable[[], Mapping[str, int]]] = {}
        """User → where levels are to be had; empty: nobody wants them."""
        self._levels: dict[str, int] = {}
        self._levels_at = 0
        self._starting = asyncio.Lock()
        self._feed: TrackFeed | None = None
        self._told = 0
        self._names: dict[str, str] = {}
        self._talking: set[str] = set()

    @property
    def users(self) -> int:
        """How many are in."""
        return len(self._users)

    def enter(self, name: str, on_trouble: Callable[[str], None]) -> None:
        """One more output; `on_trouble` hears when the process dies, and "" later."""
        self._users[name] = on_trouble

    def leave(self, name: str) -> None:
        """One less. With the last one, `stop` is to follow."""
        self._users.pop(name, None)
        self._levels_of.pop(name, None)

    def watch_levels(self, name: str, levels: Callable[[], Mapping[str, int]]) -> None:
        """That user is to be told how loud everybody is, whenever that changes; `levels` gives it."""
        self._levels_of[name] = levels

    async def start(self, port: OutputPort) -> None:
        """Begin, unless that was done. Raises BridgeError when the system grants no process."""
        async with self._starting:
            if self._feed is not None:
                return
            try:
                await self.encoder.start()
            except OSError as error:
                why = os.strerror(error.errno) if error.errno else "no reason given"
                raise BridgeError(f"the live encoder cannot be begun: {why}") from None
            self._feed = TrackFeed(port.tick, self._put, chunk_ticks=CHUNK_TICKS)
            began_ms = port.sound_ms() + PTIME_MS
            self._feed.tell(Begun("live", self.room, 0, began_ms))

    @property
    def program(self) -> FrameSink:
        """Takes the room's mix, from any number of outputs."""
        return self._started.track(PROGRAM)

    def joined(self, participant_id: str, name: str) -> None:
        """Passed over when it is known already, as with all of these."""
        if participant_id not in self._names:
            self._names[participant_id] = name
            self._started.tell(Joined(self._started.tick, participant_id, name))

    def left(self, participant_id: str) -> None:
        if self._names.pop(participant_id, None) is not None:
            self._talking.discard(participant_id)
            self._started.tell(Left(self._started.tick, participant_id))

    def named(self, participant_id: str, name: str) -> None:
        if self._names.get(participant_id, name) != name:
            self._names[participant_id] = name
            self._started.tell(Named(self._started.tick, participant_id, name))

    def talked(self, participant_id: str, talking: bool) -> None:
        if participant_id in self._names and talking != (participant_id in self._talking):
            (self._talking.add if talking else self._talking.discard)(participant_id)
            self._started.tell(Talked(self._started.tick, participant_id, talking))

    @property
    def tick(self) -> int:
        """The one that comes next, as the encoder counts."""
        return self._started.tick

    def flush(self) -> None:
        """What was heard goes to the encoder now."""
        if self._feed is not None:
            self._feed.flush()

    async def stop(self) -> None:
        """End the process, with all outputs that are still in it."""
        async with self._starting:
            if self._feed is not None:
                self._feed.end()
                await self.encoder.stop()

    def figures(self) -> EncoderFigures:
        """Of the process."""
        return self.encoder.figures()

    @property
    def _started(self) -> TrackFeed:
        assert self._feed is not None, "start comes first"
        return self._feed

    def _put(self, records: list[Record], until: int) -> None:
        since, self._told = self._told, until
        if until - self._levels_at >= LEVEL_TICKS:
            self._levels_at = until
            if self._levels_of:  # looks at every participant: not in the tick, which this is
                asyncio.get_running_loop().call_soon(self._tell_levels)
        self.encoder.passed(since, until, records)

    def _tell_levels(self) -> None:
        """As of now. All users hear the same room, but one that ends is deaf."""
        if not self._levels_of:
            return
        heard = next((found for levels in self._levels_of.values() if (found := levels())), {})
        loudest = sorted(heard.items(), key=lambda level: -level[1])[:_MOST_LEVELS]
        levels = {who: level for who, level in loudest if level > 0}
        if levels != self._levels:
            self._levels = levels
            self.encoder.levels(Levels(self._told, levels))

    def _trouble(self, why: str) -> None:
        self.trouble = why
        for hears in [*self._users.values()]:
            hears(why)
