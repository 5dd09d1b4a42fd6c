"""What the recordings need of whoever has their files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Protocol

from bridge.core.ports import GivenStorage, OutputFile, WantedFiles


class AwayFile(Protocol):
    """A file that is in a storage only. Calls raise BridgeError, and KeyError for a storage that is gone."""

    @property
    def size(self) -> int: ...
    @property
    def media_type(self) -> str: ...
    @property
    def tag(self) -> str:
        """Of its content, as an ETag."""

    async def link(self, for_s: float = ...) -> str:
        """An address where it can be read for so long (some minutes), by whoever has it; empty: none."""

    def pieces(self, begin: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `begin` to before `end`."""


class Shelf(Protocol):
    """Where recordings lie, and who makes their files. It may be slow; it never raises for a known one."""

    async def adopt(self) -> list[str]:
        """Close what a crash left open; gives the ids of those recordings."""

    async def check(self, wanted: WantedFiles, storage: str | GivenStorage) -> None:
        """Raises BadInput for files that cannot be made here, and a storage that may not be used."""

    async def check_room(self) -> None:
        """Raises NoRoom when hardly anything more can be written."""

    async def keep_storage(self, recording: str, given: GivenStorage) -> None:
        """It is that recording's own from now on, over restarts too. Raises BadInput, NoRoom."""

    async def own_storage(self, recording: str) -> GivenStorage | None:
        """What `keep_storage` was given for it; None: it has none of its own."""

    def sends(self, storage: str) -> bool:
        """Whether recordings that ask for it go anywhere."""

    def follow(self, recording: str, wanted: WantedFiles, storage: str) -> None:
        """From now on its files are made, as it grows."""

    async def resume(self, recording: str, wanted: WantedFiles, storage: str) -> None:
        """After a restart, of one that is stopped: what is not whole is made so."""

    async def take_back(self, recording: str) -> bool:
        """It is to go on: it stays here. False when it has left for its storage, so that it cannot."""

    def rest(self, recording: str, over: bool = False) -> None:
        """It is stopped: unless it goes on soon, its files are made whole; `over`: it never goes on."""

    async def settle(self, recording: str, within_s: float) -> bool:
        """Wait until every file has all that was recorded so far; False when that takes longer."""

    async def through(self, recording: str) -> None:
        """Wait until its files are whole, and have arrived where they are sent."""

    def trouble(self, recording: str) -> str:
        """What keeps its files from being made; empty: nothing."""

    def files(self, recording: str) -> list[OutputFile]:
        """What there is now. Reads directories: for a thread, as the next three."""

    def file(self, recording: str, name: str) -> OutputFile | None:
        """The one of that name, if it lies here and there is anything in it."""

    def away(self, recording: str, name: str) -> AwayFile | None:
        """The one of that name, if it is in its storage only."""

    def manifest(self, recording: str) -> bytes | None:
        """What is in it, when it was paused and what is missing, as JSON; None: not yet."""

    async def remove(self, recording: str) -> None:
        """With everything made of it, here and on its way elsewhere. May be called again. Raises OSError."""

    async def forget_others(self, recordings: Iterable[str]) -> None:
        """Take back what is to be sent of all others than these: they are gone."""
