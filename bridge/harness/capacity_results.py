"""How many calls at once a bot can hold, as values: a step, a whole search; ready for JSON (msgspec)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bridge.harness.results import Threshold

StepVerdict = Literal["held", "broke", "harness late", "interrupted"]
"""`held`: every call passed and every threshold was met; `harness late`: nothing can be said of the bot."""


@dataclass(frozen=True, slots=True)
class CapacityStep:
    """So many calls at once, and what came of them. Figures are None where there was nothing to measure."""

    calls: int
    """At once."""
    verdict: StepVerdict
    """Whether they held; of a step in which the harness was late nothing can be said."""
    because: str
    """What broke, in a sentence; empty for a step that held."""
    started_at: float
    """Unix seconds."""
    duration_ms: int
    """All of the step."""
    failed_calls: int
    """Those with a failure."""
    thresholds: list[Threshold]
    """What was asked of the step."""
    connect_p95_ms: float | None
    """Until the service had answered the handshake."""
    response_p50_ms: float | None
    """Heard, after playout; of the answers that came."""
    response_p95_ms: float | None
    """The same, the 95th percentile."""
    response_max_ms: float | None
    """The same, the slowest."""
    unanswered: int
    """Answers that were due and never heard."""
    barge_in_clear_p95_ms: float | None
    """From the caller's first speech over the bot to its `clearAudio`."""
    late_ms: float
    """The worst delay of the harness itself."""
    report: str | None = None
    """The folder with the step's own report, relative to this one's."""


CapacityEnd = Literal["found", "harness late", "limit", "interrupted"]
"""Why the search was over. `limit`: no step broke up to the most calls that were to be tried."""


@dataclass(frozen=True, slots=True)
class CapacityResult:
    """How many calls at once a bot can hold: steps of more and more calls, until something broke."""

    target: str
    """Without its query."""
    started_at: float
    """Unix seconds."""
    duration_ms: int
    """All of the search."""
    steps: list[CapacityStep]
    """In the order in which they were made: upwards, then between the last good and the first bad one."""
    ended: CapacityEnd
    """Why it was over; `limit`: nothing broke up to the most calls that were to be tried."""
    held: int
    """The most calls that held, below all that broke; 0: none did."""
    broke: int | None
    """The fewest calls that broke; None: none did."""
    harness_late_at: int | None
    """The fewest calls at which the harness itself was late; None: it never was."""
    at_least: int = 1
    """What was asked for."""
    precision: float = 0.0
    """Found: `broke` and `held` are at most this share of `held` apart, or one call."""
    settings: dict[str, str] = field(default_factory=dict)
    """How it was run, for people to read."""
    seed: int = 0
    """For all that was drawn by lot."""

    @property
    def passed(self) -> bool:
        """As many calls held as were asked for."""
        return self.held >= self.at_least

    @property
    def valid(self) -> bool:
        """Whether that can be told: the harness kept time until as many had held, or fewer had broken."""
        return self.passed or (self.broke is not None and self.broke <= self.at_least)
