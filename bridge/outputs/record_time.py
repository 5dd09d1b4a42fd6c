"""From time in a recording's files to time of day. Pure.

Files hold the stretches one after the other; what lay between two of them is left out (a pause), what got
lost inside one is silence of the same length (a hole). So the way from one time to the other is in pieces:
straight within a stretch, with a jump between two.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from bridge.core.ports import PTIME_MS
from bridge.outputs.record import EndCause


@dataclass(frozen=True, slots=True)
class Hole:
    """Ticks of a stretch, from `tick` until before `until`, of which nobody knows how they sounded."""

    tick: int
    until: int
    why: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was recorded without a pause."""

    number: int
    began_ms: int
    """When it began, Unix ms."""
    ticks: int
    """How long it is (so far)."""
    at_tick: int
    """Where it begins in the files, in ticks."""
    why: EndCause | None = None
    """How it ended; None: it goes on, or nobody said."""
    holes: tuple[Hole, ...] = ()

    @property
    def at_ms(self) -> int:
        """Where it begins in the files."""
        return self.at_tick * PTIME_MS

    @property
    def duration_ms(self) -> int:
        """How long it is (so far)."""
        return self.ticks * PTIME_MS

    @property
    def ended_ms(self) -> int:
        """When it ended (or where it is), Unix ms."""
        return self.began_ms + self.duration_ms


@dataclass(frozen=True, slots=True)
class Pause:
    """What is left out of the files at `at_ms`: the time of day from `from_ms` until before `until_ms`.

    The times are Unix ms. When the machine's clock was put back in between, `until_ms` is the earlier one.
    """

    at_ms: int
    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class RecordTime:
    """The times of a recording; `stretches` in the order in which they are in the files."""

    stretches: tuple[Stretch, ...] = ()
    _starts: tuple[int, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_starts", tuple(stretch.at_ms for stretch in self.stretches))

    @property
    def duration_ms(self) -> int:
        """How long every file is."""
        return sum(stretch.duration_ms for stretch in self.stretches)

    def wall_ms(self, file_ms: float) -> float | None:
        """When it was (Unix ms) what the files have at `file_ms`; None outside of them.

        Where one stretch ends and the next begins it is the next one's beginning.
        """
        at = bisect_right(self._starts, file_ms) - 1
        # A stretch without a tick has no time: what lies at its beginning is the one behind it.
        if at < 0 or file_ms > self.duration_ms:
            return None
        stretch = self.stretches[at]
        return stretch.began_ms + (file_ms - stretch.at_ms)

    def pauses(self) -> Iterable[Pause]:
        """What is left out between the stretches, in order."""
        for before, after in zip(self.stretches, self.stretches[1:], strict=False):
            yield Pause(after.at_ms, before.ended_ms, after.began_ms)
