"""The core's ports as a leg gets them: one participant's place in a room."""

from __future__ import annotations

from collections.abc import Callable

from bridge.core.events import LegEvent
from bridge.core.ports import (
    AudioFormat,
    AudioInput,
    FrameSink,
    InputName,
    PacketInput,
    PacketSink,
    PlayInput,
    PlaySink,
    Source,
)
from bridge.dispatch import PacketTrunk
from bridge.patch import Output, RoomPatch
from bridge.routing import slot_name


class Port:
    """One leg's place in a room: the `LegPort` of `bridge.core.ports`.

    A closed port takes everything and does nothing: a leg on its way out cannot disturb its successor.
    """

    def __init__(
        self,
        patch: RoomPatch,
        participant_id: str,
        media_changed: Callable[[Port, InputName, bool], None],
    ) -> None:
        self._patch = patch
        self._participant_id = participant_id
        self._media_changed = media_changed
        self._outputs: dict[str, Output] = {}
        self.open_inputs: set[InputName] = set()
        self.on_event: Callable[[LegEvent], None] = lambda event: None
        self.closed = False

    @property
    def room_id(self) -> str:
        """The room it is in."""
        return self._patch.room_id

    @property
    def participant_id(self) -> str:
        """Whose it is."""
        return self._participant_id

    def open_audio_input(self, name: InputName, audio_format: AudioFormat) -> AudioInput:
        """Raises RuntimeError on a closed port."""
        opened = self._patch.open_audio_input(self._slot(name), audio_format)
        self._opened(name)
        return opened

    def open_packet_input(self, name: InputName) -> PacketInput:
        """Raises RuntimeError on a closed port."""
        opened = self._patch.open_packet_input(self._slot(name))
        self._opened(name)
        return opened

    def open_play_input(
        self, name: InputName, audio_format: AudioFormat, sink: PlaySink | None = None
    ) -> PlayInput:
        """Raises RuntimeError on a closed port."""
        opened = self._patch.open_play_input(self._slot(name), audio_format, sink)
        self._opened(name)
        return opened

    def close_input(self, name: InputName) -> None:
        """Nothing happens when that input is not open."""
        if name in self.open_inputs and not self.closed:
            self.open_inputs.discard(name)
            self._patch.close_input(slot_name(self._participant_id, name))
            self._media_changed(self, name, False)

    def set_volume(self, name: InputName, gain: float) -> None:
        """How loud that input is; nothing happens when it is not open."""
        if name in self.open_inputs and not self.closed:
            self._patch.set_volume(slot_name(self._participant_id, name), gain)

    def open_frame_output(self, key: str, source: Source, audio_format: AudioFormat, sink: FrameSink) -> None:
        """From the next tick on, `sink` gets `source`."""
        self._feed(key, Output(source, audio_format, sink, None))

    def open_packet_output(self, key: str, source: Source, sink: PacketSink) -> None:
        """The same in Opus. Under the same key and to the same sink, RTP time runs on over the switch."""
        old = self._outputs.get(key)
        trunk = old.trunk if old is not None and old.trunk and old.trunk.sink is sink else PacketTrunk(sink)
        self._feed(key, Output(source, None, None, trunk))

    def close_output(self, key: str) -> None:
        """Nothing happens when that output is not open."""
        output = self._outputs.pop(key, None)
        if output is not None:
            self._patch.starve(self, output)

    def emit(self, event: LegEvent) -> None:
        """Tell the switchboard."""
        if not self.closed:
            self.on_event(event)

    def close(self) -> None:
        """Close everything opened here."""
        if self.closed:
            return
        self.closed = True
        for key in list(self._outputs):
            self.close_output(key)
        self._patch.close_slots(self)
        self.open_inputs.clear()

    def hand_over(self, successor: Port) -> None:
        """Close all but the slots that `successor` has taken over, and say what is no longer sent."""
        ended = sorted(self.open_inputs - successor.open_inputs)
        self.close()
        for name in ended:
            self._media_changed(successor, name, False)

    def _slot(self, name: InputName) -> str:
        if self.closed:
            raise RuntimeError("this leg's place was given to another or closed")
        return self._patch.open_slot(self, name)

    def _opened(self, name: InputName) -> None:
        self.open_inputs.add(name)
        self._media_changed(self, name, True)

    def _feed(self, key: str, output: Output) -> None:
        self.close_output(key)
        if not self.closed:
            self._outputs[key] = output
            self._patch.feed(self, output)
