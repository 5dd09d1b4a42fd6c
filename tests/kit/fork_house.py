"""Plivo's stream API with everything behind it real but for media, the database and the outer world."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx
from fastapi import FastAPI

from bridge.core.ports import L16_8K, CallStart, CloseReason, ServiceStream
from bridge.directory import Directory
from bridge.errors import EgressRefused, NoSuchHost
from bridge.facades.plivo import Outgoing, PlivoAccounts, PlivoFacade, PlivoSettings
from bridge.facades.plivo.calls import Pass
from bridge.facades.plivo.fork import Fork
from bridge.facades.webhooks import WebhookSettings
from bridge.people import Actor, Conference, Participant, Role
from bridge.secret import Secret
from bridge.switch_events import Behind
from bridge.turns.report import TurnReport
from tests.kit.plivo_house import (
    APP,
    AUTH_ID,
    AUTH_TOKEN,
    BASE_URL,
    OTHER_APP,
    OTHER_AUTH_ID,
    OTHER_AUTH_TOKEN,
    Account,
    KnownApplications,
)
from tests.kit.records import MemoryRecords
from tests.kit.switchboards import FakeSwitchboard

SERVICE = "wss://service.example/audio?secret=s3cr3t"
EVENTS = "https://events.example/plivo?token=t0k3n"
PRIVATE = "MEDIABRIDGE_EGRESS_ALLOW_PRIVATE=true"
START = 1_700_000_000.0


@dataclass
class PressedSwitchboard(FakeSwitchboard):
    """Remembers digits passed on: (room, seat, track, digit)."""

    passed_on: list[tuple[str, str, str, str]] = field(default_factory=list)

    def press(self, room_id: str, participant_id: str, *of: str) -> None:  # type: ignore[override]
        """With a track: passed on. Without: the participant presses it."""
        if len(of) == 2:
            self.passed_on.append((room_id, participant_id, *of))
        else:
            super().press(room_id, participant_id, *of)


@dataclass(frozen=True)
class Asked:
    """A request that the facade made."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def fields(self) -> dict[str, str]:
        written = self.content.decode() if self.method == "POST" else urlsplit(self.url).query
        return dict(parse_qsl(written, keep_blank_values=True))

    @property
    def event(self) -> str:
        return self.fields["Event"]


@dataclass(frozen=True)
class Answered:
    status: int = 200


@dataclass
class NoLink:
    """A call that streams in, as far as `Calls` asks."""

    start: CallStart

    def close(self, code: int, reason: str) -> None: ...


@dataclass
class KeptTurns:
    """Who is watched, as (room, seat), and what the facade says whom they hear."""

    watched: dict[tuple[str, str], Callable[[str], bool]] = field(default_factory=dict)

    def watch(
        self, room_id: str, participant_id: str, hears: Callable[[str], bool], sounding: Collection[str]
    ) -> object:
        self.sounding[room_id, participant_id] = list(sounding)
        self.watched[room_id, participant_id] = hears
        return None

    sounding: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def report(self, room_id: str, participant_id: str) -> TurnReport | None:
        return TurnReport(0, 1000) if (room_id, participant_id) in self.watched else None

    def unwatch(self, room_id: str, participant_id: str) -> TurnReport:
        del self.watched[room_id, participant_id]
        return TurnReport(0, 2000)


@dataclass
class ForkHouse:
    """`await house.open()` first; `house.close()` at the end."""

    answers: list[int | Exception] = field(default_factory=list)
    """Of the next callbacks; 200 when there are none."""
    check_takes_s: float = 0.0

    def __post_init__(self) -> None:
        self.now = START
        self.asked: list[Asked] = []
        self.turns = KeptTurns()
        self.switchboard = PressedSwitchboard()
        self.directory = Directory(MemoryRecords(), self.switchboard, now=self.time)
        self.accounts = PlivoAccounts(
            [
                Account(Secret(AUTH_TOKEN), APP, AUTH_ID),
                Account(Secret(OTHER_AUTH_TOKEN), OTHER_APP, OTHER_AUTH_ID),
            ],
            KnownApplications(),
        )
        self.facade = PlivoFacade(
            self.directory,
            self.switchboard,
            KnownApplications(),
            self.accounts,
            self._new_link,
            PlivoSettings(public_base_url=BASE_URL, webhooks=WebhookSettings(pauses_s=(0.0, 0.0, 0.0))),
            Outgoing(self._check_egress, self._request, self.turns, self.time),
        )
        self.app = FastAPI()
        self.app.include_router(self.facade.router())
        self.conference: Conference
        self.anna: Participant

    async def open(self) -> ForkHouse:
        await self.directory.load()
        self.conference = await self.directory.open_conference(APP, by=Actor.system(), name="Talk")
        self.anna = await self.somebody("Anna")
        self.http = self.client()
        return self

    async def close(self) -> None:
        for room in list(self.switchboard.rooms):
            await self.switchboard.close_room(room, CloseReason.ENDED)
        await self.facade.close()
        await self.directory.close()
        await self.http.aclose()

    def client(self, auth_id: str = AUTH_ID, auth_token: str = AUTH_TOKEN) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://inside", auth=(auth_id, auth_token))

    def time(self) -> float:
        return self.now

    # --- who is there ---

    async def somebody(
        self, name: str, role: Role = Role.SPEAKER, *, online: bool = True, transient: bool = False
    ) -> Participant:
        made, _ = await self.directory.add_participant(
            self.conference, by=Actor.system(), name=name, role=role, transient=transient
        )
        if online:
            self.switchboard.up(self.conference.id, made.id)
        return self.directory.participant(self.conference, made.id)

    async def call(self, call_id: str, headers: Mapping[str, str] | None = None) -> Participant:
        """A phone call that streams in and calls itself `call_id`."""
        link = NoLink(CallStart(call_id, "s", "MA1", ("inbound",), L16_8K, dict(headers or {})))
        await self.facade.calls._admit(Pass(self.conference), link)
        caller = self.directory.participants(self.conference)[-1]
        self.switchboard.up(self.conference.id, caller.id, "plivo")
        return self.directory.participant(self.conference, caller.id)

    def people(self) -> dict[str, Participant]:
        return {person.name: person for person in self.directory.participants(self.conference)}

    # --- streams ---

    def path(self, call_uuid: str | None = None, auth_id: str = AUTH_ID) -> str:
        return f"/v1/Account/{auth_id}/Call/{call_uuid or self.anna.id}/"

    def streams(self, call_uuid: str | None = None, stream_id: str = "") -> str:
        return f"{self.path(call_uuid)}Stream/{stream_id + '/' if stream_id else ''}"

    async def start(self, call_uuid: str | None = None, up: bool = True, **given: Any) -> str:
        """A stream, which the service takes; gives its id."""
        response = await self.http.post(self.streams(call_uuid), json={"service_url": SERVICE, **given})
        assert response.status_code == 202, response.text
        stream_id: str = response.json()["stream_id"]
        fork = self.fork(stream_id)
        if up and not fork.roster:
            self.answer(fork)
        await self.settle()
        return stream_id

    def answer(self, fork: Fork) -> None:
        """The service is reached."""
        fork.ledger.connects += 1
        self.switchboard.up(fork.conference_id, fork.seat_id, "service")

    def fork(self, stream_id: str) -> Fork:
        return next(fork for fork in self.facade.fork_course.records.live() if fork.id == stream_id)

    def spec(self, seat_id: str) -> ServiceStream:
        spec = self.switchboard.connected[self.conference.id, seat_id]
        assert isinstance(spec, ServiceStream)
        return spec

    def lose(self, seat_id: str, cause: str = "connection lost") -> None:
        """The leg ends by itself."""
        self.switchboard.down(self.conference.id, seat_id, cause)

    def behind(self, seat_id: str, percent: int) -> None:
        self.switchboard.emit(Behind(self.conference.id, seat_id, percent))

    async def get(self, stream_id: str, call_uuid: str | None = None) -> dict[str, Any]:
        response = await self.http.get(self.streams(call_uuid, stream_id))
        assert response.status_code == 200, response.text
        answered: dict[str, Any] = response.json()
        return answered

    def seats(self) -> set[str]:
        """Legs that are streams."""
        return {
            seat for (_, seat), spec in self.switchboard.connected.items() if isinstance(spec, ServiceStream)
        }

    async def settle(self) -> None:
        """Lets everything happen that needs no time."""
        for _ in range(60):
            await asyncio.sleep(0)

    @property
    def events(self) -> list[str]:
        return [asked.event for asked in self.asked]

    # --- the outer world ---

    def _new_link(self, *arguments: object) -> Any:
        raise AssertionError("nobody calls in by WebSocket here")

    async def _check_egress(self, url: str, schemes: Collection[str]) -> None:
        await asyncio.sleep(self.check_takes_s)
        parts = urlsplit(url)
        if parts.scheme not in schemes:
            raise EgressRefused(f"the URL must begin with {' or '.join(schemes)}")
        if parts.hostname == "10.0.0.1":
            raise EgressRefused(f"10.0.0.1 is private; {PRIVATE} allows it")
        if parts.hostname == "nowhere.example":
            raise NoSuchHost("no such host")

    async def _request(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes, timeout_s: float
    ) -> Answered:
        self.asked.append(Asked(method, url, headers, content))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return Answered(answer)


def refused(response: httpx.Response, status: int) -> str:
    """The text of an error in Plivo's shape."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"api_id", "error"}
    UUID(body["api_id"])
    error: str = body["error"]
    return error
