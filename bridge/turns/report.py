"""What is measured of a conversation between callers and a bot, as plain values. Defined in docs/turns.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bridge.spread import Summary

MeasureKind = Literal[
    "turn",
    "first_word",
    "response_delay",
    "unanswered",
    "barge_in",
    "backchannel",
    "bot_interruption",
    "overtalk",
    "underrun",
]


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """Where the lines are drawn. Times in ms. Raises ValueError for what cannot work."""

    pause_ms: int = 200
    """A silence shorter than this within one side's speech is no pause."""
    seam_ms: int = 200
    """Two turns that overlap by less, when one ends and the other begins, interrupt nobody."""
    backchannel_ms: int = 1_000
    """Speech over the other side's, shorter than this and without consequence, is a back-channel."""
    yield_limit_ms: int = 3_000
    """A bot that still sounds so long after somebody has begun to speak has not yielded."""
    response_limit_ms: int = 10_000
    """A caller who has heard nothing for so long was not answered."""
    settle_ms: int = 2_000
    """Ends become known so late at most."""

    def __post_init__(self) -> None:
        if min(self.pause_ms, self.seam_ms, self.backchannel_ms, self.settle_ms) < 0:
            raise ValueError("times must be at least 0 ms")
        if self.yield_limit_ms < self.backchannel_ms or self.response_limit_ms < 1:
            raise ValueError("a bot cannot have failed to yield before it is known that it should")


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing measured, the moment it was certain."""

    kind: MeasureKind
    at_ms: int
    """When it was complete, in ms of sound."""
    ms: int = 0
    """The duration, where it is one."""
    how: str = ""
    """`barge_in`: `cut`, `ran_out` or `not_yielded`; `turn` and `backchannel`: whose (`caller`, `bot`)."""


@dataclass(frozen=True, slots=True)
class SideReport:
    """One side's share."""

    turns: int = 0
    utterances: int = 0
    talk_ms: int = 0
    backchannels: int = 0


@dataclass(frozen=True, slots=True)
class TurnReport:
    """All figures of one conversation; ready for JSON. Times in ms."""

    start_ms: int
    until_ms: int
    """Everything up to here has been counted."""
    first_word_ms: int | None = None
    """From the start to the bot's first sound."""
    caller: SideReport = field(default_factory=SideReport)
    bot: SideReport = field(default_factory=SideReport)
    response_delay: Summary = field(default_factory=Summary)
    unanswered: int = 0
    barge_in: Summary = field(default_factory=Summary)
    """Reaction to barge-ins that the bot yielded to by being cut."""
    barge_in_ran_out: Summary = field(default_factory=Summary)
    """The same where its sound came to an end without a cut."""
    not_yielded: int = 0
    interruptions: int = 0
    """Barge-ins of any outcome."""
    bot_interruptions: int = 0
    """Times that the bot talked over a caller."""
    overtalk: Summary = field(default_factory=Summary)
    """Each stretch in which both sides sounded."""
    overtalk_ms: int = 0
    overtalk_share: float = 0.0
    """Of the time in which anybody sounded, 0…1."""
    longest_silence_ms: int = 0
    played: int = 0
    """Times that all that the bot had queued was played."""
    cuts: int = 0
    """Times that the bot's queue was cleared."""
    underruns: int = 0
    unclear: int = 0
    """Times that the bot sounded so soon after a cut that its beginning could not be told."""
