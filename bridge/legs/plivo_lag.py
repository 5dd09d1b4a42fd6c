"""How far a call's far side lies behind what was sent to it, and what to do about it. Pure; counts frames.

The far side plays what it is sent one after another, and says so when it reaches a checkpoint. So when
`played` arrives, exactly the frames sent after that checkpoint are on their way or waiting; while it does
not arrive, at least those sent after the oldest open checkpoint are.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from bridge.core.ports import PTIME_MS

MAX_OPEN = 16
"""Checkpoints remembered at a time; of more the oldest are forgotten."""
CLEARS_IN_VAIN = 3
"""After so many clears without a checkpoint played, the far side is taken for one that does not tell."""

JUDGED_AFTER = 5
"""Frames left out before it is judged whether that lowers the lag."""


@dataclass(frozen=True, slots=True)
class LagSettings:
    """When delay is too much."""

    checkpoint_ms: int = 2_000
    """Time between checkpoints."""
    soft_ms: int = 300
    """Above this, silence is left out…"""
    trimmed_ms: int = 120
    """…until the lag is down to this."""
    hard_ms: int = 2_000
    """Above this, what waits at the far side is cleared."""


class Move(Enum):
    """What to do with this tick's frame."""

    SEND = "send"
    SKIP = "skip"
    """Leave it out: it is silent, and the far side lies behind."""
    CLEAR = "clear"
    """Clear the far side's queue, then send it."""


class PlaybackLag:
    """One for each direction of each call. Call `move` once a tick, then `sent` if the frame went out."""

    def __init__(self, settings: LagSettings) -> None:
        self._settings = settings
        self._sent = 0
        self._open: deque[tuple[str, int]] = deque(maxlen=MAX_OPEN)
        self._made = 0
        self._ticks = settings.checkpoint_ms * 3 // 4  # the first checkpoint comes early
        self._known = False
        self._lag_ms = 0
        self._floor_ms = 0
        """Lag that leaving out silence did not lower: it lies on the way, not in a queue."""
        self._skipped = 0
        """Frames left out since it was last judged whether that helps."""
        self._trimming = False
        self._clears_in_vain = 0
        self.skipped = 0
        self.clears = 0

    @property
    def backlog_ms(self) -> float | None:
        """Audio sent and not yet played; None while the far side does not tell."""
        if not self._known:
            return None
        waiting = (self._sent - self._open[0][1]) * PTIME_MS if self._open else 0
        return float(max(self._lag_ms, waiting))

    def move(self, silent: bool) -> Move:
        """What to do with the frame of this tick."""
        self._ticks += PTIME_MS
        lag_ms = self.backlog_ms
        if lag_ms is None:
            return Move.SEND
        if lag_ms > self._settings.hard_ms + self._floor_ms:
            self._clear()
            return Move.CLEAR
        above_floor = lag_ms - self._floor_ms
        if above_floor > self._settings.soft_ms:
            self._trimming = True
        elif above_floor <= self._settings.trimmed_ms:
            self._trimming = False
        if self._trimming and silent:
            self.skipped += 1
            self._skipped += 1
            self._lag_ms = max(self._lag_ms - PTIME_MS, 0)
            return Move.SKIP
        return Move.SEND

    def sent(self) -> None:
        """The frame went out."""
        self._sent += 1

    def checkpoint_due(self) -> bool:
        """Whether `checkpoint` should be called after this frame."""
        return self._ticks >= self._settings.checkpoint_ms

    def checkpoint(self, prefix: str) -> str:
        """The name of a new checkpoint after the frames sent so far."""
        self._ticks = 0
        self._made += 1
        name = f"{prefix}{self._made}"
        self._open.append((name, self._sent))
        return name

    def played(self, name: str) -> bool:
        """The far side reached that checkpoint; False when it is none of the open ones."""
        if all(name != known for known, _ in self._open):
            return False
        while True:  # those before it were reached too, whether it said so or not
            known, at = self._open.popleft()
            if known == name:
                break
        self._learn((self._sent - at) * PTIME_MS)
        return True

    def _learn(self, measured_ms: int) -> None:
        """Take in what a checkpoint told."""
        if self._skipped >= JUDGED_AFTER:
            if measured_ms > self._lag_ms + self._skipped * PTIME_MS // 2:
                self._floor_ms = measured_ms  # leaving out that much has hardly lowered it
            self._skipped = 0
        else:
            # Sinks a little each time, so that a wrong verdict is looked at again.
            self._floor_ms = min(max(self._floor_ms - PTIME_MS, 0), measured_ms)
        self._lag_ms = measured_ms
        self._known = True
        self._clears_in_vain = 0

    def _clear(self) -> None:
        self.clears += 1
        self._clears_in_vain += 1
        self._open.clear()  # they are dropped with the audio before them, and never told of
        self._lag_ms = 0
        self._skipped = 0
        self._trimming = False
        self._ticks = self._settings.checkpoint_ms * 3 // 4
        if self._clears_in_vain >= CLEARS_IN_VAIN:
            self._known = False
