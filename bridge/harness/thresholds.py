"""What a run is to meet, written as `response_p95<800ms`: read, and judged.

A threshold is NAME, optionally `_` and min, p1…p99, p99.9, mean or max, then <, <=, >, >= or ==, then a
number, with its unit where it has one. Without a statistic every single value has to meet it. What was due
and never happened (no answer, no clear) is slower than any limit; where nothing was due, there is nothing to
measure, and the threshold is not met.
"""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bridge.harness.percentiles import percentile
from bridge.harness.results import CallResult, Threshold
from bridge.harness.rules import ACKNOWLEDGEMENT, CONDUCT, PROTOCOL, RULES

Unit = Literal["ms", "%", ""]
NEVER = math.inf


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that thresholds can be about."""

    name: str
    unit: Unit
    text: str
    read: Callable[[CallResult], Iterable[float]]
    """All of a call's values; NEVER for what was due and did not happen."""


@dataclass(frozen=True, slots=True)
class Total:
    """A number of the whole run."""

    name: str
    unit: Unit
    text: str
    read: Callable[[Sequence[CallResult]], float | None]


def _or_never(value: float | None) -> float:
    return NEVER if value is None else value


def _once(of: Callable[[CallResult], float | None]) -> Callable[[CallResult], Iterable[float]]:
    """One value of every call that was accepted."""
    return lambda call: [_or_never(of(call))] if call.connect_ms is not None else []


def _clears(call: CallResult) -> Iterable[float]:
    # A bot that came to its own end in time had nothing to clear.
    return [
        _or_never(one.clear_ms)
        for one in call.barge_ins
        if one.clear_ms is not None or one.silence_ms is None
    ]


_RESPONSE = "from the caller's last speech to the bot's first, as heard"
_QUANTITIES = (
    Quantity("connect", "ms", "until the bot has accepted the call",
             lambda call: [_or_never(call.connect_ms)] if call.end != "cancelled" else []),
    Quantity("first_audio", "ms", "until the bot's first sound has arrived",
             _once(lambda call: call.first_audio_ms)),
    Quantity("first_heard", "ms", "until the bot is first heard", _once(lambda c: c.first_heard_ms)),
    Quantity("response", "ms", _RESPONSE, lambda call: [_or_never(one.heard_ms) for one in call.responses]),
    Quantity("response_arrived", "ms", "the same until it has arrived, before playout",
             lambda call: [_or_never(one.arrived_ms) for one in call.responses]),
    Quantity("barge_in", "ms", "from the caller's speech over the bot until the bot is silent",
             lambda call: [_or_never(one.silence_ms) for one in call.barge_ins]),
    Quantity("barge_in_clear", "ms", "from the caller's speech over the bot until its clearAudio", _clears),
    Quantity("overtalk", "%", "of a call's speech, how much both sides said at once",
             lambda call: [100 * call.turns.overtalk_share] if call.turns else []),
    Quantity("gaps", "", "pauses of the bot's in a call because nothing had arrived",
             _once(lambda call: call.gaps)),
    Quantity("gap_ms", "ms", "all of those in a call together", _once(lambda call: call.gap_ms)),
    Quantity("underruns", "", "gaps of less than 200 ms, which make the bot's speech stutter",
             lambda call: [call.turns.underruns] if call.turns else []),
    Quantity("answer", "ms", "until the answer URL's XML was there",
             lambda call: [] if call.answer_ms is None else [call.answer_ms]),
    Quantity("late", "ms", "the worst delay of the harness itself in a call", lambda call: [call.late_ms]),
)  # fmt: skip


def _share(calls: Sequence[CallResult]) -> float | None:
    return 100 * sum(bool(call.failures) for call in calls) / len(calls) if calls else None


def _broken(name: str) -> Callable[[Sequence[CallResult]], float | None]:
    return lambda calls: sum(call.violations.get(name, 0) + call.conduct.get(name, 0) for call in calls)


_TOTALS = (
    Total("failed", "", "calls that failed", lambda calls: sum(bool(call.failures) for call in calls)),
    Total("failed_share", "%", "calls that failed, of all", _share),
    Total("connect_failed", "", "calls that the bot did not accept",
          lambda calls: sum(call.end == "connect failed" for call in calls)),
    Total("connections_lost", "", "calls that ended without a closing handshake",
          lambda calls: sum(call.end == "connection lost" for call in calls)),
    Total("responses", "", "answers that were heard",
          lambda calls: sum(one.heard_ms is not None for call in calls for one in call.responses)),
    Total("violations", "", "broken rules of the protocol, all together",
          lambda calls: sum(sum(call.violations.values()) for call in calls)),
    Total("acknowledgement_errors", "", "of them, those about what was heard (docs/reports.md)",
          lambda calls: sum(call.violations.get(name, 0) for call in calls for name in ACKNOWLEDGEMENT)),
    *(Total(rule.name, "", f"times: {rule.text}", _broken(rule.name)) for rule in RULES.values()),
)  # fmt: skip
QUANTITIES = {quantity.name: quantity for quantity in _QUANTITIES}
TOTALS = {total.name: total for total in _TOTALS}
SAME = {
    "response_heard": "response",
    "response_delay": "response",
    "barge_in_silence": "barge_in",
    "clear": "barge_in_clear",
    "silence": "barge_in",
    "overtalk_share": "overtalk",
    "gap_time": "gap_ms",
    "gap": "gap_ms",
    "late_ms": "late",
    "lateness": "late",
}
"""Other names for the same."""

_TEXT = re.compile(
    r"\s*(?P<name>[a-z][a-z0-9_]*?)(?:_(?P<of>p\d{1,2}(?:\.\d+)?|min|mean|median|max))?"
    r"\s*(?P<how><=|>=|==|<|>)\s*(?P<limit>\d{1,12}(?:\.\d{1,6})?)\s*(?P<unit>ms|s|%)?\s*"
)
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A threshold, understood."""

    text: str
    what: Quantity | Total
    of: str
    """`p95`, `max` …; `every` where all have to be equal to the limit; empty for a total."""
    how: str
    limit: float
    """In the unit of `what`."""

    def judge(self, calls: Sequence[CallResult]) -> Threshold:
        """What was found, and whether that is good enough."""
        value = self._find(calls)
        met = value is not None and math.isfinite(value) and _COMPARE[self.how](value, self.limit)
        return Threshold(self.text, None if value is None or math.isinf(value) else round(value, 3), met)

    def _find(self, calls: Sequence[CallResult]) -> float | None:
        if isinstance(self.what, Total):
            return self.what.read(calls)
        ordered = sorted(value for call in calls for value in self.what.read(call))
        if not ordered:
            return None
        match self.of:
            case "min":
                return ordered[0]
            case "max":
                return ordered[-1]
            case "every":  # one that is not as it should be, if there is one
                return next((value for value in ordered if value != self.limit), self.limit)
            case "mean":
                return sum(ordered) / len(ordered)
            case _:
                return percentile(ordered, float(self.of.removeprefix("p")) / 100)


def read_threshold(text: str) -> Asked:
    """`response_p95<800ms`, understood. Raises ValueError that says what is wrong and what is known."""
    found = _TEXT.fullmatch(text.lower())
    if found is None:
        raise ValueError(f"{text} is no threshold such as response_p95<800ms or failed<1")
    name = SAME.get(found["name"], found["name"])
    what = QUANTITIES.get(name) or TOTALS.get(name)
    if what is None:
        near = difflib.get_close_matches(name, [*QUANTITIES, *TOTALS], 1)
        known = f"did you mean {near[0]}?" if near else f"there are {', '.join(QUANTITIES)} and more"
        raise ValueError(f"nothing is called {name} in {text}; {known}")
    of = found["of"] or ""
    if isinstance(what, Total):
        if of:
            raise ValueError(f"{name} in {text} is one number for the whole run and has no {of}")
    else:
        worst = {">": "min", ">=": "min", "==": "every"}.get(found["how"], "max")
        of = {"median": "p50", "": worst}.get(of, of)
        if of == "p0":
            raise ValueError(f"there is no {of} in {text}; say min")
    limit = float(found["limit"])
    given = found["unit"] or ""
    if what.unit == "ms" and given == "s":
        limit *= 1000
    elif given != what.unit:
        units = {"ms": "a time such as 800ms or 0.8s", "%": "a share such as 5%", "": "a plain number"}
        raise ValueError(f"{name} in {text} is {units[what.unit]}")
    return Asked(text.strip(), what, of, found["how"], limit)


def describe() -> str:
    """All names with what they mean, for people."""
    lines = [f"  {'NAME_STATISTIC: of single values':<38} min, p50, p95, p99 …, mean, max"]
    lines += [f"  {one.name:<22} {one.unit:<3} {one.text}" for one in QUANTITIES.values()]
    lines += [f"  {'NAME: of the whole run'}"]
    lines += [f"  {one.name:<22} {one.unit:<3} {one.text}" for one in _TOTALS[: -len(RULES)]]
    names = ", ".join([*CONDUCT, *PROTOCOL])
    return "\n".join([*lines, f"  and how often each rule was broken: {names}"])
