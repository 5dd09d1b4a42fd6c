"""A leg's port for tests: remembers what the leg did with it, and lets the test send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.core.events import LegEvent
from bridge.core.ports import (
    AudioFormat,
    AudioInput,
    FrameSink,
    InputLook,
    InputName,
    PacketSink,
    PlayInput,
    Source,
)


@dataclass
class FakePacketInput:
    """Keeps every packet: payload, sequence number, timestamp, time."""

    packets: list[tuple[bytes, int, int, float]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def push(self, payload: bytes, sequence_number: int, timestamp: int, now: float) -> None:
        self.packets.append((payload, sequence_number, timestamp, now))
        self.came.set()

    def look(self) -> InputLook:
        return InputLook(frames_in=len(self.packets))

    async def next(self, count: int, timeout: float = 5.0) -> list[tuple[bytes, int, int, float]]:
        """The next `count` packets from now on."""
        start = len(self.packets)
        async with asyncio.timeout(timeout):
            while len(self.packets) < start + count:
                self.came.clear()
                await self.came.wait()
        return self.packets[start : start + count]


class FakePort:
    """A `LegPort` without a room. `log` holds what was opened and closed, in order."""

    def __init__(self, participant_id: str = "anna", room_id: str = "room") -> None:
        self.participant_id = participant_id
        self.room_id = room_id
        self.inputs: dict[InputName, FakePacketInput] = {}
        self.outputs: dict[str, tuple[Source, PacketSink]] = {}
        self.events: list[LegEvent] = []
        self.log: list[str] = []
        self._emitted = asyncio.Event()

    def open_packet_input(self, name: InputName) -> FakePacketInput:
        self.log.append(f"open {name}")
        self.inputs[name] = FakePacketInput()
        return self.inputs[name]

    def open_audio_input(self, name: InputName, audio_format: AudioFormat) -> AudioInput:
        raise NotImplementedError

    def open_play_input(self, name: InputName, audio_format: AudioFormat) -> PlayInput:
        raise NotImplementedError

    def close_input(self, name: InputName) -> None:
        if self.inputs.pop(name, None) is not None:
            self.log.append(f"close {name}")

    def open_frame_output(self, key: str, source: Source, audio_format: AudioFormat, sink: FrameSink) -> None:
        raise NotImplementedError

    def open_packet_output(self, key: str, source: Source, sink: PacketSink) -> None:
        self.log.append(f"hear {key}")
        self.outputs[key] = (source, sink)

    def close_output(self, key: str) -> None:
        if self.outputs.pop(key, None) is not None:
            self.log.append(f"unhear {key}")

    def emit(self, event: LegEvent) -> None:
        self.events.append(event)
        self._emitted.set()

    async def event(self, wanted: Callable[[LegEvent], bool], timeout: float = 10.0) -> LegEvent:
        """The first event that is wanted, waiting for it if need be."""
        async with asyncio.timeout(timeout):
            while True:
                for event in self.events:
                    if wanted(event):
                        return event
                self._emitted.clear()
                await self._emitted.wait()
