"""What of one stretch is not known to be on the disk yet: a bounded queue. Pure.

What does not fit pushes out the oldest; that becomes a hole, which remembers who came and went in it. What
was handed over and then pushed out may have been written all the same: then it is no hole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bridge.outputs.record import Begun, Joined, Left, Lost, Named, Record, Sound, Talked
from bridge.outputs.record_log import pack


@dataclass(slots=True)
class Waiting:
    """One batch, or the hole that several have become (`payload` None)."""

    sequence: int
    """Of its newest batch."""
    since: int
    until: int
    payload: bytes | None
    events: list[tuple[int, Record]] = field(default_factory=list)
    """What happened in it, with the sequence number of its batch."""
    sent: bool = False
    was_sound: bool = False
    """A hole whose batches had been handed over before they were pushed out."""
    why: str = "it could not be written"

    @property
    def size(self) -> int:
        return 0 if self.payload is None else len(self.payload)


class LogQueue:
    """Batches of one stretch, in order: put, handed over within a window, acknowledged.

    At most `max_ticks` and `max_bytes` wait; at most `window_bytes` are handed over and not acknowledged.
    """

    def __init__(
        self, begun: Begun, *, max_ticks: int = 1500, max_bytes: int = 48 << 20, window_bytes: int = 4 << 20
    ) -> None:
        self._begun = begun
        self._max_ticks = max_ticks
        self._max_bytes = max_bytes
        self._window_bytes = window_bytes
        self._waiting: deque[Waiting] = deque()
        self._there: dict[str, Joined] = {}  # who is there, as the log's durable part knows
        self._sequence = 0
        self._in_window = 0
        self.acknowledged = 0
        """Sequence number of the newest durable batch."""
        self.durable_until = 0
        """Ticks before this one are told of on the disk."""
        self.until = 0
        """Ticks before this one were told to us."""
        self.bytes = 0
        """Of sound and events that wait here."""
        self.holes = 0
        self.lost_ticks = 0
        """Of holes that are on the disk as such, and will stay."""

    def put(self, records: Sequence[Record], until: int) -> None:
        """All there is to tell of the ticks until before `until`."""
        self._sequence += 1
        until = max(until, self.until)
        made = Waiting(self._sequence, self.until, until, pack(records))
        made.events = [(made.sequence, one) for one in records if not isinstance(one, Sound | Talked | Lost)]
        self.until = until
        self.bytes += made.size
        self._waiting.append(made)
        while self._full() and self.push_out():
            pass

    @property
    def newest(self) -> int:
        """Sequence number of the newest batch."""
        return self._sequence

    def to_send(self) -> Iterator[Waiting]:
        """What may be handed over now; say `sent` of each that was."""
        for one in self._waiting:
            if one.sent:
                continue
            if self._in_window >= self._window_bytes:
                return
            yield one

    def payload_of(self, one: Waiting) -> bytes:
        """What is to stand in the log for it."""
        if one.payload is not None:
            return one.payload
        kept = _newest_of_each([record for _, record in one.events])
        first = [record for record in kept if isinstance(record, Begun)]
        lost = Lost(one.since, one.until, one.why)
        return pack([*first, lost, *(record for record in kept if not isinstance(record, Begun))])

    def sent(self, one: Waiting) -> None:
        """It was handed over."""
        one.sent = True
        self._in_window += one.size

    def acknowledge(self, sequence: int) -> None:
        """Everything up to `sequence` is durable."""
        while self._waiting and self._waiting[0].sequence <= sequence:
            one = self._waiting.popleft()
            self._forget(one)
            self._settle([record for _, record in one.events])
            self.acknowledged = one.sequence
            self.durable_until = one.until
            if one.payload is None and not one.was_sound:
                self.holes += 1
                self.lost_ticks += one.until - one.since

    def reopened(self, sequence: int, until: int) -> None:
        """The log was opened (again): it holds what was told up to `sequence`, that is, before tick `until`.

        Everything behind it is to be handed over once more.
        """
        before = self.acknowledged, self.durable_until
        self.acknowledge(sequence)
        self.acknowledged, self.durable_until = sequence, until
        for one in self._waiting:
            one.sent = one.was_sound = False
        self._in_window = 0
        if self._waiting and self._waiting[0].payload is None:
            self._join_holes()
            first = self._waiting[0]
            first.since = max(first.since, until)
            self._settle([record for number, record in first.events if number <= sequence])
            first.events = [event for event in first.events if event[0] > sequence]
        if sequence < before[0]:
            self._begin_anew(sequence, until, *before)

    def _begin_anew(self, sequence: int, until: int, acknowledged: int, durable_until: int) -> None:
        """The log, or its end, is gone though it had been durable: that is a hole, and all are introduced."""
        events: list[tuple[int, Record]] = [
            (acknowledged, Joined(max(one.tick, until), one.participant, one.name))
            for one in self._there.values()
        ]
        if sequence == 0:
            events.insert(0, (acknowledged, self._begun))
        gone = Waiting(acknowledged, until, durable_until, None, events, why="the log was lost")
        self._waiting.appendleft(gone)

    def _full(self) -> bool:
        sounding = next((one for one in self._waiting if one.payload is not None), None)
        if sounding is None:
            return False
        return self.bytes > self._max_bytes or self.until - sounding.since > self._max_ticks

    def push_out(self) -> bool:
        """The oldest batch goes; it becomes a hole, or part of one. False when only the newest is left."""
        place = next(
            (at for at, one in enumerate(self._waiting) if one.payload is not None), len(self._waiting)
        )
        if place >= len(self._waiting) - 1:
            return False
        oldest = self._waiting[place]
        self.bytes -= oldest.size
        if oldest.sent:
            self._in_window -= oldest.size
        hole = self._waiting[place - 1] if place else None
        if hole is not None and hole.sent == oldest.sent and hole.was_sound == oldest.sent:
            _widen(hole, oldest)
            del self._waiting[place]
        else:
            oldest.payload, oldest.was_sound = None, oldest.sent
        return True

    def _join_holes(self) -> None:
        while len(self._waiting) > 1 and self._waiting[1].payload is None:
            _widen(self._waiting[0], self._waiting[1])
            del self._waiting[1]

    def _forget(self, one: Waiting) -> None:
        self.bytes -= one.size
        if one.sent:
            self._in_window -= one.size

    def _settle(self, records: Sequence[Record]) -> None:
        for record in records:
            if isinstance(record, Joined):
                self._there[record.participant] = record
            elif isinstance(record, Named) and record.participant in self._there:
                self._there[record.participant] = Joined(record.tick, record.participant, record.name)
            elif isinstance(record, Left):
                self._there.pop(record.participant, None)


def _widen(hole: Waiting, further: Waiting) -> None:
    hole.sequence, hole.until = further.sequence, further.until
    hole.events += further.events
    if len(hole.events) > 10_000:  # a conference where people come and go, and a disk that is full for days
        hole.events = _newest_of_each_event(hole.events)


def _newest_of_each_event(events: list[tuple[int, Record]]) -> list[tuple[int, Record]]:
    kept = {id(record) for record in _newest_of_each([record for _, record in events])}
    return [event for event in events if id(event[1]) in kept]


def _newest_of_each(records: Sequence[Record]) -> list[Record]:
    """Of each participant what was said last of each kind, in order; everything else as it is."""
    last: dict[object, Record] = {}
    for record in records:
        key: object = id(record)
        if isinstance(record, Joined | Left | Named):
            key = (record.participant, type(record))
        last.pop(key, None)  # the newest stands where it was said
        last[key] = record
    return list(last.values())
