"""A Plivo call without a network: a socket that keeps what is sent, and messages to put into its receiver."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

import msgspec

from bridge.core.events import LegEvent
from bridge.core.ports import (
    L16_16K,
    AudioFormat,
    CallStart,
    FrameSink,
    InputLook,
    InputName,
    PacketInput,
    PacketSink,
    PlayInput,
    Source,
)
from bridge.legs.plivo_call_wire import CallWriter
from bridge.legs.plivo_play_wire import FromService, PlayAudio, read_from_service
from bridge.sockets import Receiver


class CallSocket:
    """A `bridge.sockets.Socket` whose other end is the test."""

    peer = "192.0.2.7"

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.sent: list[bytes] = []
        self.close_calls: list[tuple[int, str]] = []
        self.unsent_bytes = 0
        self.full = False
        receiver.opened(self)

    def send_text(self, text: bytes) -> bool:
        if self.full or self.close_calls:
            return False
        self.sent.append(text)
        return True

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Answered at once by the far side."""
        self.close_calls.append((code, reason))
        self.receiver.closed(code, reason)

    def say(self, message: bytes | dict[str, Any]) -> None:
        written = message if isinstance(message, bytes) else msgspec.json.encode(message)
        self.receiver.received(written, True)

    def lose(self, code: int = 1006, reason: str = "") -> None:
        self.receiver.closed(code, reason)

    def taken(self) -> list[FromService]:
        """What was sent since the last time."""
        sent, self.sent = self.sent, []
        return [read_from_service(message) for message in sent]

    def played_frames(self) -> list[bytes]:
        return [message.media.payload for message in self.taken() if isinstance(message, PlayAudio)]


def a_call(
    audio_format: AudioFormat = L16_16K,
    *tracks: str,
    call_id: str | None = None,
    headers: dict[str, str] | None = None,
) -> CallStart:
    """What a call says of itself; new ids each time."""
    return CallStart(
        call_id or str(uuid.uuid4()),
        str(uuid.uuid4()),
        "MA1",
        tracks or ("inbound",),
        audio_format,
        headers or {},
    )


def media(payload: bytes, **more: object) -> bytes:
    """A media message with nothing but the payload and `more`."""
    return msgspec.json.encode({"event": "media", "media": {"payload": payload, **more}})


def start_of(call: CallStart) -> bytes:
    return CallWriter(call).start()


@dataclass
class FakeAudioInput:
    """Keeps what was pushed."""

    audio_format: AudioFormat
    pushed: list[bytes] = field(default_factory=list)

    def push(self, payload: bytes | memoryview, now: float) -> None:
        self.pushed.append(bytes(payload))

    def look(self) -> InputLook:
        return InputLook(frames_in=len(self.pushed))


@dataclass
class CallPort:
    """A `LegPort` that takes raw audio and hands the test the sink."""

    participant_id: str = "anna"
    room_id: str = "room"
    input: FakeAudioInput | None = None
    output: tuple[Source, AudioFormat, FrameSink] | None = None
    events: list[LegEvent] = field(default_factory=list)

    @property
    def sink(self) -> FrameSink:
        assert self.output is not None
        return self.output[2]

    def open_audio_input(self, name: InputName, audio_format: AudioFormat) -> FakeAudioInput:
        assert name == "primary"
        self.input = FakeAudioInput(audio_format)
        return self.input

    def open_frame_output(self, key: str, source: Source, audio_format: AudioFormat, sink: FrameSink) -> None:
        self.output = (source, audio_format, sink)

    def emit(self, event: LegEvent) -> None:
        self.events.append(event)

    def open_packet_input(self, name: InputName) -> PacketInput:
        raise AssertionError("a call has no packets")

    def open_play_input(self, name: InputName, audio_format: AudioFormat) -> PlayInput:
        raise AssertionError("a call plays nothing from a queue")

    def open_packet_output(self, key: str, source: Source, sink: PacketSink) -> None:
        raise AssertionError("a call has no packets")

    def close_input(self, name: InputName) -> None:
        self.input = None

    def close_output(self, key: str) -> None:
        self.output = None
