"""What a simulated caller counts, and how its call ended. Values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CallerFigures:
    """What happened during a call."""

    sent: int = 0
    """Media messages."""
    played: int = 0
    """`playAudio` messages."""
    checkpoints: int = 0
    clears: int = 0
    wrong_format: int = 0
    """`playAudio` in another format than the stream's: dropped, or converted where that is allowed."""
    not_understood: int = 0
    unsent: int = 0
    """Messages lost because the service did not read."""
    bytes_in: int = 0
    """In messages, without what the WebSocket adds."""
    bytes_out: int = 0
    redials: int = 0
    late_s: float = 0.0
    """The worst delay of a tick."""


@dataclass(frozen=True, slots=True)
class CallEnd:
    """How a call ended."""

    code: int
    reason: str
    by_service: bool
