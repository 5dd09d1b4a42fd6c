"""What a child process writes to its standard error, in our log: by lines, cut, not too many."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

MAX_LINE = 1000
"""Bytes of a line that are shown."""
LINES_A_SECOND = 50

_LAST_WORD = re.compile(r"\S*\Z")


class ChildWords(asyncio.Protocol):
    """The reading end of the pipe. Secrets are taken out where all log lines are made (bridge.logs)."""

    def __init__(self, who: str, now: Callable[[], float] = time.monotonic) -> None:
        self._who = who
        self._now = now
        self._held = b""
        self._cut = False  # the rest of the line is not shown
        self._second = 0
        self._shown = 0
        self._left_out = 0
        self._transport: asyncio.BaseTransport | None = None
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, self._held = (self._held + data).split(b"\n")
        for line in lines:
            self._line(line)
        if len(self._held) > MAX_LINE:
            self._line(self._held)
            self._held, self._cut = b"", True

    def eof_received(self) -> None:
        self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()

    def abort(self) -> None:
        """Listen no longer."""
        if self._transport is not None:
            self._transport.close()

    def _finish(self) -> None:
        if self._held:
            self._line(self._held)
            self._held = b""
        self._report()
        self.ended.set()

    def _line(self, line: bytes) -> None:
        if self._cut:  # only the beginning of a long line is shown
            self._cut = False
            return
        second = int(self._now())
        if second != self._second:
            self._report()
            self._second, self._shown = second, 0
        text = line.decode(errors="replace").rstrip()
        if len(line) > MAX_LINE:  # the word at the cut goes too: half a secret would not be recognised
            text = _LAST_WORD.sub("…", text[:MAX_LINE])
        if not text:
            return
        if self._shown >= LINES_A_SECOND:
            self._left_out += 1
            return
        self._shown += 1
        log.warning("< %s: %s", self._who, text)

    def _report(self) -> None:
        if self._left_out:
            log.warning("< %s: %d lines more", self._who, self._left_out)
            self._left_out = 0
