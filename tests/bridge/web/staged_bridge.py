"""The pages, the Mind API and the directory on a real server, with a stage in place of media."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import uvicorn
from fastapi import FastAPI

from bridge.directory import Directory
from bridge.facades.mind.routes import MindFacade
from bridge.people import Actor, Audience, Conference, Participant, Role
from bridge.room_taps import RoomTaps
from bridge.runtime.websocket import make_protocol
from bridge.sockets import Refuse, UpgradeRequest
from bridge.web import ServerFigures, WebPages
from bridge.web.hls import HlsPages
from tests.bridge.web.phone_line import PhoneLine
from tests.bridge.web.recorded_scene import StagedHls
from tests.bridge.web.stage import Stage
from tests.bridge.web.staged_streams import StagedStreams
from tests.kit.notes import Rooms
from tests.kit.outputs import NotedOutputs
from tests.kit.records import MemoryRecords
from tests.kit.running_bridge import free_port

APPLICATION = "00e1db72-c57d-478c-88be-3533d43c8b34"
TOKEN = "application-token-of-the-tests"

HOSTILE_NAMES = (
    '<img src=x onerror="alert(1)">',
    '"><script>alert(document.domain)</script>',
    "{{constructor.constructor('alert(1)')()}}",
    "\u202edrowssap ruoy em evig",
    "مريم بنت عبد الله",
    "דוד בן־גוריון",
    "Zoë Ångström",
    "안녕하세요",
    "இனியா",
    "👩‍👩‍👧‍👦 family",
    "W" * 200,
    "a b " * 50,
    "Z̸̛͙͔̬͓̞̊̐͆͐͗̉a̶̡̭͖̬̔̄̄̓͝l̸̨̻̙̓̓̈́̕͝g̷̡̥̪͔̅o̷̧͚̭̖͗",
    "' OR 1=1 --",
)


class OneApplication:
    """Knows one token."""

    def authenticate(self, token: str) -> str | None:
        return APPLICATION if token == TOKEN else None


class AnyRoom(Rooms):
    """Outputs can be begun in every room, whatever the stage has."""

    def taps(self, room_id: str, *more: Any) -> RoomTaps:
        self.rooms.add(room_id)
        return super().taps(room_id, *more)


@dataclass
class StagedBridge:
    """`async with StagedBridge() as bridge`: served on loopback inside."""

    stage: Stage = field(default_factory=Stage)
    streams: StagedStreams = field(default_factory=StagedStreams)
    port: int = field(default_factory=free_port)
    uptime: float = 3_725.0
    phone_line: PhoneLine = field(default_factory=PhoneLine)
    hls: StagedHls = field(default_factory=StagedHls)

    def __post_init__(self) -> None:
        self.directory = Directory(MemoryRecords(), self.stage)  # type: ignore[arg-type]
        self.outputs = NotedOutputs(self.directory, AnyRoom())
        self.mind = MindFacade(
            self.directory,
            self.stage,
            OneApplication(),
            self.outputs.recordings,
            self.outputs.streamings,
        )
        self.pages = WebPages(
            self.directory, self.stage, OneApplication(), self._figures, streams=self.streams,
            outputs=self.outputs.looks,
        )  # fmt: skip
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        app.include_router(self.pages.router())
        app.include_router(HlsPages(self.hls).router())
        app.include_router(self.mind.router())
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                port=self.port,
                ws=make_protocol([self.pages.door, self.phone_line.door, self.mind.door]),
                log_level="warning",
                lifespan="off",
            )
        )
        self._server.capture_signals = _no_signals  # type: ignore[method-assign]

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> StagedBridge:
        self._serving = asyncio.create_task(self._server.serve())
        while not self._server.started:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for participant_id in list(self.stage.peers):
            await self.stage.break_off(participant_id)
        self._server.should_exit = True
        self._server.force_exit = True
        await self._serving
        await self.outputs.close()
        await self.directory.close()

    async def open_conference(self, name: str) -> Conference:
        return await self.directory.open_conference(APPLICATION, by=self.by, name=name)

    async def invite(
        self, conference: Conference, name: str, role: Role = Role.SPEAKER
    ) -> tuple[Participant, str]:
        return await self.directory.add_participant(conference, by=self.by, name=name, role=role)

    async def bring(
        self, conference: Conference, name: str, kind: str = "webrtc", level: float = -127.0,
        role: Role = Role.SPEAKER, **more: Any,
    ) -> Participant:  # fmt: skip
        """Invite somebody who is there at once."""
        participant, _ = await self.invite(conference, name, role)
        self.stage.bring(conference.id, participant.id, kind, level, **more)
        return self.directory.participant(conference, participant.id)

    async def bring_bot(
        self, conference: Conference, name: str, audience: Audience, level: float = -127.0,
        role: Role = Role.SPEAKER, **more: Any,
    ) -> Participant:  # fmt: skip
        """A service that a stream brought in, there at once."""
        bot, _ = await self.directory.add_participant(
            conference, by=self.by, name=name, role=role, transient=True, service=audience
        )
        self.stage.bring(conference.id, bot.id, "stream", level, **more)
        return self.directory.participant(conference, bot.id)

    def stop_telling_levels(self) -> None:
        """The live sockets close, and open no more."""

        async def refuse(request: UpgradeRequest) -> Refuse:
            return Refuse(503)

        self.pages.live.door = refuse  # type: ignore[method-assign]
        for watch in list(self.pages.live._watches.values()):
            for watcher in list(watch.watchers):
                watcher.dismiss(1012, "the server restarts")

    def link(self, conference: Conference, token: str) -> str:
        return f"{self.base}/join#/{APPLICATION}/{conference.id}/{token}"

    @property
    def by(self) -> Actor:
        return Actor.application(APPLICATION)

    def _figures(self) -> ServerFigures:
        self.uptime += 1
        return ServerFigures("0.1.0", self.uptime, self.uptime * 0.31, 186_000, 12, 0, 0.2, 1.4, 1.1, 2.9)


@contextlib.contextmanager
def _no_signals() -> Iterator[None]:
    yield
