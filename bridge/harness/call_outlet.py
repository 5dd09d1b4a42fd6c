"""What goes out to the service during a simulated call: written, through the call's line, to the socket."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from websockets.protocol import State

from bridge.core.ports import CallStart
from bridge.harness.call_socket import CallConnection
from bridge.harness.caller_figures import CallerFigures
from bridge.harness.line import Line, LineOrders, MessageKind
from bridge.harness.sound import Samples, encoder
from bridge.harness.witness import Witness
from bridge.legs.plivo_call_wire import CallWriter


class CallOutlet:
    """One call's. `connect` before anything is said, and again for every new connection of the same call."""

    def __init__(self, call: CallStart, line: Line | None, figures: CallerFigures) -> None:
        self._call = call
        self._encode = encoder(call.audio_format)
        self._line = line
        self._figures = figures
        self._left_unsent: list[Callable[[], None]] = []
        self._writer: CallWriter
        self._socket: CallConnection
        self.away = False
        """The connection was lost on purpose, and is to come back."""

    def shown_to(self, witnesses: Sequence[Witness]) -> None:
        """Who watches from now on."""
        self._left_unsent = [
            w.left_unsent for w in witnesses if type(w).left_unsent is not Witness.left_unsent
        ]

    def connect(self, socket: CallConnection) -> None:
        """Say `start` on a new connection, and everything after it from the first number on."""
        self.away = False
        self._socket = socket
        self._writer = CallWriter(self._call)
        self._send("start", self._writer.start())

    def media(self, track: str, said: Samples) -> None:
        """20 ms of one track: int16 [frame_samples]."""
        line = self._line
        payload = self._encode(said) if line is None else line.payload(track, said)
        message = self._writer.media(track, payload, time.time_ns() // 1_000_000)
        if line is None:
            self._put(message)
        else:
            line.put("media", message)
        self._figures.sent += 1

    def played(self, name: str) -> None:
        """Everything before a checkpoint has been heard."""
        self._send("playedStream", self._writer.played(name))

    def cleared(self) -> None:
        """The queue was emptied."""
        self._send("clearedAudio", self._writer.cleared())

    def press(self, digits: str) -> None:
        """Keys, one after another."""
        for digit in digits:
            now_ms = time.time_ns() // 1_000_000
            self._send("dtmf", self._writer.dtmf(self._call.tracks[0], digit, now_ms))

    def follow(self, line: Line) -> LineOrders:
        """Send what the line lets out in this tick, and lose the connection if it says so."""
        orders = line.tick()
        for outgoing in orders.messages:
            if not self.away:
                self._put(outgoing.payload, binary=outgoing.binary)
        if orders.drops and not self.away:
            self.away = True
            self._socket.transport.abort()
        return orders

    def _send(self, kind: MessageKind, message: bytes) -> None:
        if self._line is None:
            self._put(message)
        else:
            self._line.put(kind, message)

    def _put(self, message: bytes, *, binary: bool = False) -> None:
        if self._socket.say(message, binary=binary):
            self._figures.bytes_out += len(message)
        elif self._socket.state is State.OPEN:
            self._figures.unsent += 1
            for left_unsent in self._left_unsent:
                left_unsent()
