"""A stream to a service without network or clock: far side, way there and time are in the test's hand."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.core.events import FellBehind, LegClosed, LegEvent
from bridge.core.ports import (
    L16_16K,
    AudioFormat,
    AudioInput,
    CallStart,
    FrameSink,
    InputLook,
    InputName,
    PacketInput,
    PacketSink,
    PlaySink,
    ServiceStream,
    SoloSource,
    Source,
    StreamLedger,
)
from bridge.legs.service_leg import ServiceLeg
from bridge.legs.service_legs import ServiceLegs
from bridge.legs.service_settings import ServiceSettings, Surroundings
from bridge.sockets import Caller

BEGAN_MS = 1_705_312_200_000
SOCKET_BOUND = 50_000


class ManualTimers:
    """`call_later` on a time that moves only with `advance`."""

    def __init__(self) -> None:
        self.now = 0.0
        self._waiting: list[ManualTimer] = []

    def call_later(self, delay_s: float, call: Callable[[], None]) -> ManualTimer:
        timer = ManualTimer(self.now + delay_s, call)
        self._waiting.append(timer)
        return timer

    @property
    def delays(self) -> list[float]:
        """Of the timers that wait, the soonest first."""
        return sorted(timer.at - self.now for timer in self._waiting if not timer.cancelled)

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [timer for timer in self._waiting if not timer.cancelled and timer.at <= end + 1e-9]:
            timer = min(due, key=lambda timer: timer.at)
            self._waiting.remove(timer)
            self.now = max(self.now, timer.at)
            timer.call()
        self._waiting = [timer for timer in self._waiting if not timer.cancelled]
        self.now = end


@dataclass
class ManualTimer:
    at: float
    call: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class FarSide:
    """A service at the end of a connection, and the `bridge.sockets.Dialled` that leads there.

    What is sent arrives with `flow`, unless the far side is `stalled`.
    """

    peer = "service.example"

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.messages: list[dict[str, Any]] = []
        """Everything that has arrived."""
        self.stalled = False
        self.answers = True
        """Pings and the closing handshake."""
        self.close_calls: list[tuple[int, str]] = []
        self.over = False
        self.marks = 0
        self._way: deque[tuple[str, Any]] = deque()

    # --- Dialled ---

    @property
    def unsent_bytes(self) -> int:
        return sum(len(what) for kind, what in self._way if kind == "text")

    def send_text(self, text: bytes) -> bool:
        if self.over or self.close_calls or self.unsent_bytes > SOCKET_BOUND:
            return False
        self._way.append(("text", text))
        return True

    def ask(self, mark: bytes) -> bool:
        assert 0 < len(mark) <= 125
        if self.over or self.close_calls:
            return False
        self.marks += 1
        self._way.append(("mark", mark))
        return True

    def close(self, code: int = 1000, reason: str = "") -> None:
        if not self.over and not self.close_calls:
            self.close_calls.append((code, reason))
            self._way.append(("close", code))

    # --- the far side ---

    def flow(self, most: int = 10_000) -> None:
        """Let up to `most` things arrive, and be answered."""
        while self._way and not self.stalled and most > 0 and not self.over:
            most -= 1
            kind, what = self._way.popleft()
            if kind == "text":
                self.messages.append(json.loads(what))
            elif kind == "mark" and self.answers:
                self.caller.confirmed(what)
            elif kind == "close" and self.answers:
                self.lose(what)

    def say(self, event: str, **rest: Any) -> None:
        self.raw(json.dumps({"event": event, **rest}).encode())

    def raw(self, message: bytes, is_text: bool = True) -> None:
        self.caller.received(message, is_text)

    def lose(self, code: int = 1006) -> None:
        """The connection is over."""
        if not self.over:
            self.over = True
            self._way.clear()
            self.caller.closed(code, "")

    def events(self, *names: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["event"] in names]

    def media(self, track: str = "inbound") -> list[dict[str, Any]]:
        return [message["media"] for message in self.events("media") if message["media"]["track"] == track]


@dataclass
class Attempt:
    """A call of `FakeDial` that waits for its answer."""

    headers: Mapping[str, str]
    caller: Caller
    max_message_bytes: int
    answer: asyncio.Future[FarSide]


class FakeDial:
    """A `bridge.sockets.Dial` that the test answers."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []

    async def __call__(
        self, url: str, headers: Mapping[str, str], caller: Caller, *, max_message_bytes: int
    ) -> FarSide:
        attempt = Attempt(headers, caller, max_message_bytes, asyncio.get_running_loop().create_future())
        self.attempts.append(attempt)
        return await attempt.answer

    @property
    def waiting(self) -> Attempt | None:
        return next((attempt for attempt in self.attempts if not attempt.answer.done()), None)

    async def accept(self) -> FarSide:
        """Answer the attempt that waits."""
        attempt = await self._next()
        far_side = FarSide(attempt.caller)
        attempt.caller.opened(far_side)
        if not attempt.answer.done():
            attempt.answer.set_result(far_side)
        await settle()
        return far_side

    async def refuse(self, error: Exception) -> None:
        attempt = await self._next()
        attempt.answer.set_exception(error)
        await settle()

    async def _next(self) -> Attempt:
        await settle()
        assert self.waiting is not None, "nobody dials"
        return self.waiting


async def settle() -> None:
    """Let tasks go on until they wait for something."""
    for _ in range(5):
        await asyncio.sleep(0)


@dataclass
class FakeQueue:
    """A `PlayInput` that keeps what it is given; `room` is what it takes at most, in samples."""

    audio_format: AudioFormat
    sink: PlaySink
    said: list[tuple[str, Any]] = field(default_factory=list)
    room: int = 10**9

    def play(self, payload: bytes | memoryview) -> int:
        samples = len(payload) // self.audio_format.sample_bytes
        taken = min(samples, self.room)
        self.room -= taken
        self.said.append(("play", bytes(payload)))
        return taken

    def mark(self, name: str) -> None:
        self.said.append(("mark", name))

    def clear(self) -> None:
        self.said.append(("clear", None))

    def look(self) -> InputLook:
        return InputLook(depth_ms=60.0)


@dataclass
class StreamPort:
    """A `LegPort` that hands the test the sinks."""

    room_id: str = "room"
    participant_id: str = "stream"
    sinks: dict[str, FrameSink] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    events: list[LegEvent] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    queue: FakeQueue | None = None

    def open_frame_output(self, key: str, source: Source, audio_format: AudioFormat, sink: FrameSink) -> None:
        self.log.append(f"hear {key}")
        self.sinks[key], self.sources[key] = sink, source

    def close_output(self, key: str) -> None:
        if self.sinks.pop(key, None) is not None:
            self.log.append(f"unhear {key}")

    def open_play_input(
        self, name: InputName, audio_format: AudioFormat, sink: PlaySink | None = None
    ) -> FakeQueue:
        assert sink is not None
        self.log.append(f"open {name}")
        self.queue = FakeQueue(audio_format, sink)
        return self.queue

    def close_input(self, name: InputName) -> None:
        if self.queue is not None:
            self.log.append(f"close {name}")
        self.queue = None

    def emit(self, event: LegEvent) -> None:
        self.events.append(event)
        self.log.append(type(event).__name__)
        if isinstance(event, LegClosed):
            self.sinks.clear()

    def open_audio_input(self, name: InputName, audio_format: AudioFormat) -> AudioInput:
        raise AssertionError("a stream has no live sound")

    def open_packet_input(self, name: InputName) -> PacketInput:
        raise AssertionError("a stream has no packets")

    def open_packet_output(self, key: str, source: Source, sink: PacketSink) -> None:
        raise AssertionError("a stream has no packets")


def a_stream(
    *tracks: str, audio_format: AudioFormat = L16_16K, headers: dict[str, str] | None = None, **more: Any
) -> ServiceStream:
    """A spec with new ids and empty books; `more` are further fields of it."""
    call = CallStart(
        str(uuid.uuid4()), str(uuid.uuid4()), "MA1", tracks or ("inbound",), audio_format, headers or {}
    )
    sources: dict[str, Source] = {track: SoloSource("anna") for track in call.tracks}
    return ServiceStream(
        **{
            "url": "wss://service.example/audio/secretpath?token=secret",
            "call": call,
            "sources": sources,
            "ledger": StreamLedger(),
            **more,
        }
    )


class StreamStage:
    """One leg with everything around it. A frame's payload is its tick's number, in every sample."""

    def __init__(self, spec: ServiceStream | None = None, settings: ServiceSettings | None = None) -> None:
        self.spec = spec or a_stream()
        self.ledger = self.spec.ledger
        self.dial = FakeDial()
        self.timers = ManualTimers()
        self.port = StreamPort()
        self.ticks = 0
        around = Surroundings(self.sound_ms, self.timers.call_later, lambda: 0.5)
        self.legs = ServiceLegs(self.dial, self.sound_ms, settings, around)
        self.leg: ServiceLeg = self.legs(self.port, self.spec)
        self.far: FarSide | None = None

    def sound_ms(self) -> int:
        return BEGAN_MS + 20 * self.ticks

    async def start(self) -> StreamStage:
        assert await self.leg.start() is None
        await settle()
        return self

    async def connect(self) -> FarSide:
        """Start if need be, and let the service answer."""
        if not self.dial.attempts:
            await self.start()
        self.far = await self.dial.accept()
        return self.far

    def frame(self) -> bytes:
        return (self.ticks % 30_000).to_bytes(2, "little") * (self.spec.call.audio_format.frame_bytes // 2)

    def run(self, ticks: int, *, flow: bool = True, late: bool = False) -> None:
        for _ in range(ticks):
            self.ticks += 1
            self.timers.advance(0.02)
            frame = self.frame()
            for sink in list(self.port.sinks.values()):
                sink.send_frame(frame, True, late)
            if flow and self.far is not None:
                self.far.flow()

    async def wait(self, seconds: float) -> None:
        """Time without ticks."""
        self.timers.advance(seconds)
        await settle()

    def check(self) -> None:
        """The books are right at this moment."""
        ledger = self.ledger
        for book in ledger.tracks.values():
            waiting = book.captured - book.delivered - book.lost
            assert waiting >= 0
            assert ledger.ended_at is None or waiting == 0
        figures = self.legs.figures()
        assert figures.waiting == sum(
            book.captured - book.delivered - book.lost for book in ledger.tracks.values()
        )
        look = self.leg.look()
        assert look.figures["held_ms"] == 20 * figures.waiting / len(ledger.tracks)

    @property
    def closed(self) -> list[str]:
        return [event.cause for event in self.port.events if isinstance(event, LegClosed)]


def two_way(**more: object) -> StreamStage:
    return StreamStage(a_stream(bidirectional=True, **more))  # type: ignore[arg-type]


def percents(stage: StreamStage) -> list[int]:
    return [event.percent for event in stage.port.events if isinstance(event, FellBehind)]
