"""The pages on a real server with the real directory, and a stage in place of media: what is to be seen on
it is said by the test. Browsers that join get a real peer connection with silence on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

import uvicorn
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from bridge.changes import Change, MessageSent, ParticipantAdded, ParticipantChanged, ParticipantRemoved
from bridge.core.ports import CloseReason, InputLook, LegLook, LegSpec, WebRtcOffer
from bridge.directory import Directory
from bridge.errors import BridgeError, NoSuchParticipant, NoSuchRoom
from bridge.people import Actor, Conference, Message, Participant, Role
from bridge.records import Kept
from bridge.routing import Routing
from bridge.runtime.websocket import make_protocol
from bridge.status import InputStatus, ParticipantStatus, RoomStatus
from bridge.switch_events import LegDown, LegUp, MediaChanged, SwitchEvent
from bridge.web import ServerFigures, WebPages
from tests.kit.running_bridge import free_port

APPLICATION = "00e1db72-c57d-478c-88be-3533d43c8b34"
TOKEN = "application-token-of-the-tests"

HOSTILE_NAMES = (
    '<img src=x onerror="alert(1)">',
    '"><script>alert(document.domain)</script>',
    "{{constructor.constructor('alert(1)')()}}",
    "‮drowssap ruoy em evig",
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


class MemoryRecords:
    """Keeps nothing beyond the test."""

    async def load(self) -> Kept:
        return Kept()

    async def add_conference(self, conference: Conference) -> None: ...
    async def change_conference(self, conference: Conference) -> None: ...
    async def remove_conference(self, conference_id: str) -> None: ...
    async def add_participant(self, participant: Participant, token_hash: str) -> None: ...
    async def change_participant(self, participant: Participant) -> None: ...
    async def remove_participants(self, participant_ids: Any) -> None: ...
    async def add_message(self, message: Message) -> None: ...


@dataclass
class Answered:
    """What `connect` gives."""

    answer: str | None
    renegotiated: bool


@dataclass
class Stage:
    """A switchboard without sound: who is on it and how they look is set by the test."""

    rooms: dict[str, dict[str, ParticipantStatus]] = field(default_factory=dict)
    routings: dict[tuple[str, str], Routing] = field(default_factory=dict)
    peers: dict[str, RTCPeerConnection] = field(default_factory=dict)
    channels: dict[str, Any] = field(default_factory=dict)
    offers: list[str] = field(default_factory=list)
    draining: bool = False
    answers_media: bool = True
    listeners: list[Callable[[SwitchEvent], None]] = field(default_factory=list)

    def open_room(self, room_id: str) -> None:
        self.rooms.setdefault(room_id, {})

    async def close_room(self, room_id: str, reason: CloseReason) -> None:
        for participant_id in list(self.rooms.pop(room_id, {})):
            self._emit(LegDown(room_id, participant_id, reason.value))
            await self._close_peer(participant_id, "4000")

    async def connect(self, room_id: str, participant_id: str, spec: LegSpec, routing: Routing) -> Answered:
        assert isinstance(spec, WebRtcOffer)
        self.offers.append(spec.sdp)
        self.routings[room_id, participant_id] = routing
        peer = self.peers.get(participant_id)
        ufrag = spec.sdp.partition("a=ice-ufrag:")[2].split("\r\n")[0]
        again = peer is not None and f"a=ice-ufrag:{ufrag}\r\n" in peer.remoteDescription.sdp
        if not again:
            await self._close_peer(participant_id, "4001")
            configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
            peer = self.peers[participant_id] = RTCPeerConnection(configuration)
            channel = self.channels[participant_id] = peer.createDataChannel("", negotiated=True, id=1)
            channel.on("open", lambda: self.bring(room_id, participant_id, "webrtc"))
        assert peer is not None
        await peer.setRemoteDescription(RTCSessionDescription(spec.sdp, "offer"))
        for transceiver in peer.getTransceivers():
            if transceiver.sender.track is None:
                transceiver.sender.replaceTrack(AudioStreamTrack())
            transceiver.direction = "sendrecv"
        await peer.setLocalDescription(await peer.createAnswer())
        self._emit(MediaChanged(room_id, participant_id, "primary", "a=msid:me#primary" in spec.sdp))
        answer = peer.localDescription.sdp
        if not self.answers_media:  # candidates that lead nowhere, as behind a firewall
            answer = "".join(
                line for line in answer.splitlines(keepends=True) if not line.startswith("a=candidate")
            )
        return Answered(answer, again)

    async def disconnect(self, room_id: str, participant_id: str, reason: CloseReason) -> None:
        if self.rooms.get(room_id, {}).pop(participant_id, None) is not None:
            self._emit(LegDown(room_id, participant_id, reason.value))
        await self._close_peer(participant_id, "4001")

    def route(self, room_id: str, participant_id: str, routing: Routing) -> None:
        self.routings[room_id, participant_id] = routing

    def forget(self, room_id: str, participant_id: str) -> None:
        self.routings.pop((room_id, participant_id), None)

    def subscribe(self, listener: Callable[[SwitchEvent], None]) -> None:
        self.listeners.append(listener)

    def look(self, room_id: str) -> RoomStatus:
        if room_id not in self.rooms:
            raise NoSuchRoom("no such room")
        people = self.rooms[room_id]
        return RoomStatus(48_000 if people else 0, 8 if people else 0, dict(people))

    def legs(self) -> dict[str, int]:
        kinds: dict[str, int] = {}
        for people in self.rooms.values():
            for status in people.values():
                kinds[status.leg.kind] = kinds.get(status.leg.kind, 0) + 1
        return kinds

    # --- for the test ---

    def bring(
        self,
        room_id: str,
        participant_id: str,
        kind: str,
        level: float = -127.0,
        sending: bool = True,
        **more: Any,
    ) -> None:
        """Somebody is there, and looks like this."""
        phone = kind == "plivo"
        look = InputLook(depth_ms=42, target_ms=40, frames_in=5000, concealed=11, lost=13, jitter_ms=4)
        leg = LegLook(
            kind,
            "connected",
            "L16 16 kHz" if phone else "Opus",
            round_trip_ms=None if phone else 23.0,
            loss=None if phone else 0.004,
            backlog_ms=61.0 if phone else 0.0,
        )
        status = InputStatus(level, level > -55, replace(look, **more))
        self.rooms[room_id][participant_id] = ParticipantStatus(leg, {"primary": status} if sending else {})
        self._emit(LegUp(room_id, participant_id, kind))
        if kind != "webrtc" or participant_id not in self.peers:
            self._emit(MediaChanged(room_id, participant_id, "primary", sending))

    def tell(self, participant_id: str, message: object) -> None:
        """Text on somebody's data channel."""
        channel = self.channels.get(participant_id)
        if channel is not None and channel.readyState == "open":
            channel.send(message if isinstance(message, str) else json.dumps(message))

    async def break_off(self, participant_id: str) -> None:
        """The connection breaks without a word."""
        self.channels.pop(participant_id, None)
        await self.peers.pop(participant_id).close()

    async def _close_peer(self, participant_id: str, code: str) -> None:
        self.tell(participant_id, code)
        self.channels.pop(participant_id, None)
        peer = self.peers.pop(participant_id, None)
        if peer is not None:
            await asyncio.sleep(0.1)  # lets the code reach the browser before the transport is gone
            await peer.close()

    def _emit(self, event: SwitchEvent) -> None:
        for listener in self.listeners:
            listener(event)


class OneApplication:
    """Knows one token."""

    def authenticate(self, token: str) -> str | None:
        return APPLICATION if token == TOKEN else None


@dataclass
class StagedBridge:
    """`async with StagedBridge() as bridge`: served on loopback inside."""

    stage: Stage = field(default_factory=Stage)
    port: int = field(default_factory=free_port)
    uptime: float = 3_725.0

    def __post_init__(self) -> None:
        self.directory = Directory(MemoryRecords(), self.stage)  # type: ignore[arg-type]
        self.directory.subscribe(self._changed)
        self.pages = WebPages(self.directory, self.stage, OneApplication(), self._figures)
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        app.include_router(self.pages.router())
        _serve_mind(app, self)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app, port=self.port, ws=make_protocol([self.pages.door]), log_level="warning", lifespan="off"
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
        self.pages.live.close()
        for participant_id in list(self.stage.peers):
            await self.stage.break_off(participant_id)
        self._server.should_exit = True
        self._server.force_exit = True
        await self._serving
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

    def link(self, conference: Conference, token: str) -> str:
        return f"{self.base}/join#/{APPLICATION}/{conference.id}/{token}"

    @property
    def by(self) -> Actor:
        return Actor.application(APPLICATION)

    def _figures(self) -> ServerFigures:
        self.uptime += 1
        return ServerFigures("0.1.0", self.uptime, self.uptime * 0.31, 186_000, 12, 0, 0.2, 1.4, 1.1, 2.9)

    def _changed(self, change: Change) -> None:
        """Notifications as the Mind API's facade sends them."""
        match change:
            case ParticipantAdded(participant=participant):
                told = {"type": "created", "location": f"/participants/{participant.id}"}
                told_resource: object = _participant(participant)
            case ParticipantChanged(after=participant):
                told = {"type": "updated", "location": f"/participants/{participant.id}"}
                told_resource = _participant(participant)
            case ParticipantRemoved(participant=participant):
                told = {"type": "deleted", "location": f"/participants/{participant.id}"}
                told_resource = None
            case MessageSent(message=message):
                told = {"type": "created", "location": f"/messages/{message.id}"}
                told_resource = _message(message)
            case _:
                return
        for listener in list(self.stage.channels):
            if listener != change.by.id:
                self.stage.tell(listener, {**told, "resource": told_resource})


@contextlib.contextmanager
def _no_signals() -> Iterator[None]:
    yield


def _participant(participant: Participant) -> dict[str, Any]:
    return {
        "id": participant.id,
        "online": participant.online,
        "name": participant.name,
        "priority": participant.priority,
        "language": participant.language,
        "role": str(participant.role),
        "layout": str(participant.layout),
        "media": {"audio": participant.media.audio, "video": False},
        "secondaryMedia": {"audio": False, "video": False},
    }


def _message(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "sentTo": message.sent_to,
        "sentBy": message.sent_by,
        "sentAt": int(message.sent_at * 1000),
        "text": message.text,
    }


def _conference(conference: Conference) -> dict[str, Any]:
    return {"id": conference.id, "name": conference.name, "layout": "mosaic", "recording": {"started": False},
            "endingAt": int(conference.ends_at)}  # fmt: skip


def _serve_mind(app: FastAPI, bridge: StagedBridge) -> None:
    """As much of the Mind API as the pages call."""
    directory = bridge.directory

    def actor(request: Request) -> Actor:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token == TOKEN:
            return bridge.by
        participant = directory.participant_by_token(token)
        if participant is None:
            raise PermissionError
        return Actor.participant(participant.id)

    @app.exception_handler(PermissionError)
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": "no valid token"}, 401)

    @app.exception_handler(BridgeError)
    async def refused(request: Request, error: Exception) -> JSONResponse:
        missing = isinstance(error, NoSuchRoom | NoSuchParticipant)
        return JSONResponse({"error": str(error)}, 404 if missing else 503)

    @app.post("/{application}")
    async def create(application: str, request: Request) -> Any:
        by = actor(request)
        name = (await request.json()).get("name", "")
        return _conference(await directory.open_conference(application, by=by, name=name))

    @app.get("/{application}/{conference_id}/")
    async def get(application: str, conference_id: str, request: Request) -> Any:
        by = actor(request)
        conference = directory.conference(application, conference_id)
        people = directory.participants(conference)
        people.sort(key=lambda participant: participant.id != by.id)
        return {**_conference(conference), "participants": [_participant(person) for person in people]}

    @app.patch("/{application}/{conference_id}/")
    async def rename(application: str, conference_id: str, request: Request) -> Any:
        by = actor(request)
        conference = directory.conference(application, conference_id)
        name = (await request.json())["name"]
        return _conference(await directory.change_conference(conference, by=by, name=name))

    @app.delete("/{application}/{conference_id}")
    async def delete(application: str, conference_id: str, request: Request) -> None:
        by = actor(request)
        await directory.close_conference(directory.conference(application, conference_id), by=by)

    @app.post("/{application}/{conference_id}/participants")
    async def invite(application: str, conference_id: str, request: Request) -> Any:
        by = actor(request)
        body = await request.json()
        conference = directory.conference(application, conference_id)
        participant, token = await directory.add_participant(
            conference, by=by, name=body["name"], role=Role(body["role"])
        )
        return {**_participant(participant), "token": token}

    @app.patch("/{application}/{conference_id}/participants/{participant_id}")
    async def change(application: str, conference_id: str, participant_id: str, request: Request) -> Any:
        by = actor(request)
        conference = directory.conference(application, conference_id)
        participant = directory.participant(conference, participant_id)
        return _participant(await directory.change_participant(participant, by=by, **await request.json()))

    @app.delete("/{application}/{conference_id}/participants/{participant_id}")
    async def expel(application: str, conference_id: str, participant_id: str, request: Request) -> None:
        by = actor(request)
        conference = directory.conference(application, conference_id)
        await directory.remove_participant(directory.participant(conference, participant_id), by=by)

    @app.post("/{application}/{conference_id}/messages")
    async def write(application: str, conference_id: str, request: Request) -> Any:
        by = actor(request)
        body = await request.json()
        conference = directory.conference(application, conference_id)
        return _message(
            await directory.send_message(conference, by=by, send_to=body["sendTo"], text=body["text"])
        )

    @app.post("/{application}/{conference_id}/")
    async def session(application: str, conference_id: str, request: Request) -> Any:
        by = actor(request)
        body = await request.json()
        conference = directory.conference(application, conference_id)
        participant = directory.participant(conference, by.id)
        connection = await directory.connect(participant, WebRtcOffer(body["sdp"]))
        return {"sdp": connection.answer}
