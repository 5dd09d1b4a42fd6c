"""One connection of a stream to its service: takes from the hold what the socket has room for, and no more.

What a socket has taken is out of our hands, so little is given to it at a time. Now and then the service is
asked how much has arrived (`Dialled.ask`); only that counts as delivered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bridge.core.ports import PTIME_MS, CallStart
from bridge.legs.plivo_call_wire import CallWriter
from bridge.legs.service_hold import Hold
from bridge.sockets import Dialled, Socket

NORMAL = 1000
NO_CODE = 1005
GOING_AWAY_CODES = (NORMAL, 1001, NO_CODE)
"""What a service closes with that means to end the stream; so are the codes that services make up (4000…)."""
FIRST_PRIVATE_CODE = 3000

LOOK_EVERY = 5
"""Messages between two looks at what the socket has not sent: asking the kernel costs half as much as
sending, and only so many can pile up in between.
"""
FAREWELL_FRAMES = 50
"""Sent at once, of each track, when the stream ends; more follow as these arrive."""


class LineOwner(Protocol):
    """The leg, as its connections see it."""

    def line_opened(self, line: ServiceLine) -> None: ...

    def line_said(self, message: bytes, is_text: bool) -> None: ...

    def line_closed(self, line: ServiceLine, code: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Farewell:
    """How a connection is to be ended."""

    code: int
    reason: str
    say_stop: bool


class ServiceLine:
    """A `bridge.sockets.Caller`. After `drop` it is deaf and does nothing any more."""

    def __init__(self, start: CallStart, hold: Hold, owner: LineOwner, in_socket_ms: int) -> None:
        """`in_socket_ms`: audio that may be in the socket and not sent yet."""
        self._hold = hold
        self._owner: LineOwner | None = owner
        self._writer = CallWriter(start)
        self._tracks = len(start.tracks)
        self._message_bytes = _message_bytes(start)
        self._limit_bytes = in_socket_ms // PTIME_MS * self._tracks * self._message_bytes
        self._socket: Dialled | None = None
        self._allowance = 0
        self._sent = self._asked = self._confirmed = 0
        self._farewell: Farewell | None = None
        self._closing = False
        self.unsent_frames = 0.0
        """What was in the socket at the last look, in frames."""

    # --- Caller ---

    def opened(self, socket: Socket) -> None:
        """The service is there."""
        if self._owner is None:
            socket.close(NORMAL)
            return
        self._socket = socket  # type: ignore[assignment]  # a dial gives its callers what they dialled
        self._owner.line_opened(self)

    def received(self, message: bytes, is_text: bool) -> None:
        """A message of the service."""
        if self._owner is not None and not self._closing:
            self._owner.line_said(message, is_text)

    def confirmed(self, mark: bytes) -> None:
        """Everything sent before that mark has arrived."""
        if self._owner is None:
            return
        self._arrived(int(mark))
        if self._farewell is not None and not self._closing:
            self._say_goodbye(self._farewell)

    def closed(self, code: int, reason: str) -> None:
        """The socket is gone."""
        owner = self._owner
        if owner is None:
            return
        if self._closing and self._farewell is not None and code in (self._farewell.code, NORMAL, NO_CODE):
            self._arrived(self._sent)  # who answers the closing handshake has read what lay before it
        self.drop()
        owner.line_closed(self, code)

    # --- for the leg ---

    def greet(self) -> None:
        """Say who calls."""
        if self._socket is not None:
            self._socket.send_text(self._writer.start())

    def pump(self, most: int) -> None:
        """Pass on up to `most` items, while little enough waits in the socket."""
        socket, hold = self._socket, self._hold
        if socket is None or self._closing:
            return
        item = hold.next
        while item is not None and most > 0:
            if self._allowance <= 0 and not self._look(socket):
                return
            if not socket.send_text(item.write(self._writer)):
                self._writer.take_back()
                self._allowance = 0
                return
            hold.sent()
            self._sent += 1
            self._allowance -= 1
            most -= 1
            item = hold.next

    def ask(self) -> None:
        """Let the service confirm what was sent since the last time."""
        if self._socket is not None and self._sent > self._asked and self._socket.ask(b"%d" % self._sent):
            self._asked = self._sent

    def say_goodbye(self, farewell: Farewell) -> None:
        """Send what is held as fast as it arrives, then close; `LineOwner.line_closed` follows.

        A service that does not read makes this last for ever: see `hang_up`.
        """
        if self._farewell is None:
            self._farewell = farewell
            self._say_goodbye(farewell)

    def hang_up(self) -> None:
        """Cut the goodbye short."""
        if self._farewell is not None:
            self._close(self._farewell)

    def drop(self, code: int | None = None, reason: str = "") -> None:
        """Let go of the connection without a word to the leg, and close it with `code`, if there is one."""
        self._owner = None
        socket, self._socket = self._socket, None
        if code is not None and socket is not None and not self._closing:
            socket.close(code, reason)

    # --- inside ---

    def _say_goodbye(self, farewell: Farewell) -> None:
        self.pump(FAREWELL_FRAMES * self._tracks)
        self.ask()
        if self._hold.next is None or self._confirmed == self._asked:
            self._close(farewell)

    def _close(self, farewell: Farewell) -> None:
        if self._socket is None or self._closing:
            return
        self.ask()
        if farewell.say_stop:
            self._socket.send_text(self._writer.stop())
        self._closing = True
        self._socket.close(farewell.code, farewell.reason)

    def _look(self, socket: Dialled) -> bool:
        unsent = socket.unsent_bytes
        self.unsent_frames = unsent / self._message_bytes
        self._allowance = min((self._limit_bytes - unsent) // self._message_bytes, LOOK_EVERY)
        return self._allowance > 0

    def _arrived(self, count: int) -> None:
        if self._confirmed < count <= self._sent:
            self._hold.delivered(count - self._confirmed)
            self._confirmed = count


def meant_to_end(code: int) -> bool:
    """A service that closes with this code did not fail."""
    return code in GOING_AWAY_CODES or code >= FIRST_PRIVATE_CODE


def _message_bytes(start: CallStart) -> int:
    """Length of a frame as a message, with the numbers it has after a while."""
    frame = bytes(start.audio_format.frame_bytes)
    return len(CallWriter(start).media(start.tracks[0], frame, 10**12, 10**5)) + 8
