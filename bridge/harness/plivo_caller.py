"""A simulated Plivo call: the vendor's side of the audio-stream protocol, as a WebSocket client.

It streams sound in real time, plays what the service sends as a phone would, and keeps what is heard. Use:

    async with PlivoCaller(url, sound) as caller:
        await caller.finished()
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from bridge.core.ports import TICK_S, CallStart
from bridge.harness.call_ids import new_call as new_call
from bridge.harness.call_socket import CallConnection, open_socket
from bridge.harness.call_socket import CallFailed as CallFailed
from bridge.harness.caller_figures import CallEnd as CallEnd
from bridge.harness.caller_figures import CallerFigures
from bridge.harness.line import Line, MessageKind, ReadGate
from bridge.harness.phone_playout import PhonePlayout
from bridge.harness.sound import Loop, Samples, change_rate, decode, encode
from bridge.harness.voice import CheckpointReached, HeardEvent, KeysHeard, QueueCleared, Says, Voice
from bridge.harness.witness import Witness
from bridge.legs.plivo_call_wire import CallWriter
from bridge.legs.plivo_play_wire import (
    Checkpoint,
    ClearAudio,
    FromService,
    PlayAudio,
    PlayMedia,
    SendDigits,
    read_from_service,
)
from bridge.legs.plivo_wire import WireError

MAX_ARRIVALS = 100_000
MAX_EVENTS = 10_000
"""At most so many between two ticks are told to a voice; a service that sends more loses the oldest."""


@dataclass
class PlivoCaller:
    """One call. `sound` is what the caller says: int16 [n] at the stream's rate, or one sound per track.

    With a `voice`, that says what the caller says on the first track, and when to press keys and to hang up.
    """

    url: str
    sound: Samples | Mapping[str, Samples] = field(default_factory=lambda: np.zeros(0, np.int16))
    call: CallStart = field(default_factory=new_call)
    loop_sound: bool = False
    http_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    convert: bool = False
    """Play audio of other formats than the stream's too (the vendor does not)."""
    on_heard: Callable[[Samples], None] | None = None
    """Gets every 20 ms that the caller hears, in place of `heard`."""
    voice: Voice | None = None
    line: Line | None = None
    """Faults on the way to the service; None: there are none."""
    witnesses: Sequence[Witness] = ()
    phase_s: float | None = None
    """Ticks begin so long after whole 20 ms of the clock: calls of different phases are not due together."""

    def __post_init__(self) -> None:
        self.format = self.call.audio_format
        self.playout = PhonePlayout(self.format.rate_hz)
        self.figures = CallerFigures()
        self.digits_heard = ""
        self.arrivals: deque[float] = deque(maxlen=MAX_ARRIVALS)
        """When each `playAudio` came, on the loop's clock."""
        self.said = np.zeros(self.format.frame_samples, np.int16)
        """The last 20 ms said on the first track."""
        self.began_at = 0.0
        """When `start` was said, by `time.monotonic`."""
        self.connected_s: float | None = None
        """How long the service took to accept the call; None: it has not."""
        self.end: CallEnd | None = None
        sounds = self.sound if isinstance(self.sound, Mapping) else {self.call.tracks[0]: self.sound}
        silence = np.zeros(0, np.int16)
        self._loops = {
            track: Loop(sounds.get(track, silence), self.format.frame_samples, repeat=self.loop_sound)
            for track in self.call.tracks
        }
        self._writer = CallWriter(self.call)
        self._heard: list[Samples] = []
        self._events: deque[HeardEvent] = deque(maxlen=MAX_EVENTS)
        self._gate = ReadGate()
        self._away = False
        """The connection was lost on purpose, and is to come back."""
        self._back = asyncio.Event()
        self._usual: tuple[object, object] | None = None
        """How the service names the stream's own format."""
        self._socket: CallConnection
        self._work: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._said_all = asyncio.Event()

    # --- a call's course ---

    async def __aenter__(self) -> PlivoCaller:
        await self.dial()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.hang_up()

    async def dial(self) -> None:
        """Connect and say `start`; from then on the call goes on by itself. Raises CallFailed."""
        asked_at = time.monotonic()
        await self._connect()
        self.connected_s = time.monotonic() - asked_at
        if self.phase_s is not None:
            await asyncio.sleep((self.phase_s - time.monotonic()) % TICK_S)
        self.began_at = time.monotonic()
        for witness in self.witnesses:
            witness.began()
        self._send("start", self._writer.start())
        self._work = asyncio.create_task(self._go_on())

    async def _connect(self) -> None:
        # Who reads slowly on purpose gets the answers to its own pings late as well, and takes by itself.
        open_line = self.line is None
        take = self._take if open_line else None
        self._socket = await open_socket(self.url, self.http_headers, pings=open_line, take=take)

    async def hang_up(self) -> None:
        """End the call as a caller does, if it has not ended yet."""
        if self._work is None:
            return
        if not self._over.is_set():
            self.end = CallEnd(1000, "", by_service=False)
            await self._socket.close()
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)
        self._over.set()

    def drop(self) -> None:
        """Lose the connection without a word."""
        if self.end is None:
            self.end = CallEnd(1006, "", by_service=False)
        self._socket.transport.abort()

    async def finished(self) -> None:
        """Returns when everything has been said (never for a looped sound), or when the call is over."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self._said_all, self._over)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def ended(self) -> CallEnd:
        """Returns when the call is over."""
        await self._over.wait()
        assert self.end is not None
        return self.end

    @property
    def broken_rule(self) -> int | None:
        """The code with which the call was closed because the service broke a rule of WebSockets."""
        return self._socket.broken_rule if self.connected_s is not None else None

    async def press(self, digits: str) -> None:
        """Press keys, one after another."""
        for digit in digits:
            self._send("dtmf", self._writer.dtmf(self.call.tracks[0], digit, _unix_ms()))

    async def send(self, message: bytes | str) -> None:
        """Anything at all: for tests of what a service does with it."""
        await self._socket.send(message, text=True if isinstance(message, bytes) else None)

    # --- what it hears ---

    @property
    def heard(self) -> NDArray[np.int16]:
        """Everything played to the caller so far, from the call's first 20 ms on: int16 [n]."""
        return np.concatenate(self._heard) if self._heard else np.zeros(0, np.int16)

    # --- inside ---

    async def _go_on(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                talking = group.create_task(self._talk())
                while await self._listened_to_the_end():
                    await self._back.wait()
                    if self.end is not None:
                        break
                    await self._come_back()
                talking.cancel()
        except* ConnectionClosed:
            pass
        except* CallFailed as refused:
            self.end = CallEnd(1006, f"redialled: {refused.exceptions[0]}", by_service=True)
        finally:
            if self.end is None:
                self.end = CallEnd(
                    self._socket.close_code or 1006, self._socket.close_reason or "", by_service=True
                )
            self._over.set()

    async def _listened_to_the_end(self) -> bool:
        """Whether the connection that has ended is to come back."""
        try:
            await self._listen()
        except ConnectionClosed:
            if not self._away:
                raise
        return self._away

    async def _come_back(self) -> None:
        """The same call on a new connection, where nothing is queued yet."""
        self._back.clear()
        self._writer = CallWriter(self.call)
        self.playout.clear()
        await self._connect()
        self._away = False
        if self.end is not None:  # hung up meanwhile
            await self._socket.close()
            return
        self._send("start", self._writer.start())
        self.figures.redials += 1
        for witness in self.witnesses:
            witness.redialled()

    async def _talk(self) -> None:
        """Play and send 20 ms at a time, on a steady schedule; what is late is made up for at once."""
        due = self.began_at
        while self.end is None:
            due += TICK_S  # a frame goes out when its 20 ms have been said
            pause = due - time.monotonic()
            await asyncio.sleep(max(pause, 0.0))
            late_s = max(time.monotonic() - due, 0.0)
            self.figures.late_s = max(self.figures.late_s, late_s)
            await self._tick(late_s)

    async def _tick(self, late_s: float) -> None:
        frame, reached = self.playout.tick()
        if self.on_heard is not None:
            self.on_heard(frame)
        else:
            self._heard.append(frame)
        for name in reached:
            self._send("playedStream", self._writer.played(name))
            self._events.append(CheckpointReached(name))
            for witness in self.witnesses:
                witness.reached(name)
        says = self._speak(frame)
        if says is None and all(loop.over for loop in self._loops.values()):
            self._said_all.set()
        for at, (track, loop) in enumerate(self._loops.items()):
            said = loop.next_frame() if at or says is None else says.frame
            if not at:
                self.said = said
            payload = encode(said, self.format) if self.line is None else self.line.payload(track, said)
            self._send("media", self._writer.media(track, payload, _unix_ms()))
            self.figures.sent += 1
        if self.witnesses:
            speech = self.said if says is None or says.speech is None else says.speech
            for witness in self.witnesses:
                witness.ticked(self.said, speech, frame, late_s)
        if says is not None:
            await self.press(says.keys)
        if self.line is not None:
            self._follow(self.line)
        if says is not None and says.hangs_up:
            self._said_all.set()
            self.end = CallEnd(1000, "", by_service=False)
            self._back.set()
            self._gate.order(None)
            await self._socket.close()

    def _speak(self, heard: Samples) -> Says | None:
        if self.voice is None:
            self._events.clear()
            return None
        events = list(self._events)
        self._events.clear()
        return self.voice.tick(heard, events)

    def _send(self, kind: MessageKind, message: bytes) -> None:
        if self.line is not None:
            self.line.put(kind, message)
            return
        self._put(message)

    def _put(self, message: bytes, *, binary: bool = False) -> None:
        if self._socket.say(message, binary=binary):
            self.figures.bytes_out += len(message)
        elif self._socket.state is State.OPEN:
            self.figures.unsent += 1
            for witness in self.witnesses:
                witness.left_unsent()

    def _follow(self, line: Line) -> None:
        """Do at the socket what the line says for this tick."""
        orders = line.tick()
        self._gate.order(orders.reads)
        for outgoing in orders.messages:
            if not self._away:
                self._put(outgoing.payload, binary=outgoing.binary)
        if orders.drops and not self._away:
            self._away = True
            self._socket.transport.abort()
        if orders.redials and self._away:
            self._back.set()

    async def _listen(self) -> None:
        if self.line is None:
            await self._socket.wait_closed()
            return
        async for message in self._socket:
            await self._gate.pass_one()
            self._take(message.encode() if isinstance(message, str) else message, isinstance(message, str))

    def _take(self, message: bytes, is_text: bool) -> None:
        if self.end is not None:
            return
        self.figures.bytes_in += len(message)
        try:
            what = read_from_service(message)
            for witness in self.witnesses:
                witness.took(what, message, is_text)
            self._obey(what)
        except (WireError, ValueError) as why:
            self.figures.not_understood += 1
            for witness in self.witnesses:
                witness.refused(message, is_text, why)

    def _obey(self, what: FromService) -> None:
        match what:
            case PlayAudio(media):
                self.arrivals.append(time.monotonic())
                self.figures.played += 1
                self._play(media)
            case Checkpoint(name):
                self.figures.checkpoints += 1
                self.playout.checkpoint(name)
            case ClearAudio():
                self.figures.clears += 1
                self.playout.clear()
                self._events.append(QueueCleared())
                self._send("clearedAudio", self._writer.cleared())
            case SendDigits(digits):
                self.digits_heard += digits
                self._events.append(KeysHeard(digits))

    def _play(self, media: PlayMedia) -> None:
        named = (media.content_type, media.sample_rate)
        audio_format = self.format if named == self._usual else media.audio_format(self.format)
        if audio_format == self.format:
            self._usual = named
            samples = decode(media.payload, self.format)
        else:
            self.figures.wrong_format += 1
            if not self.convert or audio_format is None:
                return
            sound = decode(media.payload, audio_format).astype(np.float64)
            converted = change_rate(sound, audio_format.rate_hz, self.format.rate_hz)
            samples = np.rint(converted).clip(-32_768, 32_767).astype(np.int16)
        self.playout.queue(samples)
        for witness in self.witnesses:
            witness.queued(samples)


def _unix_ms() -> int:
    return time.time_ns() // 1_000_000
