"""The figures of a run's calls taken together: percentiles, how they are spread, what was asked of them.

A percentile is the smallest value that at least so many percent of all do not exceed, as in docs/turns.md.
What never happened (no answer, no clear, no connection) has no value and is counted beside, not left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bridge.harness.results import CallResult, RunResult, Threshold

Unit = Literal["ms", "%", ""]
Values = Iterable[float | None]

_CELLS = 24
_OUTLYING = 2.0
"""What lies further out than so many times the 95th percentile shares one cell, so that it hides nobody."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold on one figure, in the figure's unit."""

    text: str
    value: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often values fell into each cell of `width`, the first of which begins at 0."""

    width: float
    counts: list[int]
    over: int
    """Those beyond the last cell."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure over all calls. Values are None where nothing was measured."""

    key: str
    title: str
    about: str
    unit: Unit
    n: int
    never: int
    """Times that it was due and did not happen."""
    p50: float | None
    p90: float | None
    p95: float | None
    max: float | None
    histogram: Histogram | None
    limits: list[Limit]


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest of `ordered` (ascending) such that `share` (0…1) of all are not above it."""
    if not ordered:
        return None
    # Rounded first: 0.95 of 20 must be the 19th, whatever the product's last bit says.
    return ordered[max(1, math.ceil(round(share * len(ordered), 9))) - 1]


def histogram(ordered: Sequence[float], reach: float = 0.0) -> Histogram | None:
    """Of values ≥ 0, ascending; it reaches to `reach` at least. None without values."""
    if not ordered:
        return None
    end = max(min(ordered[-1], _OUTLYING * (percentile(ordered, 0.95) or 0.0)), reach * 1.1)
    width = _round_width(end / _CELLS) if end > 0 else 1.0
    counts = [0] * (math.floor(end / width) + 1)
    over = 0
    for value in ordered:
        cell = max(0, math.floor(value / width))
        if cell < len(counts):
            counts[cell] += 1
        else:
            over += 1
    return Histogram(width, counts, over)


def figures(run: RunResult) -> list[Figure]:
    """All figures of a run, in the order in which a call goes."""
    limits = [(threshold, read_limit(threshold.text)) for threshold in run.thresholds]
    return [
        _figure(kind, run.calls, [(limit, asked) for limit, asked in limits if asked is not None])
        for kind in _KINDS
    ]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the text of a threshold says."""

    name: str
    of: str
    """`p95`, `max`, …; empty: the thing itself."""
    value: float
    unit: str
    """`ms`, `s`, `%`, or empty."""


_LIMIT = re.compile(
    r"\s*(?P<name>[a-z][a-z0-9_.]*?)(?:[_.](?P<of>p\d{1,2}(?:\.\d+)?|max|min|mean|median))?"
    r"\s*(?:<=|>=|==|<|>|=)\s*(?P<value>\d{1,12}(?:\.\d{1,6})?)\s*(?P<unit>ms|s|%)?\s*",
    re.IGNORECASE,
)


def read_limit(text: str) -> Asked | None:
    """What `response_p95<800ms` and the like ask for; None where it is not of that form."""
    found = _LIMIT.fullmatch(text)
    if found is None:
        return None
    return Asked(
        found["name"].lower(),
        (found["of"] or "").lower(),
        float(found["value"]),
        (found["unit"] or "").lower(),
    )


# --- which figures there are ---


@dataclass(frozen=True, slots=True)
class _Kind:
    key: str
    title: str
    unit: Unit
    about: str
    read: Callable[[CallResult], Values]
    names: tuple[str, ...] = ()
    """What thresholds call it besides its key."""


def _connect(call: CallResult) -> Values:
    return [call.connect_ms]


def _first_audio(call: CallResult) -> Values:
    return [call.first_audio_ms] if call.connect_ms is not None else []


def _first_heard(call: CallResult) -> Values:
    return [call.first_heard_ms] if call.connect_ms is not None else []


def _heard(call: CallResult) -> Values:
    return (response.heard_ms for response in call.responses)


def _arrived(call: CallResult) -> Values:
    return (response.arrived_ms for response in call.responses)


def _clear(call: CallResult) -> Values:
    return (barge_in.clear_ms for barge_in in call.barge_ins)


def _silence(call: CallResult) -> Values:
    return (barge_in.silence_ms for barge_in in call.barge_ins)


def _overtalk(call: CallResult) -> Values:
    return [100 * call.turns.overtalk_share] if call.turns is not None else []


def _gaps(call: CallResult) -> Values:
    return [call.gaps] if call.connect_ms is not None else []


def _gap_time(call: CallResult) -> Values:
    return [call.gap_ms] if call.connect_ms is not None else []


def _late(call: CallResult) -> Values:
    return [call.late_ms]


_KINDS = (
    _Kind("connect", "Connect", "ms", "Until the service had answered the handshake.", _connect),
    _Kind("first_audio", "First audio arrived", "ms", "Until the bot's first sounding audio came.",
          _first_audio),
    _Kind("first_heard", "First audio heard", "ms", "Until the caller heard the bot, after playout.",
          _first_heard),
    _Kind("response", "Response heard", "ms", "From the caller's last speech to the bot at the caller's ear.",
          _heard, ("response_heard", "response_delay")),
    _Kind("response_arrived", "Response arrived", "ms",
          "From the caller's last speech to the bot's first sounding audio, before playout.", _arrived),
    _Kind("barge_in_clear", "Barge-in to clear", "ms",
          "From the caller's first speech over the bot to the bot's clearAudio.", _clear, ("clear",)),
    _Kind("barge_in_silence", "Barge-in to silence", "ms",
          "From the caller's first speech over the bot until the bot was not heard any more.", _silence,
          ("barge_in", "silence")),
    _Kind("overtalk", "Overtalk", "%", "Share of each call's sounding time in which both sides sounded.",
          _overtalk, ("overtalk_share",)),
    _Kind("gaps", "Gaps", "", "Times per call that the bot paused in mid-speech because nothing had arrived.",
          _gaps),
    _Kind("gap_ms", "Time in gaps", "ms", "How long those pauses were together, per call.", _gap_time,
          ("gap_time", "gap")),
    _Kind("late", "Lateness of the harness", "ms",
          "The worst delay of one of the caller's own 20 ms, per call: how far the rest can be trusted.",
          _late, ("late_ms", "lateness")),
)  # fmt: skip


def _figure(kind: _Kind, calls: Sequence[CallResult], asked: Sequence[tuple[Threshold, Asked]]) -> Figure:
    all_values = [value for call in calls for value in kind.read(call)]
    ordered = sorted(float(value) for value in all_values if value is not None and math.isfinite(value))
    names = (kind.key, *kind.names)
    limits = [
        Limit(threshold.text, _in_unit(one, kind.unit), threshold.passed)
        for threshold, one in asked
        if one.name in names or one.name.removesuffix("_ms") in names
    ]
    return Figure(
        kind.key,
        kind.title,
        kind.about,
        kind.unit,
        len(ordered),
        sum(value is None for value in all_values),
        percentile(ordered, 0.5),
        percentile(ordered, 0.9),
        percentile(ordered, 0.95),
        ordered[-1] if ordered else None,
        histogram(ordered, max((limit.value for limit in limits), default=0.0)),
        limits,
    )


def _in_unit(asked: Asked, unit: Unit) -> float:
    if unit == "ms" and asked.unit == "s":
        return asked.value * 1000
    if unit == "%" and not asked.unit and asked.value <= 1:
        return asked.value * 100  # a share
    return asked.value


def _round_width(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20 … (or 0.1, 0.2, 0.5 …) that is no less."""
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(width for factor in (1, 2, 5, 10) if (width := factor * power) >= least * (1 - 1e-9))
