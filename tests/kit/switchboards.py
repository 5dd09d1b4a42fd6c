"""A switchboard without media: remembers what it was told, and reports what a test says happened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bridge.core.ports import CloseReason, InputName, LegSpec, WebRtcOffer
from bridge.routing import Routing
from bridge.status import RoomStatus
from bridge.switch_events import Digit, LegDown, LegUp, MediaChanged, SwitchEvent
from bridge.switchboard import Connection


@dataclass
class FakeSwitchboard:
    """`errors` are raised, one each, by the next calls of `connect`."""

    draining: bool = False
    rooms: set[str] = field(default_factory=set)
    connected: dict[tuple[str, str], LegSpec] = field(default_factory=dict)
    routings: dict[tuple[str, str], Routing] = field(default_factory=dict)
    sent: list[tuple[str, str, str]] = field(default_factory=list)
    """(room, participant, text)"""
    ended: list[tuple[str, str, CloseReason]] = field(default_factory=list)
    forgotten: list[tuple[str, str]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    while_connecting: Callable[[], Awaitable[object]] | None = None
    """Happens before a `connect` has any effect."""
    listeners: list[Callable[[SwitchEvent], None]] = field(default_factory=list)
    looks: dict[str, RoomStatus] = field(default_factory=dict)

    def open_room(self, room_id: str) -> None:
        self.rooms.add(room_id)

    async def close_room(self, room_id: str, reason: CloseReason) -> None:
        self.rooms.discard(room_id)
        for room, participant_id in [key for key in self.connected if key[0] == room_id]:
            await self.disconnect(room, participant_id, reason)

    async def connect(self, room_id: str, participant_id: str, spec: LegSpec, routing: Routing) -> Connection:
        if self.errors:
            raise self.errors.pop(0)
        if self.while_connecting is not None:
            await self.while_connecting()
        self.connected[room_id, participant_id] = spec
        self.routings[room_id, participant_id] = routing
        answer = f"answer to {spec.sdp}" if isinstance(spec, WebRtcOffer) else None
        return Connection(answer, renegotiated=False)

    async def disconnect(self, room_id: str, participant_id: str, reason: CloseReason) -> None:
        if self.connected.pop((room_id, participant_id), None) is not None:
            self.ended.append((room_id, participant_id, reason))
            self.emit(LegDown(room_id, participant_id, reason.value))

    def route(self, room_id: str, participant_id: str, routing: Routing) -> None:
        self.routings[room_id, participant_id] = routing

    def forget(self, room_id: str, participant_id: str) -> None:
        self.forgotten.append((room_id, participant_id))

    def send(self, room_id: str, participant_id: str, text: str) -> None:
        self.sent.append((room_id, participant_id, text))

    def look(self, room_id: str) -> RoomStatus:
        return self.looks.get(room_id, RoomStatus())

    def subscribe(self, listener: Callable[[SwitchEvent], None]) -> None:
        self.listeners.append(listener)

    # --- what happens ---

    def emit(self, event: SwitchEvent) -> None:
        for listener in self.listeners:
            listener(event)

    def up(self, room_id: str, participant_id: str, kind: str = "webrtc") -> None:
        """Their leg works."""
        self.connected.setdefault((room_id, participant_id), WebRtcOffer(""))
        self.emit(LegUp(room_id, participant_id, kind))

    def down(self, room_id: str, participant_id: str, cause: str = "gone") -> None:
        """Their leg is over, by itself."""
        self.connected.pop((room_id, participant_id), None)
        self.emit(LegDown(room_id, participant_id, cause))

    def sending(
        self, room_id: str, participant_id: str, on: bool = True, name: InputName = "primary"
    ) -> None:
        """They begin or cease to send."""
        self.emit(MediaChanged(room_id, participant_id, name, on))

    def press(self, room_id: str, participant_id: str, digit: str) -> None:
        """They press a key."""
        self.emit(Digit(room_id, participant_id, digit))
