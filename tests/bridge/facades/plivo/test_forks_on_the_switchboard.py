"""Streams on the real switchboard and mixer, with a leg whose service is the test."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from bridge.core.events import DigitPressed, LegClosed, LegConnected, LegInterrupted
from bridge.core.mixbus import MixBus
from bridge.core.ports import (
    L16_16K,
    CallTrack,
    CloseReason,
    LegLook,
    LegPort,
    LegSpec,
    MixSource,
    PlayInput,
    ServiceStream,
)
from bridge.core.settings import CoreSettings
from bridge.directory import Directory
from bridge.dispatch import Dispatch
from bridge.facades.plivo import Outgoing, PlivoAccounts, PlivoFacade
from bridge.people import Actor, Participant
from bridge.secret import Secret
from bridge.switchboard import Switchboard
from tests.kit.clock import ManualClock
from tests.kit.plivo_house import APP, AUTH_ID, AUTH_TOKEN, Account, KnownApplications
from tests.kit.records import MemoryRecords

pytestmark = pytest.mark.unit


class Ear:
    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send_frame(self, frame: bytes, silent: bool, late: bool) -> None:
        self.frames.append(frame)

    def loud(self) -> bool:
        """Whether anything sounds in the last frame."""
        return bool(np.abs(np.frombuffer(self.frames[-1], np.int16).astype(int)).max() > 100)


@dataclass
class AnyLeg:
    """A caller or a service: hears on `ears`, says through `voice`."""

    port: LegPort
    spec: LegSpec
    kind: str
    dead_on_arrival: bool = False
    ears: dict[str, Ear] = field(default_factory=dict)
    pressed: list[tuple[str, str]] = field(default_factory=list)
    closed: list[CloseReason] = field(default_factory=list)
    voice: PlayInput | None = None

    async def start(self) -> None:
        if self.dead_on_arrival:
            assert isinstance(self.spec, ServiceStream)
            self.spec.ledger.ended_at = 1.0
            self.port.emit(LegClosed("connect failed: refused"))
            return
        if isinstance(self.spec, ServiceStream):
            for track, source in self.spec.sources.items():
                self.ears[track] = Ear()
                self.port.open_frame_output(track, source, L16_16K, self.ears[track])
            speaks = self.spec.bidirectional
        else:
            self.ears["heard"] = Ear()
            self.port.open_frame_output("heard", MixSource(), L16_16K, self.ears["heard"])
            speaks = True
        if speaks:
            self.voice = self.port.open_play_input("primary", L16_16K)
        self.port.emit(LegConnected())

    def say(self) -> None:
        assert self.voice is not None
        hum = 8_000 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
        self.voice.play(hum.astype(np.int16).tobytes())

    async def renegotiate(self, spec: LegSpec) -> str | None:
        return None

    def send(self, text: str) -> None: ...

    def press(self, track: str, digit: str) -> None:
        self.pressed.append((track, digit))

    async def close(self, reason: CloseReason) -> None:
        self.closed.append(reason)

    def look(self) -> LegLook:
        return LegLook(self.kind, "connected")


class Room:
    """A conference with callers, and the stream API in front of it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.bus, self.dispatch = MixBus(CoreSettings()), Dispatch()
        self.legs: dict[str, AnyLeg] = {}
        self.next_is_dead = False
        self.switchboard = Switchboard(
            self.bus, self.dispatch, {ServiceStream: self._leg, CallTrack: self._leg}
        )
        self.directory = Directory(MemoryRecords(), self.switchboard)
        self.facade = PlivoFacade(
            self.directory,
            self.switchboard,
            KnownApplications(),
            PlivoAccounts([Account(Secret(AUTH_TOKEN), APP, AUTH_ID)], KnownApplications()),
            lambda admit, over: pytest.fail("nobody calls in"),
            outgoing=Outgoing(self._check, self._ask),
        )
        app = FastAPI()
        app.include_router(self.facade.router())
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://inside", auth=(AUTH_ID, AUTH_TOKEN)
        )

    async def __aenter__(self) -> Room:
        await self.directory.load()
        self.conference = await self.directory.open_conference(APP, by=Actor.system())
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.switchboard.close()
        await self.facade.close()
        await self.directory.close()
        await self.http.aclose()

    async def caller(self, name: str) -> Participant:
        person, _ = await self.directory.add_participant(self.conference, by=Actor.system(), name=name)
        await self.directory.connect(person, CallTrack(None, "inbound"))  # type: ignore[arg-type]
        return person

    def path(self, call_uuid: str) -> str:
        return f"/v1/Account/{AUTH_ID}/Call/{call_uuid}/"

    async def stream(self, call_uuid: str, **given: object) -> str:
        body = {"service_url": f"wss://s.example/{len(self.legs)}", **given}
        response = await self.http.post(f"{self.path(call_uuid)}Stream/", json=body)
        assert response.status_code == 202, response.text
        await self.settle()
        stream_id: str = response.json()["stream_id"]
        return stream_id

    async def settle(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    async def tick(self, ticks: int = 10) -> None:
        for now in self.clock.ticks(ticks):
            self.dispatch.deliver_frames(self.bus.tick(now), False)
            await asyncio.sleep(0)

    def _leg(self, port: LegPort, spec: LegSpec) -> AnyLeg:
        kind = "service" if isinstance(spec, ServiceStream) else "plivo"
        leg = AnyLeg(port, spec, kind, self.next_is_dead)
        self.legs[port.participant_id] = leg
        return leg

    async def _check(self, url: str, schemes: Collection[str]) -> None: ...

    async def _ask(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes, timeout_s: float
    ) -> object:
        pytest.fail("nothing is told")


async def test_what_a_service_plays_is_heard_by_its_call_alone() -> None:
    async with Room() as room:
        anna, ben = await room.caller("Anna"), await room.caller("Ben")
        both = await room.stream(anna.id, audio_track="both")
        service = room.legs[await room.stream(anna.id, bidirectional=True)]
        service.say()
        await room.tick()
        assert room.legs[anna.id].ears["heard"].loud()
        assert not room.legs[ben.id].ears["heard"].loud()
        assert room.legs[both].ears["outbound"].loud() and not room.legs[both].ears["inbound"].loud()
        assert not service.ears["inbound"].loud()


async def test_a_stream_hears_its_caller_and_a_roster_everybody_apart() -> None:
    async with Room() as room:
        anna, ben = await room.caller("Anna"), await room.caller("Ben")
        inbound = await room.stream(anna.id)
        await room.stream(room.conference.id, audio_track="participants")
        room.legs[anna.id].say()
        await room.tick()
        assert room.legs[inbound].ears["inbound"].loud()
        loud = {
            leg.spec.call.headers["id"]: leg.ears["inbound"].loud()
            for leg in room.legs.values()
            if isinstance(leg.spec, ServiceStream) and "id" in leg.spec.call.headers
        }
        assert loud == {anna.id: True, ben.id: False}


async def test_whisper_and_bots_that_do_not_hear_bots() -> None:
    async with Room() as room:
        agent, customer = await room.caller("Agent"), await room.caller("Customer")
        await room.stream(room.conference.id, bidirectional=True, name="Coach", heard_by=[agent.id])
        await room.stream(room.conference.id, bidirectional=True, name="Deaf", hears="person")
        await room.stream(room.conference.id, bidirectional=True, name="Loud")
        people = {one.name: one.id for one in room.directory.participants(room.conference)}
        ear = {name: room.legs[people[name]].ears["inbound"] for name in ("Coach", "Deaf", "Loud")}
        room.legs[people["Coach"]].say()
        await room.tick()
        assert room.legs[agent.id].ears["heard"].loud()
        assert not room.legs[customer.id].ears["heard"].loud() and not ear["Loud"].loud()
        await room.tick(60)
        room.legs[people["Loud"]].say()
        await room.tick()
        assert ear["Coach"].loud() and room.legs[customer.id].ears["heard"].loud()
        assert not ear["Deaf"].loud() and not ear["Loud"].loud()
        room.legs[customer.id].say()
        await room.tick()
        assert ear["Deaf"].loud() and ear["Loud"].loud()


async def test_seats_leave_nothing_behind() -> None:
    async with Room() as room:
        anna = await room.caller("Anna")
        stream_id = await room.stream(anna.id, bidirectional=True)
        room.legs[anna.id].port.emit(DigitPressed("5"))
        assert room.legs[stream_id].pressed == [("inbound", "5")]
        assert (await room.http.delete(f"{room.path(anna.id)}Stream/{stream_id}/")).status_code == 204
        await room.settle()
        assert room.legs[stream_id].closed == [CloseReason.HANGUP]
        lost = await room.stream(anna.id)
        room.legs[lost].port.emit(LegClosed("connection lost"))
        await room.tick()
        inside = room.switchboard._rooms[room.conference.id]
        assert set(inside.seats) == set(inside.connecting) == set(inside.patch._routings) == {anna.id}


@pytest.mark.parametrize("whole", [False, True])
async def test_a_service_that_cannot_be_reached_at_once_is_a_dropped_stream(whole: bool) -> None:
    async with Room() as room:
        anna = await room.caller("Anna")
        room.next_is_dead = True
        call_uuid = room.conference.id if whole else anna.id
        stream_id = await room.stream(call_uuid)
        shown = (await room.http.get(f"{room.path(call_uuid)}Stream/{stream_id}/")).json()
        assert (shown["status"], shown["end_reason"]) == ("completed", "Connection error")
        assert [one.id for one in room.directory.participants(room.conference)] == [anna.id]
        assert set(room.switchboard._rooms[room.conference.id].seats) == {anna.id}


async def test_a_caller_who_is_away_for_a_moment_keeps_their_streams_and_can_get_more() -> None:
    async with Room() as room:
        anna = await room.caller("Anna")
        before = await room.stream(anna.id, audio_track="both")
        room.legs[anna.id].port.emit(LegInterrupted("connection lost"))
        during = await room.stream(anna.id, bidirectional=True)
        await room.tick(3)
        assert len(room.legs[before].ears["inbound"].frames) == 3
        assert len(room.legs[during].ears["inbound"].frames) == 3
        room.legs[anna.id].port.emit(LegConnected())
        room.legs[anna.id].say()
        await room.tick()
        assert room.legs[before].ears["inbound"].loud() and room.legs[during].ears["inbound"].loud()


async def test_a_hung_up_caller_takes_every_stream_along() -> None:
    async with Room() as room:
        anna = await room.caller("Anna")
        one, two = await room.stream(anna.id), await room.stream(anna.id, bidirectional=True)
        assert (await room.http.delete(room.path(anna.id))).status_code == 204
        await room.settle()
        assert room.legs[anna.id].closed == [CloseReason.HANGUP]
        assert room.legs[one].closed == room.legs[two].closed == [CloseReason.HANGUP]
        await room.directory.close_conference(room.conference, by=Actor.system())
