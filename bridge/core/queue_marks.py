"""What is told of a play queue, and the marks in it that are still to come."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

NEVER = (1 << 63) - 1
"""A position that no queue reaches."""


@dataclass(frozen=True, slots=True)
class RowMark:
    """Everything queued before the mark has been taken."""

    name: str


@dataclass(frozen=True, slots=True)
class RowCleared:
    """The queue was emptied; `dropped` are the marks that will never be played."""

    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RowDry:
    """The queue became empty (`underrun`: more came soon, so that it was in the middle of something)."""

    underrun: bool


RowEvent = RowMark | RowCleared | RowDry


class Marks:
    """The marks of one queue, in order. A mark's position is the number of samples queued before it."""

    __slots__ = ("_names", "_positions")

    def __init__(self) -> None:
        self._names: list[str] = []
        self._positions: list[int] = []

    def __len__(self) -> int:
        return len(self._names)

    @property
    def next_at(self) -> int:
        """Position of the first one; `NEVER` when there is none."""
        return self._positions[0] if self._positions else NEVER

    def add(self, name: str, position: int) -> None:
        """Add one, at no lower a position than the last."""
        self._names.append(name)
        self._positions.append(position)

    def passed(self, played: int) -> list[RowMark]:
        """Take out those at positions up to `played`."""
        due = bisect_right(self._positions, played)
        marks = [RowMark(name) for name in self._names[:due]]
        del self._names[:due], self._positions[:due]
        return marks

    def drop(self) -> tuple[str, ...]:
        """Take out all; gives their names."""
        names = tuple(self._names)
        self._names.clear()
        self._positions.clear()
        return names
