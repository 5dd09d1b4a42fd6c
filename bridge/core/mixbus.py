"""The mixer: rooms, slots, inputs and outlets by name, and the tick that moves sound between them.

Order of calls: `open_room`, `open_slot`, then inputs and outlets; `tick` every 20 ms. Verbs are checked at
once and take effect at the next tick's beginning; rooms, slots and outlets that were closed give nothing
from then on. One thread, no clock, no I/O. Wrong names raise `UnknownName` (a KeyError), wrong values and
names already in use ValueError.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from bridge.core.banks import Banks
from bridge.core.encoders import Encoders
from bridge.core.events import CoreEvent, QueueCleared, TalkingChanged
from bridge.core.farewell import Farewells
from bridge.core.inputs import LiveAudio, LivePackets, PlayQueue
from bridge.core.looks import CoreFigures, RoomLook, SlotLook, TickResult
from bridge.core.outlets import Outlets
from bridge.core.pool import Pool
from bridge.core.pools import Pools
from bridge.core.ports import AudioFormat, AudioInput, PacketInput, PlayInput
from bridge.core.room import PROGRAM, Input, Room, Slot, UnknownName
from bridge.core.settings import CoreSettings
from bridge.core.wiring import Wiring
from mediacodecs.levels import dbov

__all__ = [
    "PROGRAM",
    "CoreFigures",
    "CoreSettings",
    "MixBus",
    "RoomLook",
    "SlotLook",
    "TickResult",
    "UnknownName",
]


class MixBus:
    """See the module's docstring."""

    def __init__(self, settings: CoreSettings) -> None:
        self._settings = settings
        self._rooms: dict[str, Room] = {}
        self._banks = Banks(settings)
        self._pools = Pools(settings)
        self._encoders = Encoders(settings.opus)
        self._outlets = Outlets(self._encoders)
        self._farewells = Farewells(self._pools)
        self._wiring = Wiring(self._banks, self._pools, self._outlets, self._farewells)

    # --- rooms and slots ---

    def open_room(self, room: str) -> None:
        """Open an empty room."""
        if room in self._rooms:
            raise ValueError(f"there already is a room {room!r}")
        self._rooms[room] = Room(room)

    def close_room(self, room: str) -> None:
        """Close it with everything in it."""
        gone = self._room(room)
        for name in list(gone.slots):
            self._close_slot(gone, name, fading=False)
        for outlet in list(gone.program_outlets):
            self.close_outlet(outlet)
        del self._rooms[room]
        self._wiring.note_end(gone)

    def open_slot(self, room: str, slot: str, silent_for: Collection[str] = ()) -> None:
        """Open a slot that hears all others and is heard by them and in the program.

        It does not hear itself; it and those in `silent_for` do not hear each other.
        """
        there = self._room(room)
        there.open_slot(slot, silent_for)
        self._wiring.note_wires(there)

    def close_slot(self, room: str, slot: str) -> None:
        """Close it with its input and outlets."""
        there = self._room(room)
        self._close_slot(there, slot, fading=True)
        self._wiring.note_wires(there)

    def set_gain(self, room: str, listener: str, source: str, gain: float) -> None:
        """Set how loud `listener` (or `PROGRAM`) hears `source`, 0…16; cross-faded over one tick."""
        there = self._room(room)
        there.set_gain(listener, source, gain)
        self._wiring.note_numbers(there)

    def set_fader(self, room: str, slot: str, gain: float) -> None:
        """Set how loud `slot` is for everybody, 0…16 (0: muted, for taps as well); ramped over one tick."""
        there = self._room(room)
        there.set_fader(slot, gain)
        self._wiring.note_numbers(there)

    # --- inputs ---

    def open_playout(self, room: str, slot: str, audio_format: AudioFormat) -> AudioInput:
        """A live input of raw audio. Raises ValueError when the slot has an input."""
        there, place = self._vacant(room, slot)
        pool = self._pools.playout(audio_format)
        row = pool.open()
        return LiveAudio(pool, row, self._plug_in(there, place, pool, row))

    def open_packets(self, room: str, slot: str) -> PacketInput:
        """A live input of Opus packets. Raises ValueError when the slot has an input."""
        there, place = self._vacant(room, slot)
        pool = self._pools.packets()
        row = pool.open()
        return LivePackets(pool, row, self._plug_in(there, place, pool, row))

    def open_queue(self, room: str, slot: str, audio_format: AudioFormat) -> PlayInput:
        """A play queue. Raises ValueError when the slot has an input."""
        there, place = self._vacant(room, slot)
        pool = self._pools.queue(audio_format)
        row = pool.open()
        return PlayQueue(pool, row, self._plug_in(there, place, pool, row))

    def close_input(self, room: str, slot: str) -> None:
        """Nothing happens when the slot has none."""
        there = self._room(room)
        place = there.slot(slot)
        if place.input is not None:
            self._unplug(place, fading=Farewells.needed(there, place.index))
            self._wiring.note_wires(there)

    # --- outlets ---

    def open_frame_outlet(
        self, room: str, slot: str, audio_format: AudioFormat, *, solo: bool = False
    ) -> int:
        """Give what `slot` hears (or `PROGRAM`), a raw frame every tick, under the number returned.

        `solo`: what comes in at `slot` alone, after its fader and before the gate.
        """
        there, source = self._source(room, slot, solo)
        number = self._outlets.open_frames(there, source, audio_format, solo=solo)
        there.rate_hz = max(there.rate_hz, audio_format.rate_hz)
        return number

    def open_packet_outlet(self, room: str, slot: str, *, solo: bool = False) -> int:
        """The same in Opus packets. Raises OpusUnavailable."""
        there, source = self._source(room, slot, solo)
        rate_hz = max(there.rate_hz, self._settings.opus_rate_hz)
        self._encoders.prepare(rate_hz)
        there.rate_hz = rate_hz
        return self._outlets.open_packets(there, source, solo=solo)

    def close_outlet(self, outlet: int) -> None:
        """Give nothing more under that number. Raises UnknownName when it is not open."""
        self._outlets.close(outlet)
        self._wiring.note_routes()

    # --- the tick ---

    def tick(self, now: float) -> TickResult:
        """Move everything on by 20 ms. `now` (seconds, monotonic) never goes back."""
        self._wiring.settle()
        for feed in self._pools.feeds.values():
            feed.pool.take(now)
        self._banks.shift()
        for feed in self._pools.feeds.values():
            feed.fill()
        events: list[CoreEvent] = []
        banks = self._banks.busy()
        for bank in banks:
            for room, index, talking, ago_ms in bank.take_in():
                name = room.names[index]
                if name is not None:
                    events.append(TalkingChanged(room.name, name, talking, ago_ms))
        self._farewells.sound()
        for bank in banks:
            bank.mix()
        for handover in self._banks.take_handovers():
            if handover.room.place is not None:
                self._outlets.begin_with(handover.room, handover.sound(self._pools))
        frames, encodes = self._outlets.give_frames(), self._outlets.give_encodes()
        for bank in banks:
            bank.settle()
        for room in self._farewells.done():
            self._wiring.note_numbers(room)
        for event in self._pools.events():
            events.append(event)
            if isinstance(event, QueueCleared) and self._hush(event.room, event.slot):
                events.append(TalkingChanged(event.room, event.slot, False, 0))
        return TickResult(frames, encodes, events)

    def _hush(self, room: str, slot: str) -> bool:
        """A cut is an end to the tick: the meter need not find it out. Tells whether the slot was talking."""
        there = self._room(room)
        place = there.place
        return place is not None and place.bank.hush(place.row, there.slot(slot).index)

    # --- looking ---

    def look(self, room: str, *, watched: bool = False) -> RoomLook:
        """What goes on in a room now.

        `watched`: somebody looks at the levels, so for the next second even what nobody hears is decoded.
        """
        there = self._room(room)
        if watched:
            self._wiring.note_watched(there)
        slots: dict[str, SlotLook] = {}
        place = there.place
        levels = talking = None
        if place is not None:
            levels = dbov(np.sqrt(place.bank.meter.power[place.row]))
            talking = place.bank.meter.talking[place.row]
        for slot in there.slots.values():
            plugged = slot.input
            look = plugged.pool.look(plugged.row) if plugged is not None else None
            if levels is None or talking is None or slot.index in there.fresh:
                slots[slot.name] = SlotLook(input=look)
            else:
                slots[slot.name] = SlotLook(float(levels[slot.index]), bool(talking[slot.index]), look)
        if place is None:
            return RoomLook(there.rate_hz, there.capacity, slots)
        return RoomLook(place.bank.rate_hz, place.bank.capacity, slots)

    def levels(self, room: str) -> dict[str, float]:
        """Slot → level now (dBov), of slots with an input; costs less than `look`."""
        there = self._room(room)
        if there.place is None:
            return {}
        levels = dbov(np.sqrt(there.place.bank.meter.power[there.place.row]))
        return {
            slot.name: float(levels[slot.index])
            for slot in there.slots.values()
            if slot.input is not None and slot.index not in there.fresh
        }

    def figures(self) -> CoreFigures:
        """Totals; looks at every input, so ask a few times a second at most."""
        totals, depths = self._pools.totals()
        return CoreFigures(
            rooms=len(self._rooms),
            slots=sum(len(room.slots) for room in self._rooms.values()),
            inputs=len(self._pools.inputs),
            frame_outlets=self._outlets.frame_outlets,
            encoders=self._encoders.in_use,
            banks=len(self._banks),
            silent_packets=self._encoders.silent_packets,
            migrations=self._banks.migrations,
            depths_ms=depths,
            **totals,
        )

    # --- inside ---

    def _room(self, name: str) -> Room:
        room = self._rooms.get(name)
        if room is None:
            raise UnknownName(f"no room {name!r} is open")
        return room

    def _vacant(self, room: str, slot: str) -> tuple[Room, Slot]:
        there = self._room(room)
        place = there.slot(slot)
        if place.input is not None:
            raise ValueError(f"slot {slot!r} of room {room!r} already has an input")
        return there, place

    def _plug_in(self, room: Room, slot: Slot, pool: Pool, row: int) -> Input:
        made = slot.input = Input(pool, row, room, slot)
        self._pools.opened(made)
        room.rate_hz = max(room.rate_hz, pool.rate_hz)
        self._wiring.note_wires(room)
        return made

    def _unplug(self, slot: Slot, *, fading: bool) -> None:
        old, slot.input = slot.input, None
        if old is None:
            return
        self._pools.unplug(old)
        self._wiring.note_routes()
        if fading:
            self._farewells.add(old)
        else:
            self._pools.close(old)

    def _close_slot(self, room: Room, name: str, *, fading: bool) -> None:
        slot = room.slot(name)
        fading = fading and slot.input is not None and Farewells.needed(room, slot.index)
        # Its input may have been closed just before: that still sounds, and not from the index's next slot.
        room.close_slot(name, fading=fading or self._farewells.hold(slot))
        self._unplug(slot, fading=fading)
        for outlet in list(slot.outlets):
            self.close_outlet(outlet)

    def _source(self, room: str, name: str, solo: bool) -> tuple[Room, Slot | None]:
        """The room and slot that a new outlet reads; None: the program."""
        there = self._room(room)
        slot = None if name == PROGRAM else there.slot(name)
        if slot is None and solo:
            raise ValueError("the program is no slot's own sound")
        self._wiring.note_wires(there)
        return there, slot
