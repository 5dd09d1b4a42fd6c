"""A room's slots, inputs and outputs on the mixer."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bridge.core.mixbus import PROGRAM, MixBus, RoomLook
from bridge.core.ports import (
    AudioFormat,
    AudioInput,
    FrameSink,
    HeardSource,
    InputName,
    MixSource,
    PacketInput,
    PlayInput,
    PlaySink,
    ProgramSource,
    SoloSource,
    Source,
)
from bridge.dispatch import Dispatch, PacketTrunk
from bridge.relay import Relay, RelayedInput
from bridge.routing import GainTable, Routing, slot_name, slot_owner

if TYPE_CHECKING:
    from bridge.leg_port import Port

_SILENCE = "/"
"""No participant's slot: ids are not empty."""


SlotInput = AudioInput | RelayedInput | PlayInput
AnyInput = TypeVar("AnyInput", bound=SlotInput)


class Output:
    """An open output of a port and what feeds it at the moment."""

    __slots__ = ("audio_format", "outlet", "relayed", "sink", "source", "trunk")

    def __init__(
        self,
        source: Source,
        audio_format: AudioFormat | None,
        sink: FrameSink | None,
        trunk: PacketTrunk | None,
    ) -> None:
        self.source = source
        self.audio_format = audio_format
        self.sink = sink
        self.trunk = trunk
        self.outlet: int | None = None
        self.relayed: str | None = None


class RoomPatch:
    """A room's slots, inputs and outputs on the mixer; opened there with the first, closed with the last."""

    def __init__(self, room_id: str, bus: MixBus, dispatch: Dispatch) -> None:
        self.room_id = room_id
        self._bus = bus
        self._dispatch = dispatch
        self._relay = Relay()
        self._open = False
        self._closed = False
        self._slots: dict[str, Port] = {}
        self._inputs: dict[str, SlotInput] = {}
        self._routings: dict[str, Routing] = {}
        self._gains = GainTable(lambda to, of, gain: bus.set_gain(room_id, to, of, gain))
        self._play_sinks: dict[str, PlaySink] = {}
        self._volumes: dict[str, float] = {}
        """Slot → its input's gain, where one was set."""
        self._waiting: dict[str, list[tuple[Port | None, Output]]] = {}
        """Slot → outputs fed from it that belong to others, whether or not it is there at the moment."""
        self._has_silence = False

    def look(self, *, watched: bool) -> RoomLook | None:
        """None while the room has no place in the mixer."""
        return self._bus.look(self.room_id, watched=watched) if self._open else None

    def levels(self) -> dict[str, float]:
        """Participant → level of the louder of their inputs now, in dBov."""
        found: dict[str, float] = {}
        levels = self._bus.levels(self.room_id) if self._open else {}
        for slot, level in levels.items():
            if slot in self._slots:
                who = slot_owner(slot)[0]
                found[who] = max(level, found.get(who, level))
        return found

    def route(self, participant_id: str, routing: Routing) -> None:
        """Apply `routing` to the slots the participant has, and keep it for those to come."""
        if self._routings.get(participant_id) == routing:
            return
        self._routings[participant_id] = routing
        listeners = self._listeners()
        for slot in self._slots_of(participant_id):
            self._set_fader(slot)
            self._relay.mute(slot, routing.muted)
            self._gains.refresh_source(slot, listeners, self._routings)
        if participant_id in self._slots:
            self._gains.refresh_listener(participant_id, routing, self._slots, self._routings)

    def set_volume(self, slot: str, gain: float) -> None:
        """How loud the input in `slot` is until it is closed, unless the participant is muted."""
        if self._volumes.get(slot, 1.0) != gain:
            self._volumes[slot] = gain
            self._set_fader(slot)

    def _set_fader(self, slot: str) -> None:
        muted = self._routings[slot_owner(slot)[0]].muted
        self._bus.set_fader(self.room_id, slot, 0.0 if muted else self._volumes.get(slot, 1.0))

    def play_sink(self, slot: str) -> PlaySink | None:
        """Who is told what becomes of the play queue in `slot`."""
        return self._play_sinks.get(slot)

    def forget(self, participant_id: str) -> None:
        """Drop the routing of a participant that has no slots."""
        if not self._slots_of(participant_id):
            self._routings.pop(participant_id, None)

    def open_slot(self, port: Port, name: InputName) -> str:
        """The participant's slot of that name, opened if need be, now belonging to `port`."""
        slot = slot_name(port.participant_id, name)
        if slot in self._slots:
            self._slots[slot] = port
            return slot
        self._open_room()
        own = [other for other in self._slots_of(port.participant_id) if other != slot]
        self._bus.open_slot(self.room_id, slot, silent_for=own)
        self._slots[slot] = port
        routing = self._routings.setdefault(port.participant_id, Routing())
        if routing.muted:
            self._bus.set_fader(self.room_id, slot, 0.0)
        self._relay.mute(slot, routing.muted)
        self._gains.refresh_source(slot, self._listeners(), self._routings)
        if name == "primary":
            self._gains.refresh_listener(slot, routing, self._slots, self._routings)
        self._refeed(slot)
        return slot

    def close_slots(self, port: Port) -> None:
        """Close the slots that belong to `port`; the room leaves the mixer with its last slot or output."""
        for slot in [slot for slot, owner in self._slots.items() if owner is port]:
            self.close_input(slot)
            del self._slots[slot]
            self._gains.forget(slot)
            self._refeed(slot)
            if not self._closed:
                self._bus.close_slot(self.room_id, slot)
        self._leave_if_empty()

    def _open_room(self) -> None:
        if not self._open:
            self._bus.open_room(self.room_id)
            self._open = True

    def _leave_if_empty(self) -> None:
        if self._open and not self._slots and not self._waiting and not self._closed:
            self._bus.close_room(self.room_id)
            self._open = self._has_silence = False

    def close(self) -> None:
        """Give up the room's place in the mixer at once; its ports may still be closed one by one."""
        if self._open:
            self._bus.close_room(self.room_id)
            self._open = False
        self._closed = True

    def open_audio_input(self, slot: str, audio_format: AudioFormat) -> AudioInput:
        """Put a live input of raw audio into `slot`, in place of the one that is there."""
        self.close_input(slot)
        return self._fill(slot, self._bus.open_playout(self.room_id, slot, audio_format))

    def open_packet_input(self, slot: str) -> PacketInput:
        """The same for Opus packets, which are passed on as well."""
        self.close_input(slot)
        return self._fill(slot, RelayedInput(self._bus.open_packets(self.room_id, slot), self._relay, slot))

    def open_play_input(self, slot: str, audio_format: AudioFormat, sink: PlaySink | None) -> PlayInput:
        """The same for a play queue."""
        self.close_input(slot)
        if sink is not None:
            self._play_sinks[slot] = sink
        return self._fill(slot, self._bus.open_queue(self.room_id, slot, audio_format))

    def _fill(self, slot: str, made: AnyInput) -> AnyInput:
        self._inputs[slot] = made
        self._refeed(slot)
        return made

    def close_input(self, slot: str) -> None:
        """Nothing happens when `slot` has none."""
        if self._inputs.pop(slot, None) is not None:
            self._play_sinks.pop(slot, None)
            if not self._closed:
                self._bus.close_input(self.room_id, slot)
                self.set_volume(slot, 1.0)
            self._volumes.pop(slot, None)
            self._refeed(slot)

    def feed(self, port: Port | None, output: Output) -> None:
        """Connect an output to its source; only what hears a mix of its own needs a port."""
        slot = _slot_of(output.source)
        if slot is not None:
            self._waiting.setdefault(slot, []).append((port, output))
        self._connect(port, output)

    def starve(self, port: Port | None, output: Output) -> None:
        """Disconnect an output for good."""
        slot = _slot_of(output.source)
        waiting = self._waiting.get(slot, []) if slot is not None else []
        if (port, output) in waiting:
            waiting.remove((port, output))
        if slot is not None and not waiting:
            self._waiting.pop(slot, None)
        self._disconnect(output)
        self._leave_if_empty()

    def _refeed(self, slot: str) -> None:
        """What feeds those who listen to `slot` depends on whether it is there, and on its input's kind."""
        for port, output in self._waiting.get(slot, ()):
            self._disconnect(output)
            self._connect(port, output)

    def _connect(self, port: Port | None, output: Output) -> None:
        if self._closed:
            return
        slot, solo = _slot_of(output.source), isinstance(output.source, SoloSource)
        if slot is None:
            if port is None:
                raise ValueError("a mix without somebody needs to know without whom")
            slot = self.open_slot(port, "primary")
        elif slot == PROGRAM:
            self._open_room()
        elif slot not in (self._inputs if solo else self._slots):
            if output.sink is None:
                return
            slot, solo = self._silence(), True
        if output.trunk is not None:
            if solo and isinstance(self._inputs[slot], RelayedInput):
                self._relay.add(slot, output.trunk)
                output.relayed = slot
                return
            output.outlet = self._bus.open_packet_outlet(self.room_id, slot, solo=solo)
            self._dispatch.attach_packets(output.outlet, output.trunk)
        elif output.sink is not None and output.audio_format is not None:
            output.outlet = self._bus.open_frame_outlet(self.room_id, slot, output.audio_format, solo=solo)
            self._dispatch.attach_frames(output.outlet, output.sink)

    def _silence(self) -> str:
        """A slot without an input: raw outputs whose source is not there get its silence, tick by tick."""
        self._open_room()
        if not self._has_silence:
            self._bus.open_slot(self.room_id, _SILENCE)
            self._has_silence = True
        return _SILENCE

    def _disconnect(self, output: Output) -> None:
        if output.relayed is not None and output.trunk is not None:
            self._relay.remove(output.relayed, output.trunk)
            output.relayed = None
        if output.outlet is not None:
            self._dispatch.detach(output.outlet)
            if not self._closed:
                self._bus.close_outlet(output.outlet)
            output.outlet = None

    def _listeners(self) -> list[str]:
        return [slot for slot in self._slots if "/" not in slot]

    def _slots_of(self, participant_id: str) -> list[str]:
        names: tuple[InputName, ...] = ("primary", "secondary")
        return [slot for name in names if (slot := slot_name(participant_id, name)) in self._slots]


def _slot_of(source: Source) -> str | None:
    """The slot that feeds a source which is another's, or PROGRAM; None for the listener's own mix."""
    match source:
        case ProgramSource():
            return PROGRAM
        case SoloSource(participant_id, input_name):
            return slot_name(participant_id, input_name)
        case HeardSource(participant_id):
            return slot_name(participant_id, "primary")
        case MixSource():
            return None
