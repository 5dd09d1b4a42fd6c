"""A directory over a switchboard without media, which can be started again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from bridge.changes import Change
from bridge.core.ports import WebRtcOffer
from bridge.directory import Directory, DirectorySettings
from bridge.people import Actor, Conference, Layout, Participant
from bridge.store import SqlStore
from tests.kit.records import MemoryRecords
from tests.kit.switchboards import FakeSwitchboard

APP, OTHER_APP = "app-1", "app-2"
BY = Actor.application(APP)
OFFER = WebRtcOffer("an offer")


class DirectoryHouse:
    """On a store in a folder or in memory; tests set `now`."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.memory = MemoryRecords()
        self.now = 1_700_000_000.0
        self.settings = DirectorySettings()
        self.changes: list[Change] = []

    async def start(self) -> Directory:
        self.store: SqlStore | MemoryRecords = self.memory
        if self.folder is not None:
            self.store = await SqlStore.open(f"sqlite:///{self.folder / 'state.sqlite3'}")
        self.board = FakeSwitchboard()
        self.directory = Directory(self.store, self.board, self.settings, now=lambda: self.now)
        self.directory.subscribe(self.changes.append)
        await self.directory.load()
        return self.directory

    async def stop(self) -> None:
        await self.directory.close()
        if isinstance(self.store, SqlStore):
            await self.store.close()

    async def again(self, **settings: float) -> Directory:
        await self.stop()
        self.settings = replace(self.settings, **settings)  # type: ignore[arg-type]
        self.changes.clear()
        return await self.start()

    async def conference(self, application_id: str = APP) -> Conference:
        return await self.directory.open_conference(
            application_id, by=Actor.application(application_id), name="Stand-up", layout=Layout.SELECTOR
        )

    async def person(self, conference: Conference, name: str = "Ann", **more: object) -> Participant:
        person, _ = await self.directory.add_participant(conference, by=BY, name=name, **more)  # type: ignore[arg-type]
        return person


@asynccontextmanager
async def directory_house(folder: Path | None = None) -> AsyncIterator[DirectoryHouse]:
    """Started inside, stopped outside."""
    house = DirectoryHouse(folder)
    await house.start()
    yield house
    await house.stop()
