"""A file as the parts of an upload, which can be told to end: then the storage forgets the parts it has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Final

ABORT_WITHIN_S: Final = 2.0
"""Whoever gives an upload up waits so long for the storage to forget it."""


class GivenUp(OSError):
    """Nobody wants the upload any more."""


class FilePieces:
    """An iterator over a file's content, for one reader."""

    def __init__(self, path: Path, size: int) -> None:
        """`size`: of each piece but the last one, in bytes."""
        self._path = path
        self._size = size
        self._at = 0
        self._given_up = False

    def __aiter__(self) -> FilePieces:
        return self

    async def __anext__(self) -> bytes:
        """Raises OSError, and GivenUp after `sent_by` was."""
        if self._given_up:
            raise GivenUp
        piece = await asyncio.to_thread(_read, self._path, self._at, self._size)
        if self._given_up:
            raise GivenUp
        if not piece:
            raise StopAsyncIteration
        self._at += len(piece)
        return piece

    async def sent_by(self, upload: Awaitable[object]) -> None:
        """Wait for the upload that reads from here. Raises what it raises.

        The library drops an upload that is cancelled, and the storage keeps its parts, and has them paid for.
        One whose pieces fail is taken back: so a cancelled one has no further pieces, and is waited for.
        """
        sending = asyncio.ensure_future(upload)
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            self._given_up = True
            await asyncio.wait({sending}, timeout=ABORT_WITHIN_S)
            sending.cancel()
            sending.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise


def _read(path: Path, at: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read(size)
