"""How the vendor's side plays what a service sends: one queue, 20 ms at a time, checkpoints within. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]


MAX_CHECKPOINTS = 1_000
"""So many may wait; those beyond are dropped, and never reached."""


class PhonePlayout:
    """The queue of one call at `rate_hz`. `tick` plays 20 ms of it.

    A checkpoint is reached when everything queued before it has been played; those that wait when the queue
    is cleared are dropped and never reached. Frames may be what was queued itself: they are not written to.
    """

    def __init__(self, rate_hz: int) -> None:
        self.frame_samples = rate_hz // 50
        self._rate_hz = rate_hz
        self._queue: deque[Samples | str] = deque()
        self._silence = np.zeros(self.frame_samples, np.int16)
        self._waiting = 0
        self._names: deque[str] = deque()
        """The checkpoints in `_queue`."""
        self.underruns = 0
        """Times the queue ran dry in the middle of a frame."""
        self._longest = 0
        self.position = 0
        """Samples that have left the queue so far, played or cleared."""
        self.filled = 0
        """Samples of the last frame that came out of the queue."""

    @property
    def end_position(self) -> int:
        """The position at which everything queued so far will have left."""
        return self.position + self._waiting

    @property
    def pending(self) -> list[str]:
        """Checkpoints that wait."""
        return list(self._names)

    def awaits(self, name: str) -> bool:
        """Whether a checkpoint of that name waits."""
        return name in self._names

    @property
    def takes_checkpoints(self) -> bool:
        """Whether one more checkpoint may wait."""
        return len(self._names) < MAX_CHECKPOINTS

    @property
    def pieces(self) -> Iterator[Samples]:
        """The audio in the queue, as it came: int16 [n] each."""
        return (piece for piece in self._queue if not isinstance(piece, str))

    @property
    def waiting_ms(self) -> float:
        """Audio in the queue."""
        return 1000 * self._waiting / self._rate_hz

    @property
    def longest_ms(self) -> float:
        """The largest backlog there ever was."""
        return 1000 * self._longest / self._rate_hz

    def queue(self, samples: Samples) -> None:
        """Append audio: int16 [n] of any length."""
        count = len(samples)
        if count:
            self._queue.append(samples)
            self._waiting += count
            if self._waiting > self._longest:
                self._longest = self._waiting

    def checkpoint(self, name: str) -> None:
        """Append a checkpoint, if there is room for it."""
        if self.takes_checkpoints:
            self._queue.append(name)
            self._names.append(name)

    def clear(self) -> None:
        """Forget everything queued."""
        self._queue.clear()
        self._names.clear()
        self.position += self._waiting
        self._waiting = 0

    def shorten(self, most_ms: float) -> None:
        """Forget the newest audio beyond that much; checkpoints stay."""
        excess = self._waiting - round(most_ms * self._rate_hz / 1000)
        kept: list[Samples | str] = []
        while self._queue and excess > 0:
            last = self._queue.pop()
            if isinstance(last, str):
                kept.append(last)
                continue
            dropped = min(excess, len(last))
            excess -= dropped
            self._waiting -= dropped
            if dropped < len(last):
                self._queue.append(last[: len(last) - dropped])
        self._queue.extend(reversed(kept))

    def tick(self) -> tuple[Samples, list[str]]:
        """What sounds in the next 20 ms: int16 [frame_samples], silence where the queue is dry; and the
        checkpoints reached.
        """
        queue, size = self._queue, self.frame_samples
        reached: list[str] = []
        if not queue:
            self.filled = 0
            return self._silence, reached
        head = queue[0]
        if not isinstance(head, str) and len(head) == size:  # as most services send it
            queue.popleft()
            frame, at = head, size
        else:
            frame, at = np.zeros(size, np.int16), 0
        while queue and (at < size or isinstance(queue[0], str)):
            head = queue.popleft()
            if isinstance(head, str):
                reached.append(head)
                self._names.popleft()
                continue
            taken = head[: size - at]
            frame[at : at + len(taken)] = taken
            at += len(taken)
            if len(taken) < len(head):
                queue.appendleft(head[len(taken) :])
        self._waiting -= at
        self.position += at
        self.filled = at
        if 0 < at < size:
            self.underruns += 1
        return frame, reached
