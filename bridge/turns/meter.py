"""Measures the turns of a conversation between callers and a bot: who waits for whom, who talks over whom.

Pure: it is told who sounds from when to when, in ms of sound, and never asks a clock. The words and rules are
those of docs/turns.md; live streams and the test harness measure with the same class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bridge.turns.edges import Edge, EdgeLine
from bridge.turns.report import Measure, TurnReport, TurnSettings
from bridge.turns.tally import Tally

_CUT_SPAN_MS = 60
"""A cut and the end of the sound that it cut are this close: three ticks."""
_END_SPAN_MS = 500
"""An end of the bot's sound that is told this much after its queue was empty was when the queue was."""
_BOT = "bot"


@dataclass(slots=True)
class _Barge:
    """Somebody speaks while the bot sounds, and it is not clear yet what comes of it."""

    at_ms: int
    ended_ms: int | None = None

    def brief(self, limit_ms: int) -> bool:
        """Is over, and was shorter than that."""
        return self.ended_ms is not None and self.ended_ms - self.at_ms < limit_ms


class TurnMeter:
    """One conversation. Signals may come in any order that is not off by more than `settings.settle_ms`.

    Each measure is given to `observe` as soon as it is certain; `end` makes the rest certain. Takes a bounded
    amount of memory, however long the conversation is.
    """

    def __init__(
        self,
        start_ms: int,
        settings: TurnSettings | None = None,
        observe: Callable[[Measure], None] | None = None,
    ) -> None:
        self._settings = settings or TurnSettings()
        self._line = EdgeLine(start_ms, settle_ms=self._settings.settle_ms, pause_ms=self._settings.pause_ms)
        self._tally = Tally(start_ms, observe)
        self._ended = False
        self._callers: set[str] = set()
        """Those who sound, by what was said last."""
        self._bot_talking = False
        self._bot_cut: int | None = None
        """When the sound was cut that the bot is still said to make."""
        self._bot_dry: int | None = None
        self._asked: int | None = None
        """When the caller's side ceased to speak, while the bot's answer is awaited."""
        self._barge: _Barge | None = None
        self._bot_over: int | None = None
        """When the bot began over a caller who speaks, while it is not clear yet what that is."""

    # --- what is told ---

    def caller_talking(self, who: str, talking: bool, at_ms: int) -> None:
        """One of those whom the bot hears truly began or ceased to sound at `at_ms`."""
        if self._ended or (who in self._callers) == talking:
            return
        if talking:
            self._callers.add(who)
        else:
            self._callers.discard(who)
        self._line.mark("caller", who, talking, at_ms)
        self._take()

    def bot_talking(self, talking: bool, at_ms: int) -> None:
        """The bot truly began or ceased to sound at `at_ms`."""
        if self._ended or self._bot_talking == talking:
            return
        self._bot_talking = talking
        cut, self._bot_cut = self._bot_cut, None
        if talking:
            self._bot_dry = None
            self._line.mark("bot", _BOT, True, at_ms)
        elif cut is None:
            if self._bot_dry is not None and self._bot_dry < at_ms <= self._bot_dry + _END_SPAN_MS:
                at_ms = self._bot_dry
            self._line.mark("bot", _BOT, False, at_ms)
        elif at_ms > cut + _CUT_SPAN_MS:
            self._tally.unclear += 1
        self._take()

    def bot_cut(self, at_ms: int) -> None:
        """The bot's queue was cleared: whatever it was saying ended at `at_ms`."""
        if self._ended:
            return
        self._tally.cuts += 1
        if not self._bot_talking:
            self._line.call_cut("bot", at_ms, _CUT_SPAN_MS)
        elif self._bot_cut is None:
            self._bot_cut = at_ms
            self._line.mark("bot", _BOT, False, at_ms, cut=True)
        self._take()

    def bot_ended(self, at_ms: int) -> None:
        """All that the bot had queued has been played, at `at_ms` at the latest."""
        if not self._ended:
            self._tally.played += 1
            self._bot_dry = at_ms

    def bot_underrun(self, at_ms: int) -> None:
        """The bot's queue ran dry in the middle of something."""
        if not self._ended:
            self._tally.underrun(at_ms)

    def end(self, at_ms: int) -> None:
        """The conversation is over. What is still open is counted up to here, but not judged."""
        if not self._ended:
            self._ended = True
            self._take(until_ms=at_ms)
            self._tally.overlap_ends(at_ms)

    def report(self) -> TurnReport:
        """The figures: all of them after `end`, before it those that can no longer change."""
        return self._tally.report()

    # --- in true order ---

    def _take(self, until_ms: int | None = None) -> None:
        for edge in self._line.edges(until_ms=until_ms):
            self._pass_time(edge.at_ms)
            if edge.on:
                self._begins(edge)
            else:
                self._ceases(edge)
        self._pass_time(self._line.horizon_ms)

    def _pass_time(self, to_ms: int) -> None:
        barge = self._barge
        if barge is not None and to_ms > barge.at_ms + self._settings.yield_limit_ms:
            self._barge = None
            self._judge_unyielding(barge)
        if self._asked is not None and to_ms > self._asked + self._settings.response_limit_ms:
            self._tally.unanswered(self._asked + self._settings.response_limit_ms)
            self._asked = None
        self._tally.pass_time(to_ms)

    def _begins(self, edge: Edge) -> None:
        at_ms, tally = edge.at_ms, self._tally
        tally.begins(edge.side, at_ms)
        asked, self._asked = self._asked, None
        if tally.side("bot" if edge.side == "caller" else "caller").since is None:
            if edge.side == "bot" and asked is not None:
                tally.answered(at_ms, at_ms - asked)
            tally.takes_floor(edge.side, at_ms)
        elif edge.side == "bot":
            self._bot_over = at_ms
        elif self._barge is None:
            self._barge = _Barge(at_ms)
        elif self._barge.brief(self._settings.backchannel_ms):
            tally.backchannel("caller", at_ms)
            self._barge = _Barge(at_ms)
        else:
            self._barge.ended_ms = None

    def _ceases(self, edge: Edge) -> None:
        self._tally.ceases(edge.side, edge.at_ms)
        if edge.side == "caller":
            self._caller_ceases(edge.at_ms)
        else:
            self._bot_ceases(edge.at_ms, edge.cut)

    def _caller_ceases(self, at_ms: int) -> None:
        if self._tally.bot.since is None:
            self._asked = at_ms
        elif self._barge is not None:
            self._barge.ended_ms = at_ms
        elif self._bot_over is not None:
            over, self._bot_over = at_ms - self._bot_over, None
            if over < self._settings.seam_ms:
                self._tally.answered(at_ms, 0)
            else:
                self._tally.interrupted_by_bot(at_ms)
            self._tally.takes_floor("bot", at_ms)

    def _bot_ceases(self, at_ms: int, cut: bool) -> None:
        barge, self._barge = self._barge, None
        over, self._bot_over = self._bot_over, None
        if barge is not None:
            self._judge(barge, at_ms, cut)
        elif over is not None and at_ms - over < self._settings.backchannel_ms and not cut:
            self._tally.backchannel("bot", at_ms)
        elif over is not None:
            self._tally.interrupted_by_bot(at_ms)
            self._tally.takes_floor("bot", at_ms)
            self._tally.keeps_floor("caller")

    def _judge(self, barge: _Barge, at_ms: int, cut: bool) -> None:
        """The bot has stopped after somebody had begun to speak over it."""
        took = at_ms - barge.at_ms
        if cut:
            self._tally.cut_for(at_ms, took)
            self._asked = barge.ended_ms  # it was stopped for them: it is their words that await an answer
        elif barge.brief(self._settings.backchannel_ms):
            self._tally.backchannel("caller", at_ms)
            return
        elif took >= self._settings.seam_ms:
            self._tally.ran_out(at_ms, took)
        self._tally.takes_floor("caller", at_ms)

    def _judge_unyielding(self, barge: _Barge) -> None:
        limit = self._settings.yield_limit_ms
        if barge.brief(self._settings.backchannel_ms):
            self._tally.backchannel("caller", barge.at_ms + limit)
        else:
            self._tally.not_yielded(barge.at_ms + limit, limit)
            self._tally.takes_floor("caller", barge.at_ms + limit)
