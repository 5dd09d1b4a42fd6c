"""The figures of a run's calls taken together, for its page: percentiles, spread, and what was asked.

Percentiles are of what happened. What was due and never happened (no answer, no clear) is counted beside; a
threshold counts it as slower than any limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.harness.percentiles import percentile
from bridge.harness.results import RunResult, Threshold
from bridge.harness.thresholds import NEVER, QUANTITIES, Asked, Quantity, Unit, read_threshold

_CELLS = 24
_OUTLYING = 2.0
"""What lies further out than so many times the 95th percentile shares one cell, so that it hides nobody."""
_TITLES = {
    "answer": ("Answer URL", "Until its XML was there, of calls that were answered by one."),
    "connect": ("Connect", "Until the service had answered the handshake."),
    "first_audio": ("First audio arrived", "Until the bot’s first sounding audio came."),
    "first_heard": ("First audio heard", "Until the caller heard the bot, after playout."),
    "response": ("Response heard", "From the caller’s last speech to the bot at the caller’s ear."),
    "response_arrived": (
        "Response arrived",
        "From the caller’s last speech to the bot’s first sounding audio, before playout.",
    ),
    "barge_in_clear": (
        "Barge-in to clear",
        "From the caller’s first speech over the bot to the bot’s clearAudio.",
    ),
    "barge_in": (
        "Barge-in to silence",
        "From the caller’s first speech over the bot until the bot was not heard any more.",
    ),
    "overtalk": ("Overtalk", "Share of each call’s sounding time in which both sides sounded."),
    "gaps": ("Gaps", "Times per call that the bot paused in mid-speech because nothing had arrived."),
    "gap_ms": ("Time in gaps", "How long those pauses were together, per call."),
    "underruns": (
        "Underruns",
        "Gaps per call of less than 200 ms: too short for a pause, they make speech stutter.",
    ),
    "late": (
        "Lateness of the harness",
        "The worst delay of one of the caller’s own 20 ms, per call: how far the rest can be trusted.",
    ),
}


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold on one figure, in the figure's unit."""

    text: str
    """As it was written."""
    value: float
    """The limit, in the figure's unit."""
    upper: bool
    """Values should be below it."""
    passed: bool
    """Whether it was met."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often values fell into each cell of `width`, the first of which begins at 0."""

    width: float
    """In the figure's unit."""
    counts: list[int]
    """From the first cell to the last."""
    over: int
    """Those beyond the last cell."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure over all calls. Values are None where nothing was measured."""

    key: str
    """As thresholds name it."""
    title: str
    """For people."""
    about: str
    """What it says, in a sentence."""
    unit: Unit
    """`ms`, `%`, or empty for plain numbers."""
    n: int
    """Values there are."""
    never: int
    """Times that it was due and did not happen."""
    min: float | None
    """The smallest value."""
    mean: float | None
    """The average."""
    p50: float | None
    """The smallest value that at least half of all do not exceed."""
    p90: float | None
    """The same for 90 %."""
    p95: float | None
    """The same for 95 %."""
    p99: float | None
    """The same for 99 %."""
    max: float | None
    """The largest value."""
    histogram: Histogram | None
    """How the values are spread."""
    limits: list[Limit]
    """Thresholds on it."""


def figures(run: RunResult) -> list[Figure]:
    """All figures of a run, in the order in which a call goes."""
    limits = [(threshold, asked) for threshold in run.thresholds if (asked := understood(threshold))]
    asked_for = any(call.answer_ms is not None for call in run.calls)
    return [_figure(QUANTITIES[key], run, limits) for key in _TITLES if key != "answer" or asked_for]


def understood(threshold: Threshold) -> Asked | None:
    """What a threshold is about; None where that cannot be told from its text."""
    try:
        return read_threshold(threshold.text)
    except ValueError:
        return None


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


def _figure(quantity: Quantity, run: RunResult, asked: Sequence[tuple[Threshold, Asked]]) -> Figure:
    due = [value for call in run.calls for value in quantity.read(call)]
    ordered = sorted(float(value) for value in due if math.isfinite(value))
    limits = [
        Limit(threshold.text, one.limit, one.how.startswith("<"), threshold.passed)
        for threshold, one in asked
        if one.what is quantity
    ]
    title, about = _TITLES[quantity.name]
    return Figure(
        quantity.name,
        title,
        about,
        quantity.unit,
        len(ordered),
        sum(value == NEVER for value in due),
        ordered[0] if ordered else None,
        round(sum(ordered) / len(ordered), 3) if ordered else None,
        percentile(ordered, 0.5),
        percentile(ordered, 0.9),
        percentile(ordered, 0.95),
        percentile(ordered, 0.99),
        ordered[-1] if ordered else None,
        histogram(ordered, max((limit.value for limit in limits), default=0.0)),
        limits,
    )


def _round_width(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20 … (or 0.1, 0.2, 0.5 …) that is no less."""
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(width for factor in (1, 2, 5, 10) if (width := factor * power) >= least * (1 - 1e-9))
