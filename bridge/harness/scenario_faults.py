"""What can go wrong between a simulated caller and the service, as values. faults.py does it.

Times are of the call and rounded to its 20 ms. What is drawn by lot is drawn from the scenario's seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bridge.harness.scenario_kinds import Count, Duration, Flag, Listing, Share, Word, setting

CALL_TIME = Duration(0, 24 * 3_600_000)

MALFORMED = (
    "not_json",
    "cut_short",
    "not_utf8",
    "binary",
    "no_event",
    "unknown_event",
    "wrong_types",
    "no_payload",
    "bad_base64",
    "half_a_sample",
    "deep",
    "long",
)
"""Ways to be malformed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From when to when in the call."""

    from_ms: int = setting(CALL_TIME, "From when in the call.", default=0)
    to_ms: int | None = setting(CALL_TIME, "Until when; to its end if it is not said.")

    def __post_init__(self) -> None:
        if self.to_ms is not None and self.to_ms <= self.from_ms:
            raise ValueError("`to` must be after `from`")

    def covers(self, at_ms: int) -> bool:
        """Whether it is on at that time of the call."""
        return self.from_ms <= at_ms and (self.to_ms is None or at_ms < self.to_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Jitter(Span):
    """Holds each message up for a time drawn by lot; what waits behind a late one comes together with it."""

    SHORT: ClassVar[str] = "up_to"

    up_to_ms: int = setting(Duration(20, 10_000), "The most a message is held up.", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss(Span):
    """Frames of sound that are never sent; their numbers are missing."""

    SHORT: ClassVar[str] = "chance"

    chance: float = setting(Share(), "Of each frame, that a loss begins with it.", required=True)
    burst: int = setting(Count(1, 500), "How many are lost in a row each time.", default=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reordering(Span):
    """Frames of sound that are overtaken by those after them."""

    SHORT: ClassVar[str] = "chance"

    chance: float = setting(Share(), "Of each frame.", required=True)
    by: int = setting(Count(1, 50), "How many frames overtake it.", default=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redial:
    """Loses the connection without a word, and connects the same call again."""

    SHORT: ClassVar[str] = "at"

    at_ms: int = setting(CALL_TIME, "When.", required=True)
    after_ms: int = setting(Duration(0, 60_000), "How long the line is dead.", default=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowReading(Span):
    """Takes what the service sends at a slow pace, so that it backs up."""

    SHORT: ClassVar[str] = "messages_per_s"

    messages_per_s: int = setting(Count(0, 1_000), "The pace; 0: nothing is read at all.", default=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateStart:
    """Says `start` late on each connection."""

    SHORT: ClassVar[str] = "by"

    by_ms: int = setting(Duration(20, 60_000), "How late.", required=True)
    media_first: bool = setting(Flag(), "Whether sound is sent before it; else it is lost.", default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed(Span):
    """Messages that make no sense, between those that do."""

    SHORT: ClassVar[str] = "chance"

    chance: float = setting(Share(), "In each 20 ms.", required=True)
    kinds: tuple[str, ...] = setting(
        Listing(Word(MALFORMED), 50),
        "Which ones; all but not_utf8, for which services close the connection, if it is not said.",
        default=tuple(kind for kind in MALFORMED if kind != "not_utf8"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherCodec(Span):
    """Sound in another codec than `start` announced."""

    SHORT: ClassVar[str] = "sent"

    sent: str = setting(Word(("l16-16k", "l16-8k", "mulaw-8k")), "What is sent in truth.", required=True)


Fault = Jitter | Loss | Reordering | Redial | SlowReading | LateStart | Malformed | OtherCodec

FAULTS: dict[str, type] = {
    "jitter": Jitter,
    "loss": Loss,
    "reordering": Reordering,
    "redial": Redial,
    "slow_reading": SlowReading,
    "late_start": LateStart,
    "malformed": Malformed,
    "other_codec": OtherCodec,
}
"""By their names in a file."""
