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

from bridge.core.ports import TICK_S, CallStart
from bridge.harness.call_clock import Beat, CallClock
from bridge.harness.call_ids import new_call as new_call
from bridge.harness.call_intake import CallIntake
from bridge.harness.call_outlet import CallOutlet
from bridge.harness.call_socket import MAX_UNSENT_BYTES, CallConnection, open_socket
from bridge.harness.call_socket import CallFailed as CallFailed
from bridge.harness.caller_figures import CallEnd as CallEnd
from bridge.harness.caller_figures import CallerFigures
from bridge.harness.line import Line, ReadGate
from bridge.harness.phone_playout import PhonePlayout
from bridge.harness.sound import Loop, Samples
from bridge.harness.voice import CheckpointReached, Says, Voice
from bridge.harness.witness import Witness


@dataclass
class PlivoCaller:
    """One call. `sound` is what the caller says: int16 [n] at the stream's rate, or one sound per track.

    With a `voice`, that says what the caller says on the first track, and when to press keys and to hang up.
    What a caller is given is settled when it dials.
    """

    url: str
    sound: Samples | Mapping[str, Samples] = field(default_factory=lambda: np.zeros(0, np.int16))
    call: CallStart = field(default_factory=new_call)
    loop_sound: bool = False
    http_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    convert: bool = False
    """Play audio of other formats than the stream's too (the vendor does not)."""
    bidirectional: bool = True
    """Otherwise the service only listens, and whatever it says is refused."""
    on_heard: Callable[[Samples], None] | None = None
    """Gets every 20 ms that the caller hears, in place of `heard`."""
    voice: Voice | None = None
    line: Line | None = None
    """Faults on the way to the service; None: there are none."""
    witnesses: Sequence[Witness] = ()
    phase_s: float | None = None
    """Ticks begin so long after whole 20 ms of the clock: calls of different phases are not due together."""
    clock: CallClock = field(default_factory=CallClock, repr=False)
    """Many callers of one loop had better share one."""

    def __post_init__(self) -> None:
        self.format = self.call.audio_format
        self.playout = PhonePlayout(self.format.rate_hz)
        self.figures = CallerFigures()
        self.said = np.zeros(self.format.frame_samples, np.int16)
        """The last 20 ms said on the first track."""
        self.began_at = 0.0
        """When `start` was said, by `time.monotonic`."""
        self.connected_s: float | None = None
        """How long the service took to accept the call; None: it has not."""
        self.end: CallEnd | None = None
        sounds = self.sound if isinstance(self.sound, Mapping) else {self.call.tracks[0]: self.sound}
        silence = np.zeros(0, np.int16)
        self._loops = [
            (track, Loop(sounds.get(track, silence), self.format.frame_samples, repeat=self.loop_sound))
            for track in self.call.tracks
        ]
        self._outlet = CallOutlet(self.call, self.line, self.figures)
        self._intake = CallIntake(
            self.format, self.playout, self.figures, self._outlet.cleared,
            convert=self.convert, bidirectional=self.bidirectional,
        )  # fmt: skip
        self._heard: list[Samples] = []
        self._gate = ReadGate()
        self._back = asyncio.Event()
        self._socket: CallConnection
        self._beat: Beat | None = None
        self._work: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._said_all = asyncio.Event()
        self._ticked: list[Callable[[Samples, Samples, Samples, float], None]] = []
        self._reached: list[Callable[[str], None]] = []

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
        self._show_to_witnesses()
        asked_at = time.monotonic()
        self._socket = await self._connected()
        self.connected_s = time.monotonic() - asked_at
        if self.phase_s is not None:
            try:
                await asyncio.sleep((self.phase_s - time.monotonic()) % TICK_S)
            except asyncio.CancelledError:
                self._socket.transport.abort()
                raise
        self.began_at = time.monotonic()
        for witness in self.witnesses:
            witness.began()
        self._outlet.connect(self._socket)
        self._work = asyncio.create_task(self._go_on())

    async def hang_up(self) -> None:
        """End the call as a caller does, if it has not ended yet.

        Raises, in an ExceptionGroup, what the voice, a witness or the line has raised: the call ended by it.
        """
        if self._work is None:
            return
        if not self._over.is_set():
            self.end = CallEnd(1000, "", by_service=False)
            await self._socket.close()
        self._work.cancel()
        (wrong,) = await asyncio.gather(self._work, return_exceptions=True)
        self._over.set()
        if isinstance(wrong, Exception):
            raise wrong

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

    @property
    def unsent_share(self) -> float:
        """Of what may wait for a service that does not read, how much does: 0…1."""
        if self.connected_s is None:
            return 0.0
        return self._socket.transport.get_write_buffer_size() / MAX_UNSENT_BYTES

    async def press(self, digits: str) -> None:
        """Press keys, one after another."""
        self._outlet.press(digits)

    async def send(self, message: bytes | str) -> None:
        """Anything at all: for tests of what a service does with it."""
        await self._socket.send(message, text=True if isinstance(message, bytes) else None)

    # --- what it hears ---

    @property
    def heard(self) -> NDArray[np.int16]:
        """Everything played to the caller so far, from the call's first 20 ms on: int16 [n]."""
        return np.concatenate(self._heard) if self._heard else np.zeros(0, np.int16)

    @property
    def arrivals(self) -> deque[float]:
        """When each `playAudio` came, by `time.monotonic`."""
        return self._intake.arrivals

    @property
    def digits_heard(self) -> str:
        """The keys that the service played."""
        return "".join(self._intake.digits)

    # --- inside: the connection ---

    def _show_to_witnesses(self) -> None:
        """Most witnesses care for little of what happens; the others are not asked 50 times a second."""
        self._intake.shown_to(self.witnesses)
        self._outlet.shown_to(self.witnesses)
        self._ticked = [w.ticked for w in self.witnesses if type(w).ticked is not Witness.ticked]
        self._reached = [w.reached for w in self.witnesses if type(w).reached is not Witness.reached]

    async def _connected(self) -> CallConnection:
        # Who reads slowly on purpose gets the answers to its own pings late as well, and takes by itself.
        open_line = self.line is None
        take = self._take if open_line else None
        return await open_socket(self.url, self.http_headers, pings=open_line, take=take)

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
            if not self._outlet.away:
                raise
        return self._outlet.away

    async def _listen(self) -> None:
        if self.line is None:
            await self._socket.wait_closed()
            return
        async for message in self._socket:
            await self._gate.pass_one()
            self._take(message.encode() if isinstance(message, str) else message, isinstance(message, str))

    def _take(self, message: bytes, is_text: bool) -> None:
        if self._beat is not None:
            self._beat.catch_up()  # a message finds the queue as it should be at that moment
        if self.end is None:
            self._intake.take(message, is_text)

    async def _come_back(self) -> None:
        """The same call on a new connection, where nothing is queued yet."""
        self._back.clear()
        self.playout.clear()
        self._socket = await self._connected()
        if self.end is not None:  # hung up meanwhile
            await self._socket.close()
            return
        self._outlet.connect(self._socket)
        self.figures.redials += 1
        for witness in self.witnesses:
            witness.redialled()

    # --- inside: 20 ms at a time ---

    async def _talk(self) -> None:
        # A frame goes out when its 20 ms have been said.
        self._beat = self.clock.begin(self.began_at + TICK_S, self._tick)
        try:
            await self._beat.over
        finally:
            self._beat.stop()
        await self._socket.close()

    def _tick(self, late_s: float) -> None:
        """Play 20 ms and send 20 ms."""
        if self.end is not None:
            self._stop_ticking()
            return
        if late_s > self.figures.late_s:
            self.figures.late_s = late_s
        frame, reached = self.playout.tick()
        if self.on_heard is not None:
            self.on_heard(frame)
        else:
            self._heard.append(frame)
        for name in reached:
            self._outlet.played(name)
            self._intake.events.append(CheckpointReached(name))
            for told in self._reached:
                told(name)
        says = self._speak(frame)
        for at, (track, loop) in enumerate(self._loops):
            if at == 0:
                said = self.said = loop.next_frame() if says is None else says.frame
            self._outlet.media(track, loop.next_frame() if at else said)
        speech = said if says is None or says.speech is None else says.speech
        for tell in self._ticked:
            tell(said, speech, frame, late_s)
        if says is not None and says.keys:
            self._outlet.press(says.keys)
        if self.line is not None:
            orders = self._outlet.follow(self.line)
            self._gate.order(orders.reads)
            if orders.redials and self._outlet.away:
                self._back.set()
        if says is not None and says.hangs_up:
            self._hang_up_now()

    def _speak(self, heard: Samples) -> Says | None:
        events = self._intake.events
        if self.voice is not None:
            happened = list(events)
            events.clear()
            return self.voice.tick(heard, happened)
        events.clear()
        if all(loop.over for _, loop in self._loops):
            self._said_all.set()
        return None

    def _hang_up_now(self) -> None:
        """`_talk` closes the socket."""
        self._said_all.set()
        self.end = CallEnd(1000, "", by_service=False)
        self._back.set()
        self._gate.order(None)
        self._stop_ticking()

    def _stop_ticking(self) -> None:
        if self._beat is not None:
            self._beat.stop()
