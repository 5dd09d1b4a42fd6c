"""A Plivo call's socket: greets the call, passes what it says to its legs, and tells when it is over.

Order: `opened`, a `start` message, then `admit` is awaited, which gives the call its legs. Media before
somebody listens is dropped and counted, pressed keys wait. See `plivo_wire` for what is done with broken
messages.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from bridge.core.ports import CallStart, CloseReason, Encoding
from bridge.legs.plivo_figures import PlivoFigures
from bridge.legs.plivo_wire import (
    INBOUND,
    BadStart,
    Digits,
    FromCall,
    Media,
    MediaBeforeStart,
    OddLength,
    Played,
    Start,
    Stopped,
    Unknown,
    WireError,
    read_from_call,
)
from bridge.sockets import Socket

log = logging.getLogger(__name__)

MAX_HELD_DIGITS = 32

NORMAL = 1000
GOING_AWAY_CODES = (1000, 1005)
"""What a far side that means to end the call closes with; after anything else it may come back."""
NOTHING_UNDERSTOOD = 1007
AGAINST_THE_ORDER = 1008
FAILED = 1011


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Patience with a call."""

    start_timeout_s: float = 10.0
    """Time from the socket's opening to `start`."""
    bad_in_a_row: int = 100
    """So many unusable messages without a good one between them, and the socket is closed."""


class Ear(Protocol):
    """What a link needs of a leg."""

    def media(self, payload: bytes) -> None: ...

    def digits(self, digits: str) -> None: ...

    def played(self, name: str) -> None: ...

    def interrupted(self, cause: str) -> None:
        """The connection is gone, and the call may come back."""

    def hung_up(self, cause: str) -> None:
        """The call is over."""


Admit = Callable[["PlivoLink"], Awaitable[None]]
Over = Callable[["PlivoLink", CloseReason], None]


class PlivoLink:
    """A `bridge.sockets.Receiver` and `bridge.core.ports.CallLink`.

    `over(link, reason)` is called once `admit` is through and the socket is gone. HANGUP: the far side ended
    the call. FAILED: the connection was lost, the call may come back; if the bridge then closes the link,
    `over` is called again. ENDED: the bridge closed it. A socket that never said `start` is not reported.
    """

    def __init__(self, admit: Admit, over: Over, settings: LinkSettings, totals: PlivoFigures) -> None:
        self._admit = admit
        self._over = over
        self._settings = settings
        self._totals = totals
        self.figures = PlivoFigures()
        self._socket: Socket | None = None
        self._start: CallStart | None = None
        self._start_timer: asyncio.TimerHandle | None = None
        self._admission: asyncio.Task[None] | None = None
        self._ears: dict[str, Ear] = {}
        self._whole_samples = False
        self._held_digits: deque[str] = deque(maxlen=MAX_HELD_DIGITS)
        self._bad_in_a_row = 0
        self._stopped = False
        self._close_asked = False
        self._end: CloseReason | None = None

    # --- CallLink ---

    @property
    def start(self) -> CallStart:
        """What the call said of itself; raises RuntimeError before it did."""
        if self._start is None:
            raise RuntimeError("the call has not said start yet")
        return self._start

    def close(self, code: int, reason: str) -> None:
        """Close the socket. On a connection already lost: the call need not come back any more."""
        if self._close_asked:
            return
        self._close_asked = True
        if self._end is CloseReason.FAILED:
            self._end = CloseReason.ENDED
            if self._admission is None:
                self._tell_over()
        elif self._socket is not None:
            self._socket.close(code, reason)

    # --- for the legs ---

    @property
    def open(self) -> bool:
        """Whether what is sent can still arrive."""
        return self._end is None and not self._close_asked

    @property
    def unsent_bytes(self) -> int:
        """Bytes that have not reached the far side's machine."""
        return self._socket.unsent_bytes if self._socket is not None else 0

    def send(self, message: bytes) -> bool:
        """False when it was not sent."""
        return self._socket is not None and self._socket.send_text(message)

    def attach(self, track: str, ear: Ear) -> None:
        """From now on `ear` gets what is said on `track`, in place of whoever got it before."""
        self._ears[track] = ear
        if self._end is not None:
            self._tell_ear(ear)
        while self._held_digits and track == self._keys_track:
            ear.digits(self._held_digits.popleft())

    def detach(self, ear: Ear, code: int, reason: str) -> None:
        """Forget `ear`; without the last one there is no use for the socket, and it is closed."""
        remaining = {track: other for track, other in self._ears.items() if other is not ear}
        if len(remaining) < len(self._ears):
            self._ears = remaining
            if not remaining:
                self.close(code, reason)

    # --- Receiver ---

    def opened(self, socket: Socket) -> None:
        """The far side now has `start_timeout_s` to say `start`."""
        self._socket = socket
        loop = asyncio.get_running_loop()
        self._start_timer = loop.call_later(self._settings.start_timeout_s, self._start_missing)

    def received(self, message: bytes, is_text: bool) -> None:
        """One message; the few services that send JSON in binary frames are understood as well."""
        try:
            said = read_from_call(message)
            if type(said) is Media:
                self._hear(said)
            else:
                self._take(said)
            self._bad_in_a_row = 0
        except WireError as error:
            self._drop(error)

    def closed(self, code: int, reason: str) -> None:
        """The socket is gone."""
        if self._start_timer is not None:
            self._start_timer.cancel()
        if self._close_asked:
            self._end = CloseReason.ENDED
        elif self._stopped or code in GOING_AWAY_CODES:
            self._end = CloseReason.HANGUP
        else:
            self._end = CloseReason.FAILED
        if self._start is None:
            return
        log.info("- call %s: %s (%d)", self._start.stream_id, self._end, code)
        for ear in list(self._ears.values()):
            self._tell_ear(ear)
        if self._admission is None:
            self._tell_over()

    # --- inside ---

    @property
    def _keys_track(self) -> str:
        tracks = self.start.tracks
        return INBOUND if INBOUND in tracks else tracks[0]

    def _hear(self, said: Media) -> None:
        media = said.media
        ear = self._ears.get(media.track or self._only_track)
        if ear is None:
            self._not_heard(media.track)
        elif self._whole_samples and len(media.payload) & 1:
            raise OddLength("L16 audio of an odd length")
        else:
            ear.media(media.payload)

    def _not_heard(self, track: str) -> None:
        if self._start is None:
            raise MediaBeforeStart("media before start")
        if track and track not in self._start.tracks:
            self._count("strange_track")
        else:
            self._count("early")

    @property
    def _only_track(self) -> str:
        return self._start.tracks[0] if self._start is not None else INBOUND

    def _take(self, said: FromCall) -> None:
        match said:
            case Start(start):
                self._greet(start)
            case Digits(digits):
                self._press(digits)
            case Played(name):
                for ear in self._ears.values():
                    ear.played(name)
            case Stopped():
                self._stopped = True
            case Unknown():
                self._count("unknown")

    def _greet(self, start: CallStart) -> None:
        if self._start is not None:
            self._count("repeated_start")
            if start.audio_format != self._start.audio_format:
                self.close(AGAINST_THE_ORDER, "a second start with another media format")
            return
        if self._start_timer is not None:
            self._start_timer.cancel()
        self._start = start
        self._whole_samples = start.audio_format.encoding is Encoding.L16
        self._admission = asyncio.get_running_loop().create_task(self._be_admitted())

    async def _be_admitted(self) -> None:
        try:
            await self._admit(self)
        except Exception:
            log.exception("x a call could not be admitted")
            self.close(FAILED, "internal error")
        finally:
            self._admission = None
        if self._end is not None:
            self._tell_over()

    def _press(self, digits: str) -> None:
        ear = self._ears.get(self._keys_track) if self._start is not None else None
        for digit in digits:
            if ear is not None:
                ear.digits(digit)
            else:
                self._held_digits.append(digit)

    def _drop(self, error: WireError) -> None:
        self._count(error.figure)
        self._bad_in_a_row += 1
        if isinstance(error, BadStart) and self._start is None and error.close_code is not None:
            self.close(error.close_code, str(error))
        elif self._bad_in_a_row >= self._settings.bad_in_a_row:
            self.close(NOTHING_UNDERSTOOD, "nothing of this can be understood")

    def _count(self, figure: str) -> None:
        for figures in (self.figures, self._totals):
            setattr(figures, figure, getattr(figures, figure) + 1)

    def _start_missing(self) -> None:
        self.close(AGAINST_THE_ORDER, "no start message came in time")

    def _tell_ear(self, ear: Ear) -> None:
        if self._end is CloseReason.FAILED:
            ear.interrupted("connection lost")
        else:
            ear.hung_up("hung up")

    def _tell_over(self) -> None:
        if self._start is not None and self._end is not None:
            self._over(self, self._end)
