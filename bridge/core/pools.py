"""All pools of inputs, one for each kind and format, and where their rows play."""

from __future__ import annotations

from bridge.core.events import CoreEvent, MarkPlayed, QueueCleared, QueueRanDry
from bridge.core.feeds import Feed
from bridge.core.intake import OpusPool, PlayoutPool, QueuePool, RowCleared, RowDry, RowMark
from bridge.core.pool import Pool
from bridge.core.ports import AudioFormat, InputLook
from bridge.core.room import Input
from bridge.core.settings import CoreSettings

_COUNTERS = ("frames_in", "concealed", "recovered", "dropped", "lost", "corrected", "underruns")


class Pools:
    """Makes pools when they are first needed, and keeps the counters of inputs that were closed."""

    def __init__(self, settings: CoreSettings) -> None:
        self._settings = settings
        self._playout: dict[AudioFormat, PlayoutPool] = {}
        self._queues: dict[AudioFormat, QueuePool] = {}
        self._packets: OpusPool | None = None
        self.feeds: dict[int, Feed] = {}
        """By the id of their pool."""
        self._queue_inputs: dict[tuple[int, int], Input] = {}
        """Play queues by (id of the pool, row), for their events."""
        self.inputs: set[Input] = set()
        self._closed = dict.fromkeys(_COUNTERS, 0)

    def playout(self, audio_format: AudioFormat) -> PlayoutPool:
        """The pool for live raw audio of that format."""
        if audio_format not in self._playout:
            self._playout[audio_format] = PlayoutPool(audio_format, self._settings.playout)
            self._add(self._playout[audio_format])
        return self._playout[audio_format]

    def packets(self) -> OpusPool:
        """The pool for Opus."""
        if self._packets is None:
            self._packets = OpusPool(self._settings.opus_rate_hz, self._settings.playout)
            self._add(self._packets)
        return self._packets

    def queue(self, audio_format: AudioFormat) -> QueuePool:
        """The pool of play queues of that format."""
        if audio_format not in self._queues:
            self._queues[audio_format] = QueuePool(audio_format, self._settings.queue)
            self._add(self._queues[audio_format])
        return self._queues[audio_format]

    def feed(self, pool: Pool) -> Feed:
        """Where the rows of `pool` play."""
        return self.feeds[id(pool)]

    def opened(self, made: Input) -> None:
        """Keep an input that was opened."""
        self.inputs.add(made)
        if isinstance(made.pool, QueuePool):
            self._queue_inputs[id(made.pool), made.row] = made

    def unplug(self, old: Input) -> None:
        """It plays no more; what it counted stays in the totals. `close` is to follow."""
        old.open = False
        self.feed(old.pool).unplug(old.row)
        look = old.pool.look(old.row)
        for name in _COUNTERS:
            self._closed[name] += getattr(look, name)
        self.inputs.discard(old)
        self._queue_inputs.pop((id(old.pool), old.row), None)

    def close(self, old: Input) -> None:
        """Give its row back."""
        old.pool.close(old.row)

    def events(self) -> list[CoreEvent]:
        """What happened in the play queues since the last call."""
        events: list[CoreEvent] = []
        for pool in self._queues.values():
            for row, event in pool.drain():
                source = self._queue_inputs.get((id(pool), row))
                if source is None:
                    continue
                room, slot = source.room.name, source.slot.name
                match event:
                    case RowMark(name):
                        events.append(MarkPlayed(room, slot, name))
                    case RowCleared(dropped):
                        events.append(QueueCleared(room, slot, tuple(dropped)))
                    case RowDry(underrun):
                        events.append(QueueRanDry(room, slot, underrun))
        return events

    def totals(self) -> tuple[dict[str, int], tuple[float, ...]]:
        """Every counter over all inputs there ever were, and the depth of every open one in ms."""
        sums, depths = dict(self._closed), []
        for one in self.inputs:
            look: InputLook = one.pool.look(one.row)
            depths.append(look.depth_ms)
            for name in _COUNTERS:
                sums[name] += getattr(look, name)
        return sums, tuple(depths)

    def _add(self, pool: Pool) -> None:
        self.feeds[id(pool)] = Feed(pool)
