"""Whether the harness itself kept time, without which none of its figures can be trusted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LateLimits:
    """Beyond these a run is invalid."""

    late_s: float = 0.020
    """A tick is late when it is off by more: then a figure may be off by more than one tick."""
    late_share: float = 0.01
    """At most so many of all ticks may be late."""
    worst_s: float = 0.100
    """And none by more than this."""


class Lateness:
    """Told of every tick of every call."""

    def __init__(self, limits: LateLimits | None = None) -> None:
        self._limits = limits or LateLimits()
        self.ticks = 0
        self.late = 0
        self.worst_s = 0.0

    def note(self, late_s: float) -> None:
        """One tick ran so long after its time."""
        self.ticks += 1
        if late_s > self._limits.late_s:
            self.late += 1
        if late_s > self.worst_s:
            self.worst_s = late_s

    @property
    def problem(self) -> str:
        """Why the run is invalid; empty when it is not."""
        limits = self._limits
        if self.worst_s > limits.worst_s:
            return (
                f"The harness itself was {self.worst_s * 1000:.0f} ms late; more than "
                f"{limits.worst_s * 1000:.0f} ms is too much to trust what it measured."
            )
        if self.ticks and self.late > limits.late_share * self.ticks:
            return (
                f"The harness itself was more than {limits.late_s * 1000:.0f} ms late "
                f"{100 * self.late / self.ticks:.1f} % of the time; {100 * limits.late_share:g} % is allowed."
            )
        return ""

    def __str__(self) -> str:
        share = 100 * self.late / self.ticks if self.ticks else 0.0
        over = round(self._limits.late_s * 1000)
        return f"worst {self.worst_s * 1000:.0f} ms, {share:.2f} % of ticks over {over} ms"
