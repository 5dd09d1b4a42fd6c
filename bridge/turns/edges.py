"""Puts what is said about two sides' sound into the order in which it was heard.

That somebody has ceased to sound is known only a while afterwards, when others may long have begun: so
beginnings and ends wait here until nothing earlier can come any more. Pauses too short to count are closed.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

Side = Literal["caller", "bot"]


@dataclass(frozen=True, slots=True)
class Edge:
    """A side begins or ceases to sound. `cut`: it was stopped, it did not come to its end."""

    at_ms: int
    side: Side
    on: bool
    cut: bool = False


class _Mark(NamedTuple):
    at_ms: int
    rank: int
    """Of marks at one moment ends come first: who takes over at once does not overlap."""
    number: int
    side: Side
    who: str
    cut: bool

    @property
    def on(self) -> bool:
        return self.rank == 1


class EdgeLine:
    """Takes marks of several voices in nearly any order; gives the edges of the two sides in true order.

    A side sounds while at least one of its voices does. Memory: the marks of the last `settle_ms + pause_ms`.
    """

    def __init__(self, start_ms: int, *, settle_ms: int, pause_ms: int) -> None:
        """`settle_ms`: the longest time by which a mark may lie before the newest one."""
        self._wait = settle_ms + pause_ms
        self._pause = pause_ms
        self._marks: list[_Mark] = []
        self._number = 0
        self._newest = self._given = start_ms
        self._last: dict[tuple[Side, str], int] = {}
        """Of voices whose newest mark waits: when that was. An end never precedes its beginning."""
        self._sounding: dict[Side, set[str]] = {"caller": set(), "bot": set()}
        self._bridged: dict[Side, bool] = {"caller": False, "bot": False}

    def mark(self, side: Side, who: str, on: bool, at_ms: int, *, cut: bool = False) -> None:
        """Voice `who` of a side began or ceased to sound. What comes too late counts as of now."""
        at_ms = max(at_ms, self._given, self._last.get((side, who), self._given) + (0 if on else 1))
        self._number += 1
        self._newest = max(self._newest, at_ms)
        self._last[side, who] = at_ms
        insort(self._marks, _Mark(at_ms, int(on), self._number, side, who, cut))

    def call_cut(self, side: Side, at_ms: int, within_ms: int) -> bool:
        """A side was cut at `at_ms`: if its newest end is that near and not given yet, it is the cut."""
        for index in range(len(self._marks) - 1, -1, -1):
            mark = self._marks[index]
            if mark.side == side:
                if not mark.on and abs(mark.at_ms - at_ms) <= within_ms:
                    self._marks[index] = mark._replace(cut=True)
                    return True
                return False
        return False

    @property
    def horizon_ms(self) -> int:
        """Nothing before this can change."""
        return max(self._given, self._newest - self._wait)

    def edges(self, *, until_ms: int | None = None) -> Iterator[Edge]:
        """The edges up to the horizon, or up to `until_ms` when nothing more will come."""
        limit = self.horizon_ms if until_ms is None else until_ms
        while self._marks and self._marks[0].at_ms <= limit:
            mark = self._marks.pop(0)
            if self._last.get((mark.side, mark.who)) == mark.at_ms:
                del self._last[mark.side, mark.who]
            voices = self._sounding[mark.side]
            if mark.on:
                rises = not voices
                voices.add(mark.who)
                if rises and not self._bridged[mark.side]:
                    yield Edge(mark.at_ms, mark.side, True)
                self._bridged[mark.side] = False
            elif mark.who in voices:
                voices.discard(mark.who)
                if voices:
                    continue
                self._bridged[mark.side] = not mark.cut and self._goes_on(mark)
                if not self._bridged[mark.side]:
                    yield Edge(mark.at_ms, mark.side, False, mark.cut)
        self._given = max(self._given, limit)
        self._newest = max(self._newest, self._given)

    def _goes_on(self, end: _Mark) -> bool:
        for mark in self._marks:
            if mark.at_ms - end.at_ms >= self._pause:
                return False
            if mark.side == end.side and mark.on:
                return True
        return False
