"""The Mind API in memory: a real directory, a switchboard without media, HTTP without sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

from bridge.core.ports import OutputSpec
from bridge.directory import Directory, DirectorySettings
from bridge.egress.gate import EgressGate, EgressSettings
from bridge.errors import BadInput
from bridge.facades.mind import CrossOrigin, MindFacade, MindSettings
from bridge.facades.mind.conference_calls import Declarer
from bridge.people import Conference, Participant, Role
from bridge.players import SCHEMES, PlayerLimits, Players
from bridge.recordings import Recordings
from bridge.sockets import Accept, Receiver, Refuse, UpgradeRequest
from tests.kit.notes import Rooms
from tests.kit.outputs import NotedOutputs
from tests.kit.records import MemoryRecords
from tests.kit.shelves import MemoryShelf

APP = "11111111-1111-4111-8111-111111111111"
OTHER_APP = "22222222-2222-4222-8222-222222222222"
TOKEN, OTHER_TOKEN = "application-token", "other-application-token"


class TwoApplications:
    """Two applications with a token each."""

    def authenticate(self, token: str) -> str | None:
        return {TOKEN: APP, OTHER_TOKEN: OTHER_APP}.get(token)


@dataclass
class FakeSocket:
    """A WebSocket that takes `room` messages."""

    peer: str = "192.0.2.1"
    room: int = 1000
    sent: list[bytes] = field(default_factory=list)
    closed_with: tuple[int, str] | None = None
    unsent_bytes: int = 0
    receiver: Receiver | None = None

    def send_text(self, text: bytes) -> bool:
        if self.closed_with or len(self.sent) >= self.room:
            return False
        self.sent.append(text)
        return True

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self.closed_with is None:
            self.closed_with = (code, reason)
            if self.receiver is not None:
                self.receiver.closed(code, reason)


@dataclass
class Mind:
    """Everything a test of the facade touches."""

    directory: Directory
    records: MemoryRecords
    board: Rooms
    facade: MindFacade
    app: FastAPI
    http: httpx.AsyncClient
    outputs: NotedOutputs

    @property
    def recordings(self) -> Recordings:
        return self.outputs.recordings

    @property
    def shelf(self) -> MemoryShelf:
        return self.outputs.shelf

    @property
    def made(self) -> list[OutputSpec]:
        """Outputs that were begun, in order."""
        return self.outputs.made

    async def call(self, method: str, path: str, token: str | None = TOKEN, **more: Any) -> httpx.Response:
        """One request."""
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **more.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **more)

    async def conference(self, name: str = "Stand-up") -> Conference:
        """A new one, by the API."""
        made = await self.call("POST", f"/{APP}", json={"name": name})
        assert made.status_code == 200, made.text
        return self.directory.conference(APP, made.json()["id"])

    async def person(
        self, conference: Conference, name: str = "Ann", role: Role = Role.SPEAKER, online: bool = False
    ) -> tuple[Participant, str]:
        """A new one with their token, by the API."""
        made = await self.call(
            "POST", f"/{APP}/{conference.id}/participants", json={"name": name, "role": role}
        )
        assert made.status_code == 200, made.text
        participant = self.directory.participant(conference, made.json()["id"])
        if online:
            self.board.up(conference.id, participant.id)
        return participant, made.json()["token"]

    async def knock(
        self, path: str, token: str | None = TOKEN, in_query: bool = False
    ) -> Accept | Refuse | None:
        """Ask the facade's door for a WebSocket."""
        headers = {"authorization": f"Bearer {token}"} if token and not in_query else {}
        query = {"access_token": token} if token and in_query else {}
        return await self.facade.door(UpgradeRequest(path, query, path, headers, "192.0.2.1"))

    async def watch(self, conference: Conference, room: int = 1000) -> FakeSocket:
        """The application's notification socket."""
        accepted = await self.knock(f"/{APP}/{conference.id}")
        assert isinstance(accepted, Accept)
        socket = FakeSocket(room=room, receiver=accepted.receiver)
        accepted.receiver.opened(socket)
        return socket


async def _nobody(host: str) -> list[str]:
    raise OSError("nothing is looked up")


async def _check_file(name: str) -> None:
    if name == "missing":
        raise BadInput("there is no such file below players.directories")


@asynccontextmanager
async def mind(
    settings: DirectorySettings | None = None,
    limits: MindSettings | None = None,
    declarer: Declarer | None = None,
    plays: bool = True,
) -> AsyncIterator[Mind]:
    """Ready inside, closed outside. Players play any file but `missing`, and addresses of the outside."""
    records = MemoryRecords()
    board = Rooms()
    directory = Directory(records, board, settings)
    await directory.load()
    outputs = NotedOutputs(directory, board)
    gate = EgressGate(EgressSettings(), _nobody)
    players = Players(directory, board, lambda url: gate.check(url, SCHEMES), _check_file, PlayerLimits(3))
    facade = MindFacade(
        directory,
        board,
        TwoApplications(),
        outputs.recordings,
        outputs.streamings,
        limits,
        declarer,
        players if plays else None,
    )
    app = FastAPI(docs_url=None, redoc_url=None)
    app.include_router(facade.router())
    app.add_middleware(CrossOrigin)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://bridge") as http:
        yield Mind(directory, records, board, facade, app, http, outputs)
    await outputs.close()
    await directory.close()
