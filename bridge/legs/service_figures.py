"""The books of streams as numbers: one stream's, and all of a process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.core.ports import StreamLedger


def figures_of(ledger: StreamLedger) -> dict[str, float]:
    """By name, frames of all tracks together; all of them only grow."""
    books = ledger.tracks.values()
    return {
        "captured": float(sum(book.captured for book in books)),
        "delivered": float(sum(book.delivered for book in books)),
        "lost": float(sum(book.lost for book in books)),
        "attempts": float(ledger.attempts),
        "connects": float(ledger.connects),
        "played_ms": ledger.played_ms,
        "refused_ms": ledger.refused_ms,
        "underruns": float(ledger.underruns),
        "converted": float(ledger.converted),
        "checkpoints": float(ledger.checkpoints),
        "clears": float(ledger.clears),
        "digits": float(ledger.digits),
        "malformed": float(ledger.malformed),
    }


@dataclass(frozen=True, slots=True)
class ServiceFigures:
    """All streams since the start."""

    made: int
    states: Mapping[str, int]
    """Streams that live, by state."""
    ends: Mapping[str, int]
    """Streams that ended, by why: a `StreamEnd`, or `closed` by the bridge."""
    totals: Mapping[str, float]
    """As in `figures_of`. `captured = delivered + lost + waiting`."""
    waiting: int
    """Frames that are captured, and neither delivered nor lost."""
