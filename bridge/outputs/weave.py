"""A recording's log as blocks: the sound of one second on every track, silence where there is none.

All files are made of these blocks, so they line up by themselves: whoever joins late, drops out or is silent
has silence there, and stretches follow each other without their pauses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from bridge.outputs.record import FRAME_SAMPLES, Begun, Ended, Lost, Record, Sound
from bridge.outputs.record_reader import Poll, Told
from bridge.outputs.record_time import Hole, RecordTime, Stretch

BLOCK_TICKS: Final = 50


class Log(Protocol):
    """What a recording is read from."""

    def stretches(self) -> list[int]:
        """The numbers of those there are."""

    def told(self, stretch: int, follow: Poll | None = None) -> Iterator[Told]:
        """The stretch piece by piece; each piece begins where the last ended."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Up to a second of all tracks. Ticks are those of the files."""

    tick: int
    ticks: int
    sound: Mapping[str, NDArray[np.int16]]
    """Track → its samples, shape [ticks * FRAME_SAMPLES]; who is not here was silent."""
    happened: tuple[tuple[int, Record], ...]
    """What else was told, with the tick it belongs to, in order. A `Begun` has the stretch's first one."""

    @property
    def samples(self) -> int:
        """How long it is, at 48 kHz."""
        return self.ticks * FRAME_SAMPLES


class Weaver:
    """Takes what is told of stretch after stretch, gives blocks."""

    def __init__(self) -> None:
        self.tick = 0
        """How much has been given, in ticks of the files."""
        self._stretches: list[Stretch] = []
        self._start = 0
        """Where the stretch begins, in ticks of the files."""
        self._known = 0
        """Ticks of the stretch that are told of."""
        self._given = 0
        self._sounds: list[Sound] = []
        self._happened: list[tuple[int, Record]] = []

    @property
    def time(self) -> RecordTime:
        """The times of what has been given."""
        return RecordTime(tuple(self._stretches))

    def begin(self, stretch: int) -> None:
        """Another stretch begins; the one before it has been finished."""
        self._start, self._known, self._given = self.tick, 0, 0
        self._stretches.append(Stretch(stretch, 0, 0, self.tick))

    def take(self, told: Told) -> Iterator[Block]:
        """Take the next piece of the stretch; gives what is complete by now."""
        self._known = max(self._known, told.until)
        for record in told.records:
            self._note(record)
        while self._known - self._given >= BLOCK_TICKS:
            yield self._block(BLOCK_TICKS)

    def finish(self) -> Iterator[Block]:
        """The stretch is over: gives what is left of it."""
        if self._known > self._given or self._happened:
            yield self._block(self._known - self._given)

    def _note(self, record: Record) -> None:
        current = self._stretches[-1]
        match record:
            case Sound():
                self._sounds.append(record)
                return
            case Begun(began_ms=began_ms):
                self._stretches[-1] = replace(current, began_ms=began_ms)
                tick = 0
            case Lost(tick=tick, until=until, why=why):
                if until > tick:
                    self._stretches[-1] = replace(current, holes=(*current.holes, Hole(tick, until, why)))
            case Ended(tick=tick, why=cause):
                self._stretches[-1] = replace(current, why=cause)
            case _:
                tick = record.tick
        # What came late (its ticks are given already) counts from now on.
        self._happened.append((max(tick, self._given), record))

    def _block(self, ticks: int) -> Block:
        since, until = self._given, self._given + ticks
        sound: dict[str, NDArray[np.int16]] = {}
        rest: list[Sound] = []
        for record in self._sounds:
            pcm = np.frombuffer(record.pcm, "<i2")
            at = (record.tick - since) * FRAME_SAMPLES
            first, last = max(0, at), min(ticks * FRAME_SAMPLES, at + len(pcm))
            if first < last:
                if record.track not in sound:
                    sound[record.track] = np.zeros(ticks * FRAME_SAMPLES, np.int16)
                sound[record.track][first:last] = pcm[first - at : last - at]
            if at + len(pcm) > ticks * FRAME_SAMPLES:
                rest.append(record)
        self._sounds = rest
        # The stretch's end belongs to its last block, not to one of its own.
        bound = until if until < self._known else self._known + 1
        self._happened.sort(key=lambda entry: entry[0])
        count = sum(tick < bound for tick, _ in self._happened)
        happened = tuple((self._start + tick, record) for tick, record in self._happened[:count])
        del self._happened[:count]
        block = Block(self._start + since, ticks, sound, happened)
        self._given = until
        self.tick = self._start + until
        self._stretches[-1] = replace(self._stretches[-1], ticks=until)
        return block


def woven(log: Log, weaver: Weaver) -> Iterator[Block]:
    """All blocks of what a log has by now."""
    for number in log.stretches():
        weaver.begin(number)
        for told in log.told(number):
            yield from weaver.take(told)
        yield from weaver.finish()
