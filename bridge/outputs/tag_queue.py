"""What waits for one connection: coded frames in the order of their times, and not too many."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from bridge.outputs.flv import FlvStream, Tag
from bridge.outputs.media_units import CLOCK_HZ
from bridge.rtmp.chunks import PICTURE

LONGEST_S = 5.0
_MOST_MARKS = 16
"""That wait for a beginning; then the oldest are forgotten."""


class TagQueue:
    """Whoever codes puts, whoever sends takes, each on a thread of its own.

    It begins with a key frame, behind what has to be known of the stream. When more waits than the longest
    time, all of it is left out, and it begins anew with the next key frame. Marks and the newest levels are
    never left out: they wait for the next beginning.
    """

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self._longest = round(longest_s * CLOCK_HZ)
        self._lock = threading.Lock()
        self._tags: deque[Tag] = deque()
        self._stream: FlvStream | None = None
        self._open = False
        self._begins = True
        self._left_out_from: int | None = None
        self._left_out = 0
        self._marks: deque[Tag] = deque(maxlen=_MOST_MARKS)
        self._levels: Tag | None = None
        self._seam: tuple[int, int] | None = None
        """The last time before and the first after a jump, while something from before it waits."""

    def begin(self, stream: FlvStream) -> None:
        """What is put from now on is of this stream; time may jump."""
        with self._lock:
            self._stream = stream
            self._begins = True

    def open(self) -> None:
        """Somebody takes. Before, what is put is passed over."""
        with self._lock:
            self._open = True

    def put(self, tags: Iterable[Tag]) -> None:
        """In the order of their times; never waits."""
        with self._lock:
            for tag in tags:
                if tag.beside and (self._begins or not self._open):
                    self._keep(tag)
                elif self._open:
                    self._put(tag)
            if self._waiting() > self._longest:
                if self._left_out_from is None:
                    self._left_out_from = self._tags[0].at
                for tag in self._tags:
                    if tag.beside:
                        self._keep(tag)
                self._tags.clear()
                self._begins = True

    def take(self, most_bytes: int) -> list[Tag]:
        """The next ones: no more than `most_bytes` of them, but one at least where there is one."""
        taken: list[Tag] = []
        with self._lock:
            while self._tags and (not taken or most_bytes >= len(self._tags[0].body)):
                most_bytes -= len(self._tags[0].body)
                taken.append(self._tags.popleft())
        return taken

    @property
    def waiting(self) -> int:
        """Samples from the oldest that waits to the newest."""
        with self._lock:
            return self._waiting()

    @property
    def left_out(self) -> int:
        """Samples that were left out so far, because too much waited."""
        with self._lock:
            return self._left_out

    def _put(self, tag: Tag) -> None:
        assert self._stream is not None
        if self._begins:
            if not tag.key or (self._stream.picture is not None and tag.kind != PICTURE):
                return
            self._begins = False
            self._seam = (self._tags[-1].at, tag.at) if self._tags else None
            self._tags += self._stream.opening(tag.at)
            if self._left_out_from is not None:
                self._left_out += tag.at - self._left_out_from
                self._left_out_from = None
            self._tags.append(tag)
            self._tags += self._kept(tag.at)
        else:
            self._tags.append(tag)

    def _keep(self, tag: Tag) -> None:
        """It waits for the next beginning."""
        if tag.key:
            self._marks.append(tag)
        else:
            self._levels = tag

    def _kept(self, at: int) -> list[Tag]:
        """What waited, as said at `at`."""
        kept = [*self._marks, *([] if self._levels is None else [self._levels])]
        self._marks.clear()
        self._levels = None
        return [replace(tag, at=at) for tag in kept]

    def _waiting(self) -> int:
        if not self._tags:
            return 0
        first, last = self._tags[0].at, self._tags[-1].at
        if self._seam is None or first >= self._seam[1]:
            return last - first
        before, after = self._seam
        return before - first + last - after
