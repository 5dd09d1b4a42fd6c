"""What all calls of a run come to together: sums and counts, where `report_figures` has percentiles."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bridge.harness.results import CallResult
from bridge.harness.rules import ACKNOWLEDGEMENT

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class RunTotals:
    """Of all calls."""

    calls: int
    """That were begun."""
    failed: int
    """Calls with a failure."""
    ends: dict[str, int]
    """How many calls ended how; the most usual end first."""
    hang_ups: dict[str, int]
    """By what means bots hung up, where they did: `by REST`, …"""
    violations: dict[str, int]
    """Times that each rule of the protocol was broken; the most usual first."""
    conduct: dict[str, int]
    """The same for rules of talking with people."""
    responses: int
    """Answers that were heard."""
    unanswered: int
    """Answers that were due and never heard."""
    barge_ins: int
    """Times that a caller spoke over a bot, but for signs of attention."""
    not_yielded: int
    """Those over which the bot went on."""
    caller_talk_ms: int
    """All utterances of all callers."""
    bot_talk_ms: int
    """The same of the bots."""
    overtalk_ms: int
    """Both sides at once."""
    overtalk_share: float
    """Of the time in which anybody sounded: 0…1."""
    gaps: int
    """Times that bots paused in mid-speech because nothing had arrived."""
    gap_ms: int
    """All of those together."""
    underruns: int
    """Gaps of less than 200 ms."""
    checkpoints: int
    """That bots sent, and that could be understood."""
    checkpoints_played: int
    """Those that were acknowledged."""
    checkpoints_cleared: int
    """Those that clears took back."""
    acknowledgement_errors: int
    """Broken rules about what was heard: sound that a bot takes for heard, and it was not."""
    bytes_in: int
    """Of the bots' messages, without what the WebSocket adds."""
    bytes_out: int
    """Of the callers'."""
    late_ms: float
    """The worst delay of the harness in any call."""

    @property
    def checkpoints_unplayed(self) -> int:
        """Those that had not been reached when the call or its connection ended."""
        return max(0, self.checkpoints - self.checkpoints_played - self.checkpoints_cleared)


def hung_up_by(call: CallResult) -> str:
    """By what means the bot hung up, the same for calls that differ in a number only; empty: it did not."""
    if call.end != "bot hung up":
        return ""
    return _NUMBER.sub("…", re.split("[:;]", call.end_detail, maxsplit=1)[0])


def acknowledgement_errors(violations: dict[str, int]) -> int:
    """Those among broken rules of the protocol."""
    return sum(violations.get(name, 0) for name in ACKNOWLEDGEMENT)


def totals(calls: Iterable[CallResult]) -> RunTotals:
    """Of the calls of a run."""
    calls = list(calls)
    turns = [call.turns for call in calls if call.turns is not None]
    caller_ms, bot_ms = (sum(one.caller.talk_ms for one in turns), sum(one.bot.talk_ms for one in turns))
    overtalk_ms = sum(one.overtalk_ms for one in turns)
    sounding_ms = caller_ms + bot_ms - overtalk_ms
    violations = _counted(call.violations for call in calls)
    return RunTotals(
        calls=len(calls),
        failed=sum(bool(call.failures) for call in calls),
        ends=_counted({call.end: 1} for call in calls),
        hang_ups=_counted({means: 1} for call in calls if (means := hung_up_by(call))),
        violations=violations,
        conduct=_counted(call.conduct for call in calls),
        responses=sum(one.heard_ms is not None for call in calls for one in call.responses),
        unanswered=sum(one.heard_ms is None for call in calls for one in call.responses),
        barge_ins=sum(len(call.barge_ins) for call in calls),
        not_yielded=sum(one.silence_ms is None for call in calls for one in call.barge_ins),
        caller_talk_ms=caller_ms,
        bot_talk_ms=bot_ms,
        overtalk_ms=overtalk_ms,
        overtalk_share=round(overtalk_ms / sounding_ms, 4) if sounding_ms else 0.0,
        gaps=sum(call.gaps for call in calls),
        gap_ms=sum(call.gap_ms for call in calls),
        underruns=sum(one.underruns for one in turns),
        checkpoints=sum(call.checkpoints for call in calls),
        checkpoints_played=sum(call.checkpoints_played for call in calls),
        checkpoints_cleared=sum(call.checkpoints_cleared for call in calls),
        acknowledgement_errors=acknowledgement_errors(violations),
        bytes_in=sum(call.bytes_in for call in calls),
        bytes_out=sum(call.bytes_out for call in calls),
        late_ms=max((call.late_ms for call in calls), default=0.0),
    )


def _counted(some: Iterable[dict[str, int]]) -> dict[str, int]:
    counter: Counter[str] = Counter()
    for one in some:
        counter.update(one)
    return dict(counter.most_common())
