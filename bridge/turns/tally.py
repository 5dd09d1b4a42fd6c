"""Counts what is found out about a conversation's turns, says it on, and sums it up."""

from __future__ import annotations

from collections.abc import Callable

from bridge.spread import Spread
from bridge.turns.edges import Side
from bridge.turns.report import Measure, MeasureKind, SideReport, TurnReport


class Voices:
    """One side's counters."""

    __slots__ = ("backchannels", "since", "talk_ms", "turns", "utterances")

    def __init__(self) -> None:
        self.since: int | None = None
        """Since when it sounds; None while it does not."""
        self.turns = self.utterances = self.talk_ms = self.backchannels = 0

    def report(self) -> SideReport:
        """The counters as they stand."""
        return SideReport(self.turns, self.utterances, self.talk_ms, self.backchannels)


class Tally:
    """Figures of one conversation. `observe` is called with each measure as it is counted."""

    def __init__(self, start_ms: int, observe: Callable[[Measure], None] | None) -> None:
        self._start = self._now = self._silent_since = start_ms
        self._observe = observe
        self.caller, self.bot = Voices(), Voices()
        self._floor: Side | None = None
        self._first_word: int | None = None
        self._delays, self._reactions, self._ran_out, self._overlaps = Spread(), Spread(), Spread(), Spread()
        self._unanswered = self._not_yielded = self._bot_interruptions = 0
        self._overtalk_ms = self._longest_silence = 0
        self.played = self.cuts = self._underruns = self.unclear = 0

    def side(self, side: Side) -> Voices:
        """The counters of that side."""
        return self.caller if side == "caller" else self.bot

    # --- who sounds ---

    def pass_time(self, to_ms: int) -> None:
        """Count everything as it is now up to `to_ms`."""
        passed = max(0, to_ms - self._now)
        self._now += passed
        speaking = [voices for voices in (self.caller, self.bot) if voices.since is not None]
        for voices in speaking:
            voices.talk_ms += passed
        if len(speaking) == 2:
            self._overtalk_ms += passed
        elif not speaking:
            self._longest_silence = max(self._longest_silence, self._now - self._silent_since)

    def begins(self, side: Side, at_ms: int) -> None:
        """A side begins to sound."""
        voices = self.side(side)
        voices.since = at_ms
        voices.utterances += 1
        if side == "bot" and self._first_word is None:
            self._first_word = at_ms - self._start
            self._tell("first_word", at_ms, self._first_word)

    def ceases(self, side: Side, at_ms: int) -> None:
        """A side ceases to sound."""
        self.overlap_ends(at_ms)
        self.side(side).since = None
        if self.caller.since is None and self.bot.since is None:
            self._silent_since = at_ms

    def overlap_ends(self, at_ms: int) -> None:
        """Nothing happens when not both sides sound."""
        if self.caller.since is not None and self.bot.since is not None:
            lasted = at_ms - max(self.caller.since, self.bot.since)
            self._overlaps.add(lasted)
            self._tell("overtalk", at_ms, lasted)

    # --- what it means ---

    def takes_floor(self, side: Side, at_ms: int) -> None:
        """What this side says is a turn; a new one if the last turn was the other's."""
        if self._floor != side:
            self._floor = side
            self.side(side).turns += 1
            self._tell("turn", at_ms, how=side)

    def keeps_floor(self, side: Side) -> None:
        """The other's turn is over, and this side goes on with its own."""
        self._floor = side

    def answered(self, at_ms: int, delay_ms: int) -> None:
        """The bot responded."""
        self._delays.add(delay_ms)
        self._tell("response_delay", at_ms, delay_ms)

    def unanswered(self, at_ms: int) -> None:
        """It did not."""
        self._unanswered += 1
        self._tell("unanswered", at_ms)

    def cut_for(self, at_ms: int, took_ms: int) -> None:
        """The bot was cut after somebody had begun to speak over it."""
        self._reactions.add(took_ms)
        self._tell("barge_in", at_ms, took_ms, "cut")

    def ran_out(self, at_ms: int, took_ms: int) -> None:
        """Its sound ended without a cut."""
        self._ran_out.add(took_ms)
        self._tell("barge_in", at_ms, took_ms, "ran_out")

    def not_yielded(self, at_ms: int, took_ms: int) -> None:
        """It went on and on."""
        self._not_yielded += 1
        self._tell("barge_in", at_ms, took_ms, "not_yielded")

    def interrupted_by_bot(self, at_ms: int) -> None:
        """The bot talked over a caller."""
        self._bot_interruptions += 1
        self._tell("bot_interruption", at_ms)

    def backchannel(self, side: Side, at_ms: int) -> None:
        """Short speech over the other's that nothing followed from."""
        self.side(side).backchannels += 1
        self._tell("backchannel", at_ms, how=side)

    def underrun(self, at_ms: int) -> None:
        """The bot's queue ran dry in the middle of something."""
        self._underruns += 1
        self._tell("underrun", at_ms)

    def report(self) -> TurnReport:
        """All of it."""
        talk = self.caller.talk_ms + self.bot.talk_ms - self._overtalk_ms
        return TurnReport(
            start_ms=self._start,
            until_ms=self._now,
            first_word_ms=self._first_word,
            caller=self.caller.report(),
            bot=self.bot.report(),
            response_delay=self._delays.summary(),
            unanswered=self._unanswered,
            barge_in=self._reactions.summary(),
            barge_in_ran_out=self._ran_out.summary(),
            not_yielded=self._not_yielded,
            interruptions=self._reactions.n + self._ran_out.n + self._not_yielded,
            bot_interruptions=self._bot_interruptions,
            overtalk=self._overlaps.summary(),
            overtalk_ms=self._overtalk_ms,
            overtalk_share=round(self._overtalk_ms / talk, 4) if talk else 0.0,
            longest_silence_ms=self._longest_silence,
            played=self.played,
            cuts=self.cuts,
            underruns=self._underruns,
            unclear=self.unclear,
        )

    def _tell(self, kind: MeasureKind, at_ms: int, ms: int = 0, how: str = "") -> None:
        if self._observe is not None:
            self._observe(Measure(kind, at_ms, ms, how))
