"""A stream to a service, as a participant's leg: the phone company's side of the audio-stream protocol.

We dial. Every frame of every track goes through a hold (`service_hold`) into the connection there is
(`service_line`); what the service says goes into a play queue (`service_player`). Nothing that was captured
is forgotten: it is delivered or lost, and the books say so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from bridge.core.events import DigitPressed, FellBehind, LegClosed, LegConnected, LegInterrupted
from bridge.core.ports import (
    PTIME_MS,
    CloseReason,
    FrameSink,
    HeardSource,
    LegLook,
    LegPort,
    LegSpec,
    PlayInput,
    ServiceStream,
    SoloSource,
    StreamEnd,
    TrackLedger,
)
from bridge.legs.capture_seams import OWN, CapturedPlaySink, CapturedQueue, CapturedSink, OwnTap
from bridge.legs.captures import Capturing, LegCapture
from bridge.legs.plivo_call_wire import CallWriter
from bridge.legs.service_dialling import Dialling
from bridge.legs.service_figures import figures_of
from bridge.legs.service_hold import Hold, TrackBook
from bridge.legs.service_line import Farewell, ServiceLine, meant_to_end
from bridge.legs.service_player import ServicePlayer
from bridge.legs.service_settings import ServiceSettings, Surroundings, Timer
from bridge.sockets import Dial

log = logging.getLogger(__name__)

NORMAL = 1000
NOTHING_UNDERSTOOD = 1007
TOO_SLOW = 1008
CLOSE_CODES = {CloseReason.RESTART: 1012, CloseReason.FAILED: 1011}
"""All other reasons are normal ends."""


class TrackSink:
    """The `FrameSink` of one track."""

    __slots__ = ("_book", "_captured", "_hold", "_sound_ms")

    def __init__(
        self, hold: Hold, book: TrackBook, sound_ms: Callable[[], int], captured: Callable[[], None]
    ) -> None:
        self._hold = hold
        self._book = book
        self._sound_ms = sound_ms
        self._captured = captured

    def send_frame(self, frame: bytes, silent: bool, late: bool) -> None:
        """One tick's sound; silence is sent like everything else, and so is what comes late."""
        self._hold.capture(self._book, frame, self._sound_ms())
        self._captured()


class ServiceLeg:
    """A `bridge.core.ports.Leg`, and the owner of its lines. `ended` is called once its books are closed."""

    kind = "stream"

    def __init__(
        self,
        port: LegPort,
        spec: ServiceStream,
        dial: Dial,
        settings: ServiceSettings,
        around: Surroundings,
        ended: Callable[[ServiceLeg], None],
        capturing: Capturing | None = None,
    ) -> None:
        self._port = port
        self._spec = spec
        self._settings = settings
        self._around = around
        self._ended = ended
        self._capturing = capturing
        self._kept: LegCapture | None = None
        """The stream's capture, where it has one."""
        self.ledger = spec.ledger
        self._where = {"room": port.room_id, "participant": port.participant_id, "leg": self.kind}
        tracks = self.ledger.tracks
        books = [TrackBook(track, tracks.setdefault(track, TrackLedger())) for track in spec.sources]
        self._hold = Hold(books)
        self._limit = settings.held_ms // PTIME_MS * len(books)
        self._unconfirmed = 2 * settings.confirm_every_ms // PTIME_MS * len(books)
        """Frames that are on the way although everything is well."""
        self._catch_up = settings.catch_up_frames * len(books)
        self._ask_every = settings.confirm_every_ms // PTIME_MS * len(books)
        self._ask_in = self._ask_every
        self._player = ServicePlayer(
            spec.call.audio_format,
            self.ledger,
            say=self._say,
            pressed=lambda digit: port.emit(DigitPressed(digit)),
            give_up=lambda: self._end(StreamEnd.NOT_UNDERSTOOD, NOTHING_UNDERSTOOD),
            where=self._where,
        )
        self._dialling = Dialling(
            dial,
            spec,
            settings,
            around,
            new_line=lambda: ServiceLine(spec.call, self._hold, self, settings.in_socket_ms),
            failed_often=lambda text: port.emit(LegInterrupted(f"{StreamEnd.CONNECT_FAILED}: {text}")),
            given_up=lambda text: self._end(f"{StreamEnd.CONNECT_FAILED}: {text}", NORMAL),
            where=self._where,
        )
        self._line: ServiceLine | None = None
        self._told = 0
        """How many of the shares to be reported are."""
        self._timeout: Timer | None = None
        self._goodbye_timer: Timer | None = None
        self._leaving = False
        self.cause: str | None = None
        self._over = asyncio.Event()
        self.state = "connecting"
        self.ignored = 0
        """Messages of a service that has nothing to say."""

    # --- Leg ---

    async def start(self) -> None:
        """Begin to capture what a service only receives, and dial. Does not wait for either."""
        if self._capturing is not None:
            self._kept = self._capturing.begin(
                self._spec.capture, "stream", self._spec.call, self._port, of=_streamed(self._spec)
            )
        if not self._spec.bidirectional:
            self._capture()
        self._dialling.attempt()

    async def renegotiate(self, spec: LegSpec) -> str | None:
        """Another stream is another connection."""
        return None

    def send(self, text: str) -> None:
        """The protocol has no words for it."""

    def press(self, track: str, digit: str) -> None:
        """The service is told, behind the sound that was captured so far."""
        if track in self._hold.books and (self._line is not None or not self._spec.bidirectional):
            at_ms = self._around.sound_ms()
            self._say(lambda writer: writer.dtmf(track, digit, at_ms))
            if self._kept is not None:
                self._kept.key(track, digit)

    async def close(self, reason: CloseReason) -> None:
        """Send what is held if that is quick, close, and the books with it."""
        self._leave(None, Farewell(CLOSE_CODES.get(reason, NORMAL), reason.value, self._spec.say_stop))
        await self._over.wait()

    def look(self) -> LegLook:
        """State and what waits; `figures` has the books, all tracks together."""
        hold, queue = self._hold, self._player.queue
        return LegLook(
            kind=self.kind,
            state=self.state,
            format=self._spec.call.audio_format.title,
            backlog_ms=self._unsent_frames * PTIME_MS / len(hold.books),
            figures={
                **figures_of(self.ledger),
                "held_ms": hold.waiting * PTIME_MS / len(hold.books),
                "queued_ms": queue.look().depth_ms if queue is not None else 0.0,
                "ignored": float(self.ignored),
                "marks_refused": float(self._player.marks_refused),
                "notes_dropped": float(hold.notes_dropped),
            },
        )

    # --- LineOwner ---

    def line_opened(self, line: ServiceLine) -> None:
        """The service has answered."""
        if self._leaving or self._line is not None:
            line.drop(NORMAL)
            return
        self._line = line
        self._dialling.connected()
        self.ledger.connects += 1
        first = self.ledger.connected_at is None
        line.greet()
        if self._kept is not None:
            self._kept.link("opened" if first else "resumed")
        if first:
            self.ledger.connected_at = self._around.sound_ms() / 1000
            self._timeout = self._around.call_later(
                self._spec.timeout_s, lambda: self._end(StreamEnd.TIMEOUT, NORMAL)
            )
            if self._spec.bidirectional:
                self._player.queue = self._open_queue()
        self.state = "connected"
        log.info("- connected, attempt %d", self.ledger.attempts, extra=self._where)
        self._port.emit(LegConnected())
        if self._leaving:
            return
        if first and self._spec.bidirectional:
            self._capture()
        line.pump(self._catch_up)

    def line_said(self, message: bytes, is_text: bool) -> None:
        """The service wants something."""
        if self._leaving:
            return
        if self._kept is not None:
            self._kept.service_said(message, is_text)
        if self._spec.bidirectional:
            self._player.received(message, is_text)
        else:
            self.ignored += 1

    def line_closed(self, line: ServiceLine, code: int) -> None:
        """The connection is over, whoever wanted it."""
        if line is not self._line:
            return
        log.info("- disconnected (%d)", code, extra=self._where)
        if self._leaving:
            self._finish()
            return
        end = StreamEnd.SERVICE_CLOSED if meant_to_end(code) else StreamEnd.CONNECTION_LOST
        if self._spec.redial:
            self._lost(end)
        else:
            self._line = None
            self._end(end, NORMAL)

    # --- inside ---

    def _capture(self) -> None:
        for track, source in self._spec.sources.items():
            sink: FrameSink = TrackSink(
                self._hold, self._hold.books[track], self._around.sound_ms, self._captured
            )
            if self._kept is not None:
                sink = CapturedSink(self._kept, sink, track)
            self._port.open_frame_output(track, source, self._spec.call.audio_format, sink)

    def _open_queue(self) -> PlayInput:
        """What the service says goes in there; with a capture, what comes out of it is kept as well."""
        kept, port, audio_format = self._kept, self._port, self._spec.call.audio_format
        if kept is None:
            return port.open_play_input("primary", audio_format, self._player)
        queue = port.open_play_input("primary", audio_format, CapturedPlaySink(kept, self._player))
        port.open_frame_output(OWN, SoloSource(port.participant_id), audio_format, OwnTap(kept))
        return CapturedQueue(kept, queue)

    def _captured(self) -> None:
        line = self._line
        if line is not None:
            line.pump(self._catch_up)
        self._ask_in -= 1
        if not self._ask_in:
            self._ask_in = self._ask_every
            if line is not None:
                line.ask()
        self._weigh()

    def _overflow(self) -> None:
        if self.ledger.connects and not self._spec.redial:
            # Not now, in the middle of a tick; but nothing more is to come.
            self._end(StreamEnd.TOO_SLOW, TOO_SLOW)
            return
        if not self._hold.held_frames and self._line is not None:
            # The socket has taken everything, and the service has not.
            self._line.drop(TOO_SLOW, StreamEnd.TOO_SLOW)
            self._lost(StreamEnd.TOO_SLOW)
        while self._unsent_frames > self._limit and self._hold.lose_oldest():
            pass

    @property
    def _unsent_frames(self) -> float:
        """Own queue, transport and kernel."""
        return self._hold.held_frames + (self._line.unsent_frames if self._line is not None else 0.0)

    def _weigh(self) -> None:
        """Take note of how far the service is behind, and do what is to be done about it.

        What the service's machine has taken and the service has not counts too, once it is more than can be
        on the way between two confirmations.
        """
        unsent = self._unsent_frames
        behind = max(unsent, self._hold.waiting - self._unconfirmed)
        self.ledger.unsent_share = min(unsent / self._limit, 1.0)
        percent = 100 * behind / self._limit
        shares = self._settings.behind_percent
        while self._told and percent < shares[self._told - 1] - self._settings.rearmed_below:
            self._told -= 1
        while self._told < len(shares) and percent >= shares[self._told] and self.ledger.connects:
            self._told += 1
            self._port.emit(FellBehind(shares[self._told - 1]))
        if behind > self._limit and not self._leaving:
            self._overflow()

    def _say(self, write: Callable[[CallWriter], bytes]) -> None:
        if self._leaving:
            return
        if not self._hold.note(write) and self._hold.notes_dropped == 1:
            log.warning("x the service does not read its acknowledgements: dropped", extra=self._where)
        if self._line is not None:
            self._line.pump(self._catch_up)

    def _lost(self, end: StreamEnd) -> None:
        """The connection is gone, and another is wanted."""
        if self._kept is not None:
            self._kept.link("lost")
        self._line = None
        self._hold.take_back()
        self.state = "interrupted"
        self._port.emit(LegInterrupted(end))
        if not self._leaving:
            self._dialling.lost()

    def _end(self, cause: str, code: int) -> None:
        """The stream ends by itself."""
        self._leave(cause, Farewell(code, cause.partition(":")[0], self._spec.say_stop))

    def _leave(self, cause: str | None, farewell: Farewell) -> None:
        if self._leaving:
            return
        self._leaving, self.cause = True, cause
        self._dialling.stop()
        if self._timeout is not None:
            self._timeout.cancel()
        for track in (*self._spec.sources, OWN):
            self._port.close_output(track)
        line = self._line
        if line is None:
            self._finish()
        elif cause == StreamEnd.TOO_SLOW:
            line.drop(farewell.code, farewell.reason)
            # The switchboard is not to be told in the middle of a tick.
            self._goodbye_timer = self._around.call_later(0.0, self._finish)
        else:
            self._goodbye_timer = self._around.call_later(self._settings.farewell_s, self._hurry)
            line.say_goodbye(farewell)

    def _hurry(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.hang_up()
            line.drop()
        self._finish()

    def _finish(self) -> None:
        if self.state == "closed":
            return
        self.state = "closed"
        if self._goodbye_timer is not None:
            self._goodbye_timer.cancel()
        self._line = None
        self._hold.give_up()
        self._port.close_input("primary")
        self.ledger.unsent_share = 0.0
        self.ledger.ended_at = self._around.sound_ms() / 1000
        if self._kept is not None:
            self._kept.end(self.cause or "closed", facts={**figures_of(self.ledger)})
        log.info("- stream over: %s", self.cause or "closed", extra=self._where)
        self._over.set()
        self._ended(self)
        if self.cause is not None:
            self._port.emit(LegClosed(self.cause))


def _streamed(spec: ServiceStream) -> str:
    """The participant whose call is streamed; empty for a stream on a conference."""
    sources = spec.sources.values()
    return next((one.participant_id for one in sources if isinstance(one, SoloSource | HeardSource)), "")
