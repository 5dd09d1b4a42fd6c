"""The live feed of a conference of two, without sockets: a test is the time, and reads what was sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bridge.core.ports import InputLook, LegLook
from bridge.errors import NoSuchParticipant, NoSuchRoom
from bridge.people import Conference, Layout, Participant, Role
from bridge.sockets import Accept, Refuse, UpgradeRequest
from bridge.status import InputStatus, ParticipantStatus, RoomStatus
from bridge.web.live import Live
from tests.bridge.web.staged_outputs import StagedOutputs
from tests.bridge.web.staged_streams import StagedStreams

APP, OTHER_APP = "app-1", "app-2"


class People:
    """A directory with one conference of two."""

    def __init__(self) -> None:
        self.conferences_by_id = {"c1": Conference("c1", APP, "Quiz", Layout.MOSAIC, 0.0, 1.0)}
        self.people = {
            "p1": Participant("p1", "c1", APP, "Ada", 1.0, Role.SPEAKER, Layout.MOSAIC, ""),
            "p2": Participant("p2", "c1", APP, "Bob", 1.0, Role.SPEAKER, Layout.MOSAIC, ""),
        }
        self.broken = False

    def conference(self, application_id: str, conference_id: str) -> Conference:
        conference = self.conferences_by_id.get(conference_id)
        if conference is None or conference.application_id != application_id:
            raise NoSuchRoom("no such conference")
        return conference

    def conferences(self, application_id: str) -> list[Conference]:
        return list(self.conferences_by_id.values())

    def participant(self, conference: Conference, participant_id: str) -> Participant:
        if participant_id not in self.people:
            raise NoSuchParticipant("no such participant")
        return self.people[participant_id]

    def participants(self, conference: Conference) -> list[Participant]:
        if self.broken:
            raise RuntimeError("the directory is broken")
        return list(self.people.values())

    def participant_by_token(self, token: str) -> Participant | None:
        return self.people.get(token.removeprefix("token-"))

    async def change_participant(self, participant: Participant, **fields: Any) -> Participant:
        raise AssertionError("the live socket changes nobody")


class Rooms:
    """A switchboard with one of them there, and sounding."""

    def __init__(self) -> None:
        self.level = -20.0
        self.known = True
        self.looks = 0

    def look(self, room_id: str, *, watched: bool = False) -> RoomStatus:
        assert watched, "levels are looked at, so that the mixer must decode what nobody hears"
        self.looks += 1
        if not self.known:
            raise NoSuchRoom("no such room")
        given = InputStatus(self.level, self.level > -50, InputLook())
        return RoomStatus(
            48000, 2, {"p1": ParticipantStatus(LegLook("webrtc", "connected"), {"primary": given})}
        )

    def legs(self) -> dict[str, int]:
        return {"webrtc": 1}


class Tokens:
    """Two applications with a token each."""

    def authenticate(self, token: str) -> str | None:
        return {"app-token": APP, "other-token": OTHER_APP}.get(token)


@dataclass
class Wire:
    """An open socket that remembers."""

    peer: str = "127.0.0.1"
    unsent_bytes: int = 0
    full: bool = False
    sent: list[dict[str, Any]] = field(default_factory=list)
    closed: tuple[int, str] | None = None

    def send_text(self, text: bytes) -> bool:
        if self.full:
            return False
        self.sent.append(json.loads(text))
        return True

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed = (code, reason)

    def types(self) -> list[str]:
        return [message["type"] for message in self.sent]


class Timers:
    """Time as the test wants it."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def call_later(self, delay_s: float, call: Callable[[], None]) -> Timers:
        assert delay_s == 0.1
        self.waiting.append(call)
        return self

    def cancel(self) -> None:
        self.waiting.clear()

    def beat(self, count: int = 1) -> None:
        for _ in range(count):
            due, self.waiting = self.waiting, []
            for call in due:
                call()


class Scene:
    """The live feed over all of it."""

    def __init__(self) -> None:
        self.people = People()
        self.rooms = Rooms()
        self.timers = Timers()
        self.streams = StagedStreams()
        self.outputs = StagedOutputs()
        self.live = Live(
            self.people, self.rooms, Tokens(), self.streams, self.outputs, call_later=self.timers.call_later
        )

    async def ask(self, token: str | None, path: str = f"/live/{APP}/c1") -> Accept | Refuse | None:
        query = {} if token is None else {"access_token": token}
        return await self.live.door(UpgradeRequest(path, query, path, {}, "127.0.0.1"))

    async def watch(self, token: str) -> Wire:
        accepted = await self.ask(token)
        assert isinstance(accepted, Accept)
        wire = Wire()
        accepted.receiver.opened(wire)
        self.receiver = accepted.receiver
        return wire
