"""How the vendor's side plays what a service sends: one queue, 20 ms at a time, checkpoints within. Pure."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]


class PhonePlayout:
    """The queue of one call at `rate_hz`. `tick` plays 20 ms of it.

    A checkpoint is reached when everything queued before it has been played; those that wait when the queue
    is cleared are dropped and never reached.
    """

    def __init__(self, rate_hz: int) -> None:
        self.frame_samples = rate_hz // 50
        self._rate_hz = rate_hz
        self._queue: deque[Samples | str] = deque()
        self._waiting = 0
        self.underruns = 0
        """Times the queue ran dry in the middle of a frame."""
        self.longest_ms = 0.0
        """The largest backlog there ever was."""
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
        return [name for name in self._queue if isinstance(name, str)]

    @property
    def waiting(self) -> Samples:
        """The audio in the queue: int16 [n]."""
        return np.concatenate([np.zeros(0, np.int16), *(a for a in self._queue if not isinstance(a, str))])

    @property
    def waiting_ms(self) -> float:
        """Audio in the queue."""
        return 1000 * self._waiting / self._rate_hz

    def queue(self, samples: Samples) -> None:
        """Append audio: int16 [n] of any length."""
        if len(samples):
            self._queue.append(samples)
            self._waiting += len(samples)
            self.longest_ms = max(self.longest_ms, self.waiting_ms)

    def checkpoint(self, name: str) -> None:
        """Append a checkpoint."""
        self._queue.append(name)

    def clear(self) -> None:
        """Forget everything queued."""
        self._queue.clear()
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
        frame = np.zeros(self.frame_samples, np.int16)
        at = 0
        reached = []
        while self._queue and (at < self.frame_samples or isinstance(self._queue[0], str)):
            head = self._queue.popleft()
            if isinstance(head, str):
                reached.append(head)
                continue
            taken = head[: self.frame_samples - at]
            frame[at : at + len(taken)] = taken
            at += len(taken)
            if len(taken) < len(head):
                self._queue.appendleft(head[len(taken) :])
        self._waiting -= at
        self.position += at
        self.filled = at
        if 0 < at < self.frame_samples:
            self.underruns += 1
        return frame, reached
