"""What a leg pushes its audio into: a row of a pool, for as long as it is open."""

from __future__ import annotations

from bridge.core.intake import OpusPool, PlayoutPool, QueuePool
from bridge.core.ports import InputLook
from bridge.core.room import Input


class LiveAudio:
    """The `AudioInput` of the ports. Once closed it takes everything and does nothing."""

    __slots__ = ("_input", "_pool", "_row")

    def __init__(self, pool: PlayoutPool, row: int, opened: Input) -> None:
        self._pool = pool
        self._row = row
        self._input = opened

    def push(self, payload: bytes | memoryview, now: float) -> None:
        """Add wire audio."""
        if self._input.open:
            self._pool.push(self._row, payload, now)

    def look(self) -> InputLook:
        """All zero once closed."""
        return self._pool.look(self._row) if self._input.open else InputLook()


class LivePackets:
    """The `PacketInput` of the ports. Once closed it takes everything and does nothing."""

    __slots__ = ("_input", "_pool", "_row")

    def __init__(self, pool: OpusPool, row: int, opened: Input) -> None:
        self._pool = pool
        self._row = row
        self._input = opened

    def push(self, payload: bytes, sequence_number: int, timestamp: int, now: float) -> None:
        """Add one RTP payload."""
        if self._input.open:
            self._pool.push(self._row, payload, sequence_number, timestamp, now)

    def look(self) -> InputLook:
        """All zero once closed."""
        return self._pool.look(self._row) if self._input.open else InputLook()


class PlayQueue:
    """The `PlayInput` of the ports. Once closed it takes nothing."""

    __slots__ = ("_input", "_pool", "_row")

    def __init__(self, pool: QueuePool, row: int, opened: Input) -> None:
        self._pool = pool
        self._row = row
        self._input = opened

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

    def look(self) -> InputLook:
        """All zero once closed."""
        return self._pool.look(self._row) if self._input.open else InputLook()
