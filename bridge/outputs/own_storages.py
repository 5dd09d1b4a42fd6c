"""Storages that requests have named, each for one recording: the keys lie beside it, and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from bridge.core.ports import GivenStorage
from bridge.errors import BadInput, BridgeError
from bridge.outputs.kept_file import sync_directory, write_whole
from bridge.outputs.storage import Storage, StorageFailed
from bridge.outputs.storage_open import Opening
from bridge.outputs.storage_place import given_place

STORAGE_FILE: Final = "storage.json"
_NAME: Final = "the recording's storage"
"""How it is called in what goes wrong."""

Judge = Callable[[str, bool], Awaitable[None]]
"""Whether an endpoint may be reached, and whether it is the request that names it. Raises BridgeError."""


class OwnStorages:
    """On one event loop. `opening` gives how to get to them, which has to be apart from what is our own."""

    def __init__(self, root: Path, judge: Judge, opening: Callable[[], Awaitable[Opening]]) -> None:
        """`root`: where the recordings are."""
        self._root = root
        self._judge = judge
        self._opening = opening
        self._open: dict[str, Storage] = {}

    async def check(self, given: GivenStorage) -> None:
        """Whether it may be used. Raises BadInput, which names the field and repeats no secret."""
        await self._judged(given)

    async def keep(self, recording: str, given: GivenStorage) -> None:
        """From now on it is that recording's, over restarts too. Raises BadInput, OSError."""
        storage = await self._judged(given)
        await asyncio.to_thread(_write, self._root / recording, given)
        self._open[recording] = storage

    async def open(self, recording: str) -> Storage:
        """That recording's. Raises StorageFailed."""
        storage = self._open.get(recording)
        if storage is None:
            given = await asyncio.to_thread(kept_storage, self._root / recording)
            if given is None:
                raise StorageFailed(f"{_NAME}: its keys are not kept any more")
            try:
                storage = self._open[recording] = await self._judged(given)
            except BridgeError as error:
                raise StorageFailed(f"{_NAME}: {error}") from None
        return storage

    def forget(self, recording: str) -> None:
        """It is not used any more; the file goes with the recording."""
        self._open.pop(recording, None)

    async def _judged(self, given: GivenStorage) -> Storage:
        place = given_place(_NAME, given)
        await self._judge(place.endpoint, bool(given.endpoint))
        opening = await self._opening()
        if not (opening.apart and opening.proxy):
            raise BadInput("this server takes no storages from requests")
        # Certificates are read and clients made: some milliseconds that a tick need not wait for.
        return await asyncio.to_thread(Storage, place, opening)


def _write(directory: Path, given: GivenStorage) -> None:
    if not directory.exists():
        directory.mkdir(mode=0o700)
        sync_directory(directory.parent)
    write_whole(directory / STORAGE_FILE, msgspec.json.encode(given))


def kept_storage(directory: Path) -> GivenStorage | None:
    """What lies beside that recording; None: nothing that can be read. Blocks."""
    try:
        return msgspec.json.decode((directory / STORAGE_FILE).read_bytes(), type=GivenStorage)
    except (OSError, msgspec.DecodeError):
        return None
