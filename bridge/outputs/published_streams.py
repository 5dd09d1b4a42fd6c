"""Live streams at storages: their files get there, and go when nobody may ask for them any more.

Of a sliding stream a file goes when the playlists there have not named it for a while, and everything a while
after the stream's end; a stream that is kept whole stays. What cannot be removed is tried again as the stream
goes on, until it is gone at its end, and by the next start of the server.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from pathlib import Path
from typing import Final, Protocol

from bridge.background import Background
from bridge.errors import BridgeError
from bridge.outputs.back_off import BackOff, Failures
from bridge.outputs.hls_names import CAPTIONS, MASTER, MEDIA, content_type
from bridge.outputs.lanes import Lanes
from bridge.outputs.published_files import (
    list_file,
    outlived,
    read_list,
    read_lists,
    remove_list,
    remove_unfinished,
    write_list,
)

log = logging.getLogger(__name__)

REMOVE_WITHIN_S: Final = 10.0
"""One file; a storage that hangs is asked again later."""
_AT_A_TIME: Final = 4
"""Files are removed from each storage."""
_PLAYLISTS: Final = (MASTER, MEDIA, CAPTIONS)

Sleep = Callable[[float], Awaitable[None]]


class Place(Protocol):
    """`bridge.outputs.storage.Storage`, as far as it is used. Calls raise BridgeError."""

    async def put(self, path: Path, key: str, media_type: str) -> object:
        """Back when the file is there. Raises FileNotFoundError, too."""

    async def remove(self, key: str) -> None:
        """Nothing happens when it is not there."""


class PublishedStreams:
    """All of a server, on its event loop. Disk work is done in threads."""

    def __init__(
        self,
        directory: Path,
        places: Mapping[str, Place],
        *,
        sleep: Sleep = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`directory`: where it is written down what is at which storage. `places`: by their names."""
        self.directory = directory
        self.places = places
        self.sleep = sleep
        self.now = now
        self.lanes = Lanes(_AT_A_TIME)
        self._background = Background(log, "files of a live stream stay at a storage until the next start")

    def open(self, storage: str, stream_id: str, stays: bool) -> PublishedStream:
        """That stream's place. `stays`: nothing of it is ever removed. Raises KeyError for no storage."""
        return PublishedStream(self, self.places[storage], storage, stream_id, stays)

    async def clean(self, streams: Collection[str]) -> None:
        """Begin to remove what other streams than these have left. Raises OSError."""
        await asyncio.to_thread(remove_unfinished, self.directory)
        for left, _ in await asyncio.to_thread(lambda: [*read_lists(self.directory)]):
            if left.stream in streams:
                continue
            if left.storage in self.places:
                self.open(left.storage, left.stream, stays=False).over(0.0)
            else:
                log.error("x files of a live stream stay at storage %s: it is not configured", left.storage)

    def start(self, work: Coroutine[object, object, None]) -> None:
        """It goes on by itself, until `close`."""
        self._background.start(work)

    async def close(self) -> None:
        """Leave the rest to the next start."""
        self._background.cancel()
        await self._background.close()


class PublishedStream:
    """One stream at one storage: a `StreamPlace`, below `hls/` and its id."""

    def __init__(
        self, streams: PublishedStreams, place: Place, storage: str, stream_id: str, stays: bool
    ) -> None:
        self._streams, self._place = streams, place
        self._storage, self._stream_id, self._stays = storage, stream_id, stays
        self._list = list_file(streams.directory, storage, stream_id)
        self._files: dict[str, float | None] | None = None
        """Name → since when no playlist names it; None: one does, or has yet to. None before it was read."""
        self._writing = asyncio.Lock()
        self._removing = False
        self._over = False

    async def put(self, path: Path) -> None:
        """Back when it is there. Raises OSError when not, FileNotFoundError when there is no such file."""
        if not self._stays:
            await self._note(path.name)
        try:
            await self._place.put(path, self._key(path.name), content_type(path.name))
        except BridgeError as failed:
            raise OSError(errno.EIO, str(failed)) from None

    def shown(self, files: Collection[str], grace_s: float) -> None:
        """The playlists that are there now name these; others may still be asked for that long."""
        if self._stays or self._files is None:
            return
        now = self._streams.now()
        media = [name for name in self._files if name not in _PLAYLISTS]
        for name in outlived(media, files):
            if self._files[name] is None:
                self._files[name] = now
        due = [name for name, since in self._files.items() if since is not None and now - since >= grace_s]
        if due and not self._removing:
            self._removing = True
            self._streams.start(self._sweep(due))

    def over(self, after_s: float) -> None:
        """The stream has ended: everything goes in a while, unless it stays."""
        if not self._stays and not self._over:
            self._over = True
            self._streams.start(self._end(after_s))

    # --- inside ---

    def _key(self, name: str) -> str:
        return f"hls/{self._stream_id}/{name}"

    async def _known(self) -> dict[str, float | None]:
        if self._files is None:
            self._files = dict.fromkeys(await asyncio.to_thread(read_list, self._list))
        return self._files

    async def _note(self, name: str) -> None:
        """It may be there from now on."""
        async with self._writing:
            files = await self._known()
            if name not in files:
                await self._write([*files, name])
                files[name] = None

    async def _write(self, names: Collection[str]) -> None:
        await asyncio.to_thread(write_list, self._list, self._storage, self._stream_id, names)

    async def _sweep(self, names: Collection[str]) -> None:
        try:
            failed = await self._remove(names)
            if failed:
                log.warning("x files of a live stream stay at their storage for now: %s", failed)
        finally:
            self._removing = False

    async def _end(self, after_s: float) -> None:
        await self._streams.sleep(after_s)
        failures = Failures(BackOff(first_s=1.0, most_s=300.0))
        while True:
            async with self._writing:
                names = [*await self._known()]
            # What names others goes first.
            failed = await self._remove(sorted(names, key=lambda name: name not in _PLAYLISTS))
            if not failed:
                break
            if failures.in_a_row in (0, 9):
                log.warning("x a live stream that has ended stays at its storage for now: %s", failed)
            await self._streams.sleep(failures.failed())
        async with self._writing:
            await asyncio.to_thread(remove_list, self._list)

    async def _remove(self, names: Collection[str]) -> str:
        """Gives why not all of them are gone; empty: they are, and that is written down."""
        failed, gone = "", []
        for name in names:
            try:
                async with self._streams.lanes.lane(self._storage), asyncio.timeout(REMOVE_WITHIN_S):
                    await self._place.remove(self._key(name))
            except TimeoutError:
                failed = f"{self._storage}: it did not answer in time"
            except BridgeError as error:
                failed = str(error)
            else:
                gone.append(name)
                continue
            break  # the others would fare no better
        async with self._writing:
            files = await self._known()
            for name in gone:
                files.pop(name, None)
            if gone:
                await self._write_or_say(files)
        return failed

    async def _write_or_say(self, files: Collection[str]) -> None:
        """What is gone may be removed once more; nothing else comes of it."""
        try:
            await self._write(files)
        except OSError as error:
            log.warning("x what is at a storage cannot be written down: %s", error.strerror)
