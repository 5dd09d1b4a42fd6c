"""What a demuxer reads: files that lie at the other end of the child's link. For child processes only."""

from __future__ import annotations

import io
from collections.abc import Callable

from bridge.legs.demux_flv import FlvSound

Ask = Callable[[int, int], bytes]
"""(where, how many bytes at most) → bytes, at least one until there is no more."""

MUCH_WITHOUT_SOUND = 48 << 20
"""Bytes that are read for nothing before we give up: headers without end."""


class TooMuch(ValueError):
    """A great many bytes, and no sound in them."""


class ForwardReader:
    """One byte after the other; `peek` looks without moving. A reader for PyAV: it has no `seek`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._ahead = b""
        self._at = 0
        self._for_nothing = 0

    def peek(self, count: int) -> bytes:
        """The first bytes: as many, unless there are fewer. Only before anything was read."""
        while len(self._ahead) < count:
            more = self._fetch(count - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead[:count]

    def read(self, count: int) -> bytes:
        """At most so many bytes; none at the end."""
        if self._ahead:
            given, self._ahead = self._ahead[:count], self._ahead[count:]
            return given
        return self._fetch(count)

    def sounded(self) -> None:
        """There was sound in what was read."""
        self._for_nothing = 0

    def _fetch(self, count: int) -> bytes:
        got = self._ask(self._at, count)
        self._at += len(got)
        self._for_nothing += len(got)
        if self._for_nothing > MUCH_WITHOUT_SOUND:
            raise TooMuch("far too much of it is no sound")
        return got


class AnywhereReader(ForwardReader):
    """The same for what can be read anywhere."""

    def __init__(self, ask: Ask, size: int) -> None:
        super().__init__(ask)
        self._size = size

    def read(self, count: int) -> bytes:
        """At most so many bytes from where it stands."""
        return self._fetch(min(count, self._size - self._at)) if self._at < self._size else b""

    def peek(self, count: int) -> bytes:
        """The first bytes."""
        self._at = 0
        got = b""
        while len(got) < count and (more := self.read(count - len(got))):
            got += more
        self._at = 0
        return got

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Raises ValueError for a place before the beginning."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("before the beginning")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """Where it stands."""
        return self._at


class FlvReader:
    """FLV as it comes from `under`, without its pictures."""

    def __init__(self, under: ForwardReader) -> None:
        self._under = under
        self._sound = FlvSound()
        self._ahead = b""

    def read(self, count: int) -> bytes:
        """At most so many bytes; none at the end. Raises ValueError for what is no FLV."""
        while not self._ahead:
            piece = self._under.read(count)
            if not piece:
                return b""
            self._ahead = self._sound.feed(piece)
        given, self._ahead = self._ahead[:count], self._ahead[count:]
        return given
