"""Measures a call at the caller's ear: who sounds when, and what follows from it (docs/turns.md)."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bridge.core.ports import PTIME_MS
from bridge.harness.phone_playout import PhonePlayout
from bridge.harness.results import BargeIn, Response
from bridge.harness.rules import CAUSE_MS
from bridge.harness.sound import Samples
from bridge.harness.speech import (
    SpeechEdges,
    SpeechLines,
    first_sound,
    levels,
    loudness,
    mean_square,
    power_of,
)
from bridge.harness.speech_bands import SpeechBands
from bridge.harness.timeline import Timeline
from bridge.harness.witness import Witness
from bridge.legs.plivo_play_wire import ClearAudio, FromService
from bridge.turns.meter import TurnMeter
from bridge.turns.report import Measure, TurnReport, TurnSettings

GAP_LIMIT_MS = 1_000
"""A pause of the bot's because nothing had arrived that is no longer than this is a gap."""
MAX_LEVELS = 24 * 3600 * 50
"""Levels are kept for a day; who calls for longer does not want to look at them."""
_SETTLE_MS = 2 * PTIME_MS
"""A frame is heard 20 ms after one was said, and both are told together."""
_CUT_SPAN_MS = 60
"""A cut comes no later than this after the silence it made: the meter's own bound."""


class EarWatch(Witness):
    """The caller's 20 ms number k are said from 20·k ms on and then sent; what plays meanwhile is heard next.

    `observe` is told every turn measure as soon as it is certain.
    """

    def __init__(
        self,
        timeline: Timeline,
        playout: PhonePlayout,
        lines: SpeechLines,
        limits: TurnSettings,
        observe: Callable[[Measure], None] | None = None,
    ) -> None:
        self._timeline = timeline
        self._playout = playout
        self._observe = observe
        self._talking = power_of(lines.talking_dbov)
        self._sounding = power_of(lines.quiet_dbov)
        self._settings = replace(limits, pause_ms=lines.pause_ms, settle_ms=_SETTLE_MS)
        self._meter = TurnMeter(0, self._settings, self._measured)
        self.caller, self.bot = SpeechEdges(lines), SpeechEdges(lines)
        self._bands = SpeechBands(lines.pause_ms), SpeechBands(lines.pause_ms)
        self._powers = (array("f"), array("f", [0.0]))
        """Of every 20 ms: the caller's, and the bot's, whose first are heard when the first were said."""
        self._ticks = 0
        self._spoke_ms = -CAUSE_MS
        """When the caller was last heard to speak."""
        self._sent: deque[tuple[int, float]] = deque()
        """Of what is queued: up to which position of the queue, and when it arrived."""
        self._onsets: list[int] = []
        self._onset_arrivals: list[float] = []
        self._clears: deque[float] = deque(maxlen=1_000)
        self._dry_ms: float | None = None
        """How long the queue has been dry, since it ran dry in the middle of sound."""
        self._played_out = True
        self._acknowledged = -1
        """The queue's position at the last checkpoint that was reached."""
        self.first_audio_ms: float | None = None
        self.first_heard_ms: float | None = None
        self.responses: list[Response] = []
        self.barge_ins: list[BargeIn] = []
        self.gaps = 0
        self._gap_ms = 0.0

    # --- Witness ---

    def queued(self, samples: Samples) -> None:
        """Keep when it arrived."""
        now = self._timeline.now_ms()
        self._sent.append((self._playout.end_position, now))
        if self.first_audio_ms is None:
            if first_sound(samples, self._playout.frame_samples, self._talking) is not None:
                self.first_audio_ms = now

    def took(self, what: FromService, message: bytes, is_text: bool) -> None:
        """A clear ends what is heard with the frame that is in the ear now."""
        if not isinstance(what, ClearAudio):
            return
        now = self._timeline.now_ms()
        self._clears.append(now)
        if self._sounds_ahead() and not self.caller.on and now - self._spoke_ms > CAUSE_MS:
            self._timeline.found("cleared_without_cause")
        if self._playout.waiting_ms or self.bot.on:
            self._meter.bot_cut(self.heard_until_ms)
            self._bands[1].cut(self.heard_until_ms)
            self._dry_ms = None
            self._played_out = True

    def reached(self, name: str) -> None:
        """What comes after a checkpoint was not missing before."""
        self._dry_ms = None
        self._acknowledged = self._playout.position

    def ticked(self, said: Samples, speech: Samples, heard: Samples, late_s: float) -> None:
        """Measure 20 ms of both sides."""
        said_ms = PTIME_MS * self._ticks
        heard_ms = said_ms + PTIME_MS
        self._ticks += 1
        caller, bot, playout, sent = self.caller, self.bot, self._playout, self._sent
        heard_power = loudness(heard)
        change = caller.hear(speech)
        if self._ticks <= MAX_LEVELS:
            self._powers[0].append(caller.power if speech is said else mean_square(said))
            self._powers[1].append(heard_power)
        if change is not None:
            self._meter.caller_talking("caller", change, said_ms)
            self._bands[0].take(change, said_ms)
        if caller.on:
            self._spoke_ms = heard_ms
        filled = playout.filled
        if filled < playout.frame_samples or self._dry_ms is not None:
            self._look_for_gap(filled, heard, heard_ms)
        else:
            self._played_out = False
        change = bot.take(heard_power)
        if change is not None:
            if change:
                self._bot_begins(heard, filled, heard_ms)
            self._meter.bot_talking(change, heard_ms)
        self._bands[1].take(bot.on, heard_ms)
        while sent and sent[0][0] <= playout.position:
            sent.popleft()

    # --- for those who ask ---

    @property
    def heard_until_ms(self) -> int:
        """The end of the 20 ms that are in the ear."""
        return PTIME_MS * (self._ticks + 1)

    @property
    def gap_ms(self) -> int:
        """All gaps together."""
        return round(self._gap_ms)

    @property
    def in_mid_phrase(self) -> bool:
        """Whether the bot is heard, or more of its speech waits; not once it knows that all was heard."""
        knows = self._acknowledged == self._playout.end_position
        return not knows and (self.bot.on or self._sounds_ahead())

    def levels(self) -> tuple[list[int], list[int]]:
        """The caller's and the bot's, of every 20 ms, in dBov."""
        said, heard = (levels(np.frombuffer(powers, np.float32)) for powers in self._powers)
        return said, heard

    def speech(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The caller's utterances and the bot's so far, as (from, to) in ms."""
        said, heard = self._bands
        return said.until(PTIME_MS * self._ticks), heard.until(self.heard_until_ms)

    def end(self) -> TurnReport:
        """The call is over; everything is certain now."""
        self._meter.end(self.heard_until_ms)
        return self._meter.report()

    # --- inside ---

    def _sounds_ahead(self) -> bool:
        frame_samples = self._playout.frame_samples
        return any(
            first_sound(piece, frame_samples, self._talking) is not None for piece in self._playout.pieces
        )

    def _bot_begins(self, heard: Samples, filled: int, heard_ms: int) -> None:
        if self.first_heard_ms is None:
            self.first_heard_ms = float(heard_ms)
        # The message that the loudest sample of the onset came in.
        position = self._playout.position - filled + int(np.argmax(np.abs(heard[:filled].astype(np.int32))))
        arrived = next((at_ms for end, at_ms in self._sent if end > position), float(heard_ms))
        self._onsets.append(heard_ms)
        self._onset_arrivals.append(arrived)

    def _look_for_gap(self, filled: int, heard: Samples, heard_ms: int) -> None:
        frame_samples = self._playout.frame_samples
        empty_ms = PTIME_MS * (1 - filled / frame_samples)
        if filled and self._dry_ms is not None:
            if mean_square(heard[:filled]) > self._sounding:
                self._timeline.note("gap", f"{self._dry_ms:.0f} ms", heard_ms - self._dry_ms)
                self.gaps += 1
                self._gap_ms += self._dry_ms
                if self._dry_ms < self._settings.pause_ms:
                    self._meter.bot_underrun(heard_ms)
            self._dry_ms = None
        if filled:
            self._played_out = False
        if not empty_ms:
            return
        if self._dry_ms is not None:
            self._dry_ms += empty_ms
            if self._dry_ms > GAP_LIMIT_MS:
                self._dry_ms = None
        elif not self._played_out and (
            self.bot.on if not filled else mean_square(heard[:filled]) > self._sounding
        ):
            self._dry_ms = empty_ms
        if not filled and not self._played_out:
            self._played_out = True
            self._meter.bot_ended(heard_ms)

    def _measured(self, measure: Measure) -> None:
        match measure.kind:
            case "response_delay":
                asked = measure.at_ms - measure.ms
                arrived = self._arrival(measure.at_ms)
                arrived_ms = None if arrived is None else max(0, round(arrived - asked))
                self.responses.append(Response(asked, measure.ms, arrived_ms))
            case "unanswered":
                self.responses.append(Response(measure.at_ms - self._settings.response_limit_ms, None, None))
                self._timeline.found("unanswered", measure.at_ms)
            case "barge_in":
                self._barged_in(measure)
            case "bot_interruption":
                self._timeline.found("talked_over", measure.at_ms)
            case _:
                pass
        if self._observe is not None:
            self._observe(measure)

    def _barged_in(self, measure: Measure) -> None:
        began = measure.at_ms - measure.ms
        yielded = measure.how != "not_yielded"
        if not yielded:
            self._timeline.found("not_yielded", measure.at_ms)
        clears = (at - began for at in self._clears if began <= at <= measure.at_ms + _CUT_SPAN_MS)
        clear = next(clears, None)
        self.barge_ins.append(
            BargeIn(began, None if clear is None else round(clear), measure.ms if yielded else None)
        )

    def _arrival(self, heard_ms: int) -> float | None:
        """When the audio arrived that the bot was last heard to begin with, by then."""
        at = bisect_right(self._onsets, heard_ms)
        return self._onset_arrivals[at - 1] if at else None
