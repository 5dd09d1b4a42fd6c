"""What of a recording goes to its storage, and when: segments as they come, files as they are whole."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

from bridge.outputs.back_off import BackOff, Failures
from bridge.outputs.follow_wire import FILES_FOLDER, MANIFEST
from bridge.outputs.hls_folder import MASTER, MEDIA
from bridge.outputs.kept_file import PART
from bridge.outputs.shelf_files import media_type_of
from bridge.outputs.upload_orders import stamp
from bridge.outputs.uploads import Uploads

log = logging.getLogger(__name__)

_LAST: Final = (MEDIA, MASTER, MANIFEST)
"""They name others, and so go after them."""


class FileSending:
    """Of one recording. On the event loop's thread; may be cancelled anywhere and begun again."""

    def __init__(
        self,
        directory: Path,
        storage: str,
        uploads: Uploads,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`directory`: the recording's own."""
        self.storage = storage
        self._directory = directory
        self._uploads = uploads
        self._sleep = sleep
        self._ordered: dict[str, tuple[int, int]] = {}
        """Segments and playlists as they were when they were ordered."""
        self._looking = False

    async def send_segments(self) -> None:
        """What has come of HLS since the last time. What cannot be ordered now is so the next time."""
        if self._looking:
            return
        self._looking = True
        try:
            for name, seen in await asyncio.to_thread(_news, self._directory, self._ordered):
                await self._order(name)
                self._ordered[name] = seen
        except OSError as error:
            log.warning("x segments are not uploaded yet: %s", error.strerror)
        finally:
            self._looking = False

    async def send(self, names: Iterable[str]) -> None:
        """Files that are whole, by their names within the directory. Returns when all are ordered."""
        failures = Failures(BackOff(first_s=1.0, most_s=60.0))
        for name in sorted(dict.fromkeys(names), key=_rank):
            while True:
                try:
                    await self._order(name)
                    break
                except OSError as error:  # a full disk: without an order the upload would be forgotten
                    if not failures.in_a_row:
                        log.error("x files cannot be ordered to be uploaded: %s", error.strerror)
                    await self._sleep(failures.failed())

    async def send_all(self) -> None:
        """Everything that is there and whole."""
        await self.send(await asyncio.to_thread(whole_names, self._directory))

    async def _order(self, name: str) -> None:
        key = f"{self._directory.name}/{name.removeprefix(FILES_FOLDER + '/')}"
        try:
            await self._uploads.put(
                self._directory.name, self._directory / name, self.storage, key, media_type_of(name)
            )
        except FileNotFoundError:  # it is being made again, and comes then
            return


def whole_names(directory: Path) -> list[str]:
    """The files of a recording that have their names, and its manifest; within the directory."""
    found = [
        Path(at, name).relative_to(directory).as_posix()
        for at, _, names in os.walk(directory / FILES_FOLDER)
        for name in names
        if not name.endswith(PART) and not name.startswith(".")
    ]
    return [*sorted(found), MANIFEST] if (directory / MANIFEST).exists() else sorted(found)


def _rank(name: str) -> tuple[int, str]:
    last = name.rpartition("/")[2]
    return (_LAST.index(last) + 1 if last in _LAST else 0), name


def _news(directory: Path, ordered: dict[str, tuple[int, int]]) -> list[tuple[str, tuple[int, int]]]:
    """What is new or other in folders with a playlist; it is looked for only when the playlist is another."""
    found: list[tuple[str, tuple[int, int]]] = []
    for playlist in sorted((directory / FILES_FOLDER).glob(f"*/{MEDIA}")):
        try:
            named = playlist.relative_to(directory).as_posix()
            if ordered.get(named) == stamp(playlist):
                continue
            names = [name for name in os.listdir(playlist.parent) if not name.endswith(PART)]
            for name in sorted(names, key=_rank):
                path = f"{named.rpartition('/')[0]}/{name}"
                seen = stamp(directory / path)
                if ordered.get(path) != seen:
                    found.append((path, seen))
        except FileNotFoundError:  # it is begun again
            continue
    return found
