"""The verbs: who is connected where, who hears whom. Owns rooms and legs; says what happened.

Order of calls: `open_room`, then `connect` and `route` for its participants, then `close_room`. A room takes
a place in the mixer only while somebody is connected to it. Everything runs on the event loop's thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bridge.background import Background
from bridge.core.events import (
    CoreEvent,
    DigitPressed,
    FellBehind,
    LegClosed,
    LegConnected,
    LegEvent,
    LegInterrupted,
    MarkPlayed,
    QueueCleared,
    QueueRanDry,
    TalkingChanged,
    TextReceived,
)
from bridge.core.mixbus import MixBus
from bridge.core.ports import CloseReason, InputName, LegFactory, LegSpec
from bridge.dispatch import Dispatch
from bridge.errors import Draining, LimitReached, NoSuchRoom, Overloaded
from bridge.feed import Feed
from bridge.leg_port import Port
from bridge.patch import RoomPatch
from bridge.room_taps import RoomTaps
from bridge.routing import Routing, slot_name, slot_owner
from bridge.seat import Seat
from bridge.status import InputStatus, ParticipantStatus, RoomStatus
from bridge.switch_events import (
    Behind,
    Digit,
    LegDown,
    LegInterruptedOn,
    LegResumed,
    LegUp,
    MediaChanged,
    PlayEnded,
    SwitchEvent,
    Talking,
    Text,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Connection:
    """What `connect` gives."""

    answer: str | None
    renegotiated: bool


@dataclass(slots=True)
class _Room:
    patch: RoomPatch
    seats: dict[str, Seat] = field(default_factory=dict)
    connecting: dict[str, asyncio.Lock] = field(default_factory=dict)


class Switchboard:
    """See the module's docstring. `factories` maps a spec's type to what makes its leg."""

    def __init__(
        self,
        bus: MixBus,
        dispatch: Dispatch,
        factories: Mapping[type, LegFactory],
        *,
        max_legs: int = 2000,
    ) -> None:
        self._bus = bus
        self._dispatch = dispatch
        self._factories = dict(factories)
        self._max_legs = max_legs
        self._rooms: dict[str, _Room] = {}
        self._feed: Feed[SwitchEvent] = Feed()
        self._closing = Background(log, "a leg did not close")
        self.draining = False
        self.overloaded = False

    def open_room(self, room_id: str) -> None:
        """Make room `room_id` known; nothing happens when it is."""
        if room_id not in self._rooms:
            self._rooms[room_id] = _Room(RoomPatch(room_id, self._bus, self._dispatch))

    async def close_room(self, room_id: str, reason: CloseReason) -> None:
        """Close every leg in it, then forget it. Nothing happens when it is unknown."""
        room = self._rooms.pop(room_id, None)
        if room is None:
            return
        seats = list(room.seats.values())
        room.seats.clear()
        for seat in seats:
            seat.port.close()
            self._say_down(seat, reason.value)
        room.patch.close()
        await asyncio.gather(*(seat.close_leg(reason) for seat in seats))

    async def connect(self, room_id: str, participant_id: str, spec: LegSpec, routing: Routing) -> Connection:
        """Give the participant a leg, in place of the one it has, or renegotiate that one.

        Raises NoSuchRoom, BadOffer, Draining, Overloaded, LimitReached. A failed attempt leaves the old
        leg as it was.
        """
        room = self._room(room_id)
        async with room.connecting.setdefault(participant_id, asyncio.Lock()):
            seat = room.seats.get(participant_id)
            if seat is not None:
                answer = await seat.leg.renegotiate(spec)
                if answer is not None:
                    return Connection(answer, renegotiated=True)
            self._check_room_for_more(replacing=seat is not None)
            room.patch.route(participant_id, routing)
            port = Port(room.patch, participant_id, self._media_changed)
            leg = self._factories[type(spec)](port, spec)
            new = Seat(port, leg)
            port.on_event = lambda event: self._leg_event(room_id, participant_id, new, event)
            try:
                answer = await leg.start()
            except BaseException:
                port.close()
                await new.close_leg(CloseReason.FAILED)
                raise
            if self._rooms.get(room_id) is not room:
                port.close()
                await new.close_leg(CloseReason.ENDED)
                raise NoSuchRoom(room_id)
            if port.closed:  # it came and went while it was being set up
                return Connection(answer, renegotiated=False)
            old = room.seats.get(participant_id)
            room.seats[participant_id] = new
            if old is not None and old is not new:
                old.port.hand_over(port)
                self._closing.start(old.close_leg(CloseReason.REPLACED))
            if new.up:
                self._say_up(new)
            while new.early_digits:
                self._feed.tell(Digit(room_id, participant_id, new.early_digits.popleft()))
            log.info("- connected", extra=new.where)
            return Connection(answer, renegotiated=False)

    async def disconnect(self, room_id: str, participant_id: str, reason: CloseReason) -> None:
        """End the participant's leg; nothing happens when it has none."""
        room = self._rooms.get(room_id)
        seat = room.seats.pop(participant_id, None) if room else None
        if seat is not None:
            seat.port.close()
            self._say_down(seat, reason.value)
            await seat.close_leg(reason)

    def route(self, room_id: str, participant_id: str, routing: Routing) -> None:
        """From the next tick on, mix that participant as `routing` says."""
        self._room(room_id).patch.route(participant_id, routing)

    def forget(self, room_id: str, participant_id: str) -> None:
        """The participant is gone for good: drop its routing."""
        room = self._rooms.get(room_id)
        if room is not None:
            room.patch.forget(participant_id)
            room.connecting.pop(participant_id, None)

    def send(self, room_id: str, participant_id: str, text: str) -> None:
        """Text for one participant's client; dropped when it has no leg that carries text."""
        seat = self._seat(room_id, participant_id)
        if seat is not None:
            seat.leg.send(text)

    def taps(
        self,
        room_id: str,
        tick: Callable[[], int],
        sound_ms: Callable[[], int],
        on_report: Callable[[str], None],
    ) -> RoomTaps:
        """A room's sound for one output, which closes it. Raises NoSuchRoom."""
        return RoomTaps(self._room(room_id).patch, tick, sound_ms, on_report)

    def press(self, room_id: str, participant_id: str, track: str, digit: str) -> None:
        """Tell a participant's peer of a key pressed on what it is sent as `track`, where its leg can."""
        seat = self._seat(room_id, participant_id)
        if seat is not None:
            seat.leg.press(track, digit)

    def look(self, room_id: str, *, watched: bool = False) -> RoomStatus:
        """What goes on in a room; `watched`: with levels of whom nobody hears, too. Raises NoSuchRoom."""
        room = self._room(room_id)
        look = room.patch.look(watched=watched)
        if look is None:
            return RoomStatus()
        participants = {}
        for participant_id, seat in room.seats.items():
            inputs: dict[InputName, InputStatus] = {}
            for name in seat.port.open_inputs:
                slot = look.slots.get(slot_name(participant_id, name))
                if slot is not None and slot.input is not None:
                    inputs[name] = InputStatus(slot.level_dbov, slot.talking, slot.input)
            participants[participant_id] = ParticipantStatus(seat.leg.look(), inputs)
        return RoomStatus(look.rate_hz, look.capacity, participants)

    def subscribe(self, listener: Callable[[SwitchEvent], None]) -> None:
        """Call `listener` with everything that happens, on the loop; it must not block."""
        self._feed.subscribe(listener)

    def core_event(self, event: CoreEvent) -> None:
        """Pass on what the mixer reported."""
        room = self._rooms.get(event.room)
        if room is None:
            return
        participant_id, name = slot_owner(event.slot)
        sink = room.patch.play_sink(event.slot)
        match event:
            case TalkingChanged(talking=talking, ago_ms=ago_ms):
                self._feed.tell(Talking(event.room, participant_id, name, talking, ago_ms))
            case MarkPlayed(name=mark):
                if sink is not None:
                    sink.played(mark)
            case QueueCleared(dropped=dropped):
                if sink is not None:
                    sink.cleared(dropped)
                self._feed.tell(PlayEnded(event.room, participant_id, "cut"))
            case QueueRanDry(underrun=underrun):
                if sink is not None:
                    sink.ran_dry(underrun)
                self._feed.tell(PlayEnded(event.room, participant_id, "underrun" if underrun else "played"))

    def legs(self) -> dict[str, int]:
        """Number of legs by kind."""
        kinds: dict[str, int] = {}
        for room in self._rooms.values():
            for seat in room.seats.values():
                kinds[seat.leg.kind] = kinds.get(seat.leg.kind, 0) + 1
        return kinds

    def looks(self) -> list[ParticipantStatus]:
        """Every connected participant, for the metrics."""
        return [
            status for room_id in list(self._rooms) for status in self.look(room_id).participants.values()
        ]

    async def close(self, reason: CloseReason = CloseReason.RESTART) -> None:
        """Close all rooms, and wait for what is still closing."""
        await asyncio.gather(*(self.close_room(room_id, reason) for room_id in list(self._rooms)))
        await self._closing.close()

    # --- inside ---

    def _room(self, room_id: str) -> _Room:
        room = self._rooms.get(room_id)
        if room is None:
            raise NoSuchRoom(room_id)
        return room

    def _seat(self, room_id: str, participant_id: str) -> Seat | None:
        room = self._rooms.get(room_id)
        return room.seats.get(participant_id) if room is not None else None

    def _check_room_for_more(self, *, replacing: bool) -> None:
        if self.draining:
            raise Draining()
        if replacing:
            return
        if self.overloaded:
            raise Overloaded()
        if sum(len(room.seats) for room in self._rooms.values()) >= self._max_legs:
            raise LimitReached("legs", self._max_legs)

    def _media_changed(self, port: Port, name: InputName, sending: bool) -> None:
        seat = self._seat(port.room_id, port.participant_id)
        # Before the leg works nothing is sent, whatever it has opened; `_say_up` makes up for it.
        if seat is not None and seat.port is port and (seat.up or not sending):
            self._feed.tell(MediaChanged(port.room_id, port.participant_id, name, sending))

    def _say_up(self, seat: Seat) -> None:
        port = seat.port
        self._feed.tell(LegUp(port.room_id, port.participant_id, seat.leg.kind))
        for name in sorted(port.open_inputs):
            self._feed.tell(MediaChanged(port.room_id, port.participant_id, name, True))

    def _say_down(self, seat: Seat, cause: str) -> None:
        log.info("- disconnected: %s", cause, extra=seat.where)
        self._feed.tell(LegDown(seat.port.room_id, seat.port.participant_id, cause))

    def _leg_event(self, room_id: str, participant_id: str, seat: Seat, event: LegEvent) -> None:
        current = self._seat(room_id, participant_id) is seat
        match event:
            case LegConnected():
                if not seat.up:
                    seat.up = True
                    if current:
                        self._say_up(seat)
                elif current:
                    self._feed.tell(LegResumed(room_id, participant_id))
            case LegInterrupted(cause):
                if current:
                    self._feed.tell(LegInterruptedOn(room_id, participant_id, cause))
            case LegClosed(cause):
                seat.port.close()
                if current:
                    del self._rooms[room_id].seats[participant_id]
                    self._say_down(seat, cause)
                self._closing.start(seat.close_leg(CloseReason.FAILED))
            case DigitPressed(digit):
                if current:
                    self._feed.tell(Digit(room_id, participant_id, digit))
                else:
                    seat.early_digits.append(digit)
            case TextReceived(text):
                if current:
                    self._feed.tell(Text(room_id, participant_id, text))
            case FellBehind(percent):
                if current:
                    self._feed.tell(Behind(room_id, participant_id, percent))
