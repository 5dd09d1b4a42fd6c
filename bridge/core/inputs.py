"""What a leg pushes its audio into: a row of a pool, for as long as it is open."""

from __future__ import annotations

from typing import Generic, TypeVar

from bridge.core.intake import OpusPool, PlayoutPool, QueuePool
from bridge.core.ports import InputLook
from bridge.core.room import Input

P = TypeVar("P", PlayoutPool, OpusPool, QueuePool)


class _Opened(Generic[P]):
    """A row of a pool, until it is closed."""

    __slots__ = ("_input", "_pool", "_row")

    def __init__(self, pool: P, row: int, opened: Input) -> None:
        self._pool: P = pool
        self._row = row
        self._input = opened

    def look(self) -> InputLook:
        """All zero once closed."""
        return self._pool.look(self._row) if self._input.open else InputLook()


class LiveAudio(_Opened[PlayoutPool]):
    """The `AudioInput` of the ports. Once closed it takes everything and does nothing."""

    __slots__ = ()

    @property
    def phase(self) -> int:
        """See `AudioInput`."""
        return self._pool.phase

    def push(self, payload: bytes | memoryview, now: float) -> None:
        """Add wire audio."""
        if self._input.open:
            self._pool.push(self._row, payload, now)


class LivePackets(_Opened[OpusPool]):
    """The `PacketInput` of the ports. Once closed it takes everything and does nothing."""

    __slots__ = ()

    def push(self, payload: bytes, sequence_number: int, timestamp: int, now: float) -> None:
        """Add one RTP payload."""
        if self._input.open:
            self._pool.push(self._row, payload, sequence_number, timestamp, now)


class PlayQueue(_Opened[QueuePool]):
    """The `PlayInput` of the ports. Once closed it takes nothing."""

    __slots__ = ()

    def play(self, payload: bytes | memoryview) -> int:
        """Append wire audio; gives the number of samples taken."""
        return self._pool.play(self._row, payload) if self._input.open else 0

    def mark(self, name: str) -> None:
        """Ask for `MarkPlayed`."""
        if self._input.open:
            self._pool.mark(self._row, name)

    def clear(self) -> None:
        """Empty the queue at the next tick."""
        if self._input.open:
            self._pool.clear(self._row)
