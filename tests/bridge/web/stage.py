"""In place of the switchboard: who is there and how they look is said by the test.

Browsers that join get a real peer connection with silence on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack

from bridge.core.ports import CloseReason, InputLook, LegLook, LegSpec, WebRtcOffer
from bridge.errors import NoSuchRoom
from bridge.routing import Routing
from bridge.status import InputStatus, ParticipantStatus, RoomStatus
from bridge.switch_events import LegDown, LegUp, MediaChanged, SwitchEvent


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

    def look(self, room_id: str, *, watched: bool = False) -> RoomStatus:
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

    def send(self, room_id: str, participant_id: str, text: str) -> None:
        channel = self.channels.get(participant_id)
        if channel is not None and channel.readyState == "open":
            channel.send(text)

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
        by_socket = kind != "webrtc"
        look = InputLook(depth_ms=42, target_ms=40, frames_in=5000, concealed=11, lost=13, jitter_ms=4)
        leg = LegLook(
            kind,
            "connected",
            "L16 16 kHz" if by_socket else "Opus",
            round_trip_ms=None if by_socket else 23.0,
            loss=None if by_socket else 0.004,
            backlog_ms=61.0 if by_socket else 0.0,
        )
        status = InputStatus(level, level > -55, replace(look, **more))
        self.rooms[room_id][participant_id] = ParticipantStatus(leg, {"primary": status} if sending else {})
        self._emit(LegUp(room_id, participant_id, kind))
        if kind != "webrtc" or participant_id not in self.peers:
            self._emit(MediaChanged(room_id, participant_id, "primary", sending))

    async def break_off(self, participant_id: str) -> None:
        """The connection breaks without a word."""
        self.channels.pop(participant_id, None)
        await self.peers.pop(participant_id).close()

    async def _close_peer(self, participant_id: str, code: str) -> None:
        self.send("", participant_id, code)
        self.channels.pop(participant_id, None)
        peer = self.peers.pop(participant_id, None)
        if peer is not None:
            await asyncio.sleep(0.1)  # lets the code reach the browser before the transport is gone
            await peer.close()

    def _emit(self, event: SwitchEvent) -> None:
        for listener in self.listeners:
            listener(event)
