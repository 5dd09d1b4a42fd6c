"""How many calls at once a bot can hold: which number to try next, and what a step has shown. Pure."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from bridge.harness.capacity_results import CapacityEnd, CapacityStep, StepVerdict
from bridge.harness.percentiles import percentile
from bridge.harness.results import CallResult, RunResult, Threshold
from bridge.harness.thresholds import NEVER, QUANTITIES, Asked, read_threshold

PRECISION = 0.1
"""The search is over when what broke is at most this share above what held."""
MOST_CALLS = 10_000
TRIES = 2
"""The harness counts as late at some number of calls when it was so often: once may have been an accident."""


class CapacitySearch:
    """Doubles the calls from `start` on until a step breaks, then halves what lies between.

    `next` says how many calls to make, `take` is told what came of it. A step at which the harness itself was
    late is made again; then it bounds the search as a broken one does, but says nothing of the bot.
    Raises ValueError for numbers that leave nothing to search.
    """

    def __init__(
        self, start: int = 1, *, at_least: int | None = None, most: int = MOST_CALLS,
        precision: float = PRECISION,
    ) -> None:  # fmt: skip
        self.at_least = start if at_least is None else at_least
        """What is asked for: is tried itself, when it lies between what held and what broke."""
        if not 1 <= start <= most or not 1 <= self.at_least <= most or precision < 0:
            raise ValueError(
                f"it takes 1 ≤ first step ≤ {most}, 1 ≤ at least ≤ {most} and a precision from 0 on"
            )
        self.precision = precision
        self.held = 0
        self.broke: int | None = None
        self.late_at: int | None = None
        self._start = start
        self._most = most
        self._late: Counter[int] = Counter()
        self._interrupted = False

    @property
    def next(self) -> int | None:
        """How many calls to make now; None: the search is over."""
        if self._interrupted or self.held >= self._most:
            return None
        bound = self._bound
        if bound is None:
            again = max(self._late, default=0)
            if again > self.held:
                return again
            return min(2 * self.held, self._most) if self.held else self._start
        if self.held < self.at_least < bound:
            return self.at_least
        if bound - self.held <= max(1, int(self.precision * self.held)):
            return None
        middle = (self.held + bound) // 2
        return next((calls for calls in self._late if self.held < calls < bound), middle)

    def take(self, calls: int, verdict: StepVerdict) -> None:
        """What came of a step."""
        match verdict:
            case "held":
                self.held = max(self.held, calls)
            case "broke":
                self.broke = calls if self.broke is None else min(self.broke, calls)
            case "interrupted":
                self._interrupted = True
            case "harness late":
                self._late[calls] += 1
                if self._late[calls] >= TRIES:
                    self.late_at = calls if self.late_at is None else min(self.late_at, calls)

    @property
    def ended(self) -> CapacityEnd:
        """Why the search is over."""
        if self._interrupted:
            return "interrupted"
        if self.held >= self._most:
            return "limit"
        return "found" if self._bound == self.broke else "harness late"

    @property
    def _bound(self) -> int | None:
        """The fewest calls above which nothing is tried."""
        known = [calls for calls in (self.broke, self.late_at) if calls is not None]
        return min(known, default=None)


def at_full_load(run: RunResult, hold_s: float, asked: Sequence[Asked]) -> RunResult:
    """The run without what callers waited for while not all of them were there; judged by what is left.

    A run in which nothing would be left stays as it is.
    """
    zeros = {call.number: call.started_at + call.connect_ms / 1000
             for call in run.calls if call.connect_ms is not None}  # fmt: skip
    if not zeros:
        return run
    full_s = max(zeros.values())
    calls = [_between(call, zeros.get(call.number, 0.0), full_s, full_s + hold_s) for call in run.calls]
    if not any(call.responses or call.barge_ins for call in calls):
        return run
    return dataclasses.replace(run, calls=calls, thresholds=[one.judge(calls) for one in asked])


def _between(call: CallResult, zero_s: float, from_s: float, until_s: float) -> CallResult:
    def within(at_ms: int) -> bool:
        return from_s <= zero_s + at_ms / 1000 < until_s

    return dataclasses.replace(
        call,
        responses=[one for one in call.responses if within(one.asked_ms)],
        barge_ins=[one for one in call.barge_ins if within(one.at_ms)],
    )


def step_of(run: RunResult, calls: int, report: str | None = None) -> CapacityStep:
    """What so many calls have shown."""
    failed = sum(bool(call.failures) for call in run.calls)
    late_ms = max((call.late_ms for call in run.calls), default=0.0)
    responses = _happened("response", run.calls)
    return CapacityStep(
        calls=calls,
        verdict=_verdict(run),
        because=_because(run, failed),
        started_at=run.started_at,
        duration_ms=run.duration_ms,
        failed_calls=failed,
        thresholds=run.thresholds,
        connect_p95_ms=percentile(_happened("connect", run.calls), 0.95),
        response_p50_ms=percentile(responses, 0.5),
        response_p95_ms=percentile(responses, 0.95),
        response_max_ms=responses[-1] if responses else None,
        unanswered=sum(one.heard_ms is None for call in run.calls for one in call.responses),
        barge_in_clear_p95_ms=percentile(_happened("barge_in_clear", run.calls), 0.95),
        late_ms=late_ms,
        report=report,
    )


def _happened(name: str, calls: Sequence[CallResult]) -> list[float]:
    values = (value for call in calls for value in QUANTITIES[name].read(call))
    return sorted(value for value in values if value != NEVER)


def _verdict(run: RunResult) -> StepVerdict:
    if run.interrupted:
        return "interrupted"
    if not run.valid:
        return "harness late"
    return "held" if run.passed else "broke"


def _because(run: RunResult, failed: int) -> str:
    if run.interrupted:
        return "It was interrupted."
    if not run.valid:
        return run.invalid_because
    reasons = [_missed(one) for one in run.thresholds if not one.passed]
    if failed:
        names = Counter(call.failures[0].partition(":")[0] for call in run.calls if call.failures)
        reasons.insert(0, f"{failed} of {len(run.calls)} calls failed ({names.most_common(1)[0][0]})")
    return f"{'; '.join(reasons)}." if reasons else ""


def _missed(threshold: Threshold) -> str:
    if threshold.value is not None:
        unit = read_threshold(threshold.text).what.unit
        return f"{threshold.text}: it was {threshold.value:,.6g} {unit}".rstrip()
    return f"{threshold.text}: there was nothing to measure, or so often it never happened"
