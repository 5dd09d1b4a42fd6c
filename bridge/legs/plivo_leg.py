"""One track of a Plivo call as a participant's leg: what the caller says in, the mix for the caller out.

Out: one `playAudio` a tick, never a burst. Delay does not build up, wherever it arises: of frames that are
late only the newest is sent; when too much waits on our side of the network, frames are dropped; what waits
on the far side is watched with checkpoints (`plivo_lag`), trimmed in silence, and cleared when it is much.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from bridge.core.events import DigitPressed, LegClosed, LegConnected, LegInterrupted
from bridge.core.ports import (
    PTIME_MS,
    AudioInput,
    CallLink,
    CallTrack,
    CloseReason,
    LegLook,
    LegPort,
    LegSpec,
    MixSource,
    SoloSource,
)
from bridge.legs.capture_seams import OWN, CapturedInput, CapturedMix, MixCounts, OwnTap
from bridge.legs.captures import Capturing, LegCapture
from bridge.legs.plivo_figures import PlivoFigures
from bridge.legs.plivo_lag import LagSettings, Move, PlaybackLag
from bridge.legs.plivo_link import Admit, LinkSettings, Over, PlivoLink
from bridge.legs.plivo_play_wire import PlayAudioWriter, write_checkpoint, write_clear_audio

log = logging.getLogger(__name__)

MIX = "mix"
"""The key of the leg's one output."""

LOOK_EVERY = 5
"""Frames between two looks at what our side has not sent."""

CLOSE_CODES = {
    CloseReason.EXPELLED: 1000,
    CloseReason.REPLACED: 1000,
    CloseReason.ENDED: 1000,
    CloseReason.HANGUP: 1000,
    CloseReason.RESTART: 1012,
    CloseReason.FAILED: 1011,
}


@dataclass(frozen=True, slots=True)
class PlivoLegSettings:
    """How calls are treated."""

    link: LinkSettings = field(default_factory=LinkSettings)
    lag: LagSettings = field(default_factory=LagSettings)
    unsent_ms: int = 500
    """Audio that may wait on our side; more of it is dropped, not queued up."""


class PlivoLeg:
    """A `bridge.core.ports.Leg` and `FrameSink`, and the `Ear` of its link."""

    kind = "plivo"

    def __init__(
        self,
        port: LegPort,
        spec: CallTrack,
        settings: PlivoLegSettings,
        now: Callable[[], float],
        capturing: Capturing | None = None,
    ) -> None:
        """Raises TypeError when the link is not a Plivo call's."""
        self._now = now
        self._port = port
        self._track = spec.track
        self._receive_only = spec.receive_only
        self._link = _plivo_link(spec.link)
        self._format = self._link.start.audio_format
        self._writer = PlayAudioWriter(self._format)
        self._settings = settings
        self._unsent_limit = len(self._writer.write(bytes(self._format.frame_bytes))) * (
            settings.unsent_ms // PTIME_MS
        )
        self._input: AudioInput | None = None
        self._capturing = capturing
        self._capture_order = spec.capture
        self._kept: LegCapture | None = None
        """The call's capture, where it has one."""
        self._state = "connecting"
        self._start_over()
        self.frames_out = 0
        self.late = 0
        """Frames that a newer one followed at once, and that were therefore not sent."""
        self.congested = 0
        """Frames dropped because too much waited on our side."""
        self._look_in = 0
        self._choked = False

    def _start_over(self) -> None:
        """The far side is another one now: nothing is known about its queue."""
        self._lag = PlaybackLag(self._settings.lag)
        # Nobody else's checkpoints can look like these.
        self._prefix = f"mediabridge-{secrets.token_hex(4)}-"

    # --- Leg ---

    async def start(self) -> None:
        """Open input and output. Gives no answer: a call makes no offer."""
        self._input = self._port.open_audio_input("primary", self._format)
        if self._capturing is not None:
            self._keep(self._capturing, self._input)
        if not self._receive_only:
            sink = self if self._kept is None else CapturedMix(self._kept, self)
            self._port.open_frame_output(MIX, MixSource(), self._format, sink)
        self._begin()

    async def renegotiate(self, spec: LegSpec) -> str | None:
        """Go on with a newer socket of the same call; an empty answer says that this was possible."""
        if not isinstance(spec, CallTrack) or self._state == "closed":
            return None
        link = _plivo_link(spec.link)
        mine, other = self._link.start, link.start
        same = (mine.call_id, self._format, self._track, self._receive_only) == (
            other.call_id, other.audio_format, spec.track, spec.receive_only
        )  # fmt: skip
        if not same:
            return None
        if link is not self._link:
            self._link.detach(self, 1000, "a newer socket of this call took over")
            self._link = link
            self._start_over()
            if self._kept is not None:
                self._kept.link("resumed")
            self._begin()
        return ""

    def press(self, track: str, digit: str) -> None:
        """Nothing is streamed to this peer as a track: dropped."""

    def send(self, text: str) -> None:
        """A phone has no use for text."""

    async def close(self, reason: CloseReason) -> None:
        """Let go of the call; without legs its socket closes."""
        self._state = "closed"
        self._end_capture(reason.value)
        self._link.detach(self, CLOSE_CODES[reason], reason.value)

    def look(self) -> LegLook:
        """State and backlog; `figures` has the counters."""
        backlog_ms = self._lag.backlog_ms
        dropped = {name: float(count) for name, count in asdict(self._link.figures).items()}
        return LegLook(
            kind=self.kind,
            state=self._state,
            format=self._format.title,
            backlog_ms=backlog_ms or 0.0,
            figures={
                "backlog_known": float(backlog_ms is not None),
                "unsent_bytes": float(self._link.unsent_bytes),
                "frames_out": float(self.frames_out),
                "late": float(self.late),
                "congested": float(self.congested),
                "trimmed": float(self._lag.skipped),
                "clears": float(self._lag.clears),
                **dropped,
            },
        )

    def mix_counts(self) -> MixCounts:
        """What became of the mix so far."""
        return MixCounts(self.frames_out, self.late, self.congested, self._lag.skipped, self._lag.clears)

    # --- FrameSink ---

    def send_frame(self, frame: bytes, silent: bool, late: bool) -> None:
        """One tick's audio for the caller."""
        link = self._link
        if late:
            self.late += 1
            return
        if not link.open:
            return
        # Asking the kernel costs half as much as sending; only a few frames can pile up in between.
        self._look_in -= 1
        if self._look_in <= 0:
            self._choked = link.unsent_bytes > self._unsent_limit
            self._look_in = 1 if self._choked else LOOK_EVERY
        if self._choked:
            self.congested += 1
            return
        lag = self._lag
        move = lag.move(silent)
        if move is Move.SKIP:
            return
        stream_id = link.start.stream_id
        if move is Move.CLEAR:
            log.warning("x the far side lies too far behind: cleared", extra=self._context)
            link.send(write_clear_audio(stream_id))
        if not link.send(self._writer.write(frame)):
            self.congested += 1
            return
        self.frames_out += 1
        lag.sent()
        if lag.checkpoint_due():
            link.send(write_checkpoint(stream_id, lag.checkpoint(self._prefix)))

    # --- Ear ---

    def media(self, payload: bytes) -> None:
        """What the caller says, in frames of any length."""
        if self._input is not None and self._state == "connected":
            self._input.push(payload, self._now())

    def digits(self, digits: str) -> None:
        """A key was pressed."""
        if self._kept is not None:
            self._kept.key(self._track, digits)
        self._port.emit(DigitPressed(digits))

    def played(self, name: str) -> None:
        """A checkpoint was reached; others' are no concern of ours."""
        self._lag.played(name)

    def interrupted(self, cause: str) -> None:
        """The connection is lost; whoever admitted the call decides how long to wait for it."""
        if self._state != "closed":
            if self._kept is not None:
                self._kept.link("lost")
            self._state = "interrupted"
            self._port.emit(LegInterrupted(cause))

    def hung_up(self, cause: str) -> None:
        """The call is over."""
        if self._state != "closed":
            self._state = "closed"
            self._end_capture(cause)
            self._port.emit(LegClosed(cause))

    # --- inside ---

    @property
    def _context(self) -> dict[str, str]:
        return {"room": self._port.room_id, "participant": self._port.participant_id, "leg": self.kind}

    def _keep(self, capturing: Capturing, opened: AudioInput) -> None:
        """Have the call captured, if that is asked for: what comes in, and what the mixer makes of it."""
        kept = capturing.begin(
            self._capture_order, "call", self._link.start, self._port, phase=opened.phase, track=self._track
        )
        if kept is not None:
            self._kept = kept
            self._input = CapturedInput(kept, opened, self._track)
            own = SoloSource(self._port.participant_id)
            self._port.open_frame_output(OWN, own, self._format, OwnTap(kept))
            kept.link("opened")

    def _end_capture(self, reason: str) -> None:
        if self._kept is not None:
            facts = {"frames_out": float(self.frames_out), "congested": float(self.congested)}
            self._kept.end(reason, facts={**facts})

    def _begin(self) -> None:
        self._state = "connected"
        self._port.emit(LegConnected())
        self._link.attach(self._track, self)


class PlivoLegs:
    """Makes links for sockets and legs for links; a `bridge.core.ports.LegFactory`.

    `now` is the clock that the mixer's ticks go by.
    """

    def __init__(
        self,
        settings: PlivoLegSettings | None = None,
        now: Callable[[], float] = time.monotonic,
        capturing: Capturing | None = None,
    ) -> None:
        self._capturing = capturing
        self._settings = settings or PlivoLegSettings()
        self._now = now
        self._totals = PlivoFigures()

    def __call__(self, port: LegPort, spec: LegSpec) -> PlivoLeg:
        """A leg for one track of a call, not started yet."""
        if not isinstance(spec, CallTrack):
            raise TypeError("a Plivo leg needs a call's track")
        return PlivoLeg(port, spec, self._settings, self._now, self._capturing)

    def new_link(self, admit: Admit, over: Over) -> PlivoLink:
        """The receiver for a new socket; see `PlivoLink`."""
        return PlivoLink(admit, over, self._settings.link, self._totals)

    def figures(self) -> PlivoFigures:
        """Counters of all calls since the start."""
        return self._totals


def _plivo_link(link: CallLink) -> PlivoLink:
    if not isinstance(link, PlivoLink):
        raise TypeError("not a Plivo call's link")
    return link
