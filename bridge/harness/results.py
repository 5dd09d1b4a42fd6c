"""What a test of a voice bot found out, as values: one call, and a whole run. Ready for JSON (msgspec).

Times are in ms from the call's first 20 ms, where nothing else is said. The caller's ear is behind the
playout: what has arrived and is not yet played has not been heard.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bridge.turns.report import TurnReport

EndReason = Literal[
    "caller hung up",
    "bot hung up",
    "bot closed",
    "bot failed",
    "connection lost",
    "connect failed",
    "cancelled",
]
"""`bot hung up`: by the REST API or by its XML; `bot closed`: its socket; `bot failed`: in error."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened in a call, for its timeline."""

    at_ms: int
    """From the call's first 20 ms on."""
    kind: str
    """`mark`, `played`, `clear`, `cleared`, `digit`, `fault`, `step`, `violation`, …"""
    text: str = ""
    """The name of a checkpoint, a rule, a step …"""


@dataclass(frozen=True, slots=True)
class Response:
    """From the caller's last speech to the bot's first."""

    asked_ms: int
    """When the caller ceased to speak."""
    heard_ms: int | None
    """Delay until the bot was heard, after playout; None: it never was."""
    arrived_ms: int | None
    """Delay until its first sounding audio arrived."""


@dataclass(frozen=True, slots=True)
class BargeIn:
    """The caller began to speak while the bot sounded."""

    at_ms: int
    """When the caller began to speak."""
    clear_ms: int | None
    """Delay until the bot's `clearAudio` came; None: none did."""
    silence_ms: int | None
    """Delay until the bot was not heard any more; None: it went on."""


@dataclass(frozen=True, slots=True)
class CallResult:
    """One call."""

    number: int
    """From 1, in the order in which the calls were begun."""
    call_id: str
    """As the bot was told it in `start`."""
    scenario: str
    """Its name; empty where there is none."""
    started_at: float
    """Unix seconds."""
    duration_ms: int
    """From dialling to the end."""
    end: EndReason
    """`bot hung up`: not by its socket; `bot closed`: its socket, in order; `bot failed`: with an error code;
    `cancelled`: the run was ended, and nobody judges the call."""
    end_detail: str = ""
    """The code and reason of the close, or how the bot hung up."""
    answer_ms: float | None = None
    """Until the answer URL's XML was there; None: there was none, or none was asked for."""
    connect_ms: float | None = None
    """Until the service had answered the handshake; None: it never did."""
    first_audio_ms: float | None = None
    """Until the first sounding audio arrived."""
    first_heard_ms: float | None = None
    """Until it was heard, after playout."""
    responses: list[Response] = field(default_factory=list)
    """One for every time that an answer was due."""
    barge_ins: list[BargeIn] = field(default_factory=list)
    """One for every time that the caller spoke over the bot, but for signs of attention."""
    turns: TurnReport | None = None
    """As for live streams (docs/turns.md), at the caller's ear."""
    gaps: int = 0
    """Times the bot's sound paused in mid-speech because nothing had arrived."""
    gap_ms: int = 0
    """All of those together."""
    violations: dict[str, int] = field(default_factory=dict)
    """Broken rules of the protocol, by name (rules.py)."""
    conduct: dict[str, int] = field(default_factory=dict)
    """Rules of talking with people that were broken, by name (rules.py)."""
    checkpoints: int = 0
    """Of the bot's, that could be understood."""
    checkpoints_played: int = 0
    """Those that the caller heard, and that were acknowledged."""
    checkpoints_cleared: int = 0
    """Those that a clear took back. What is left had not been reached when the call or connection ended."""
    bytes_in: int = 0
    """Of the bot's messages, without what the WebSocket adds."""
    bytes_out: int = 0
    """Of the caller's."""
    late_ms: float = 0.0
    """The worst delay of one of the caller's own 20 ms."""
    failures: list[str] = field(default_factory=list)
    """What was expected and did not hold; empty: the call passed."""
    remarks: list[str] = field(default_factory=list)
    """What the bot asked for that the harness cannot do, or does otherwise than the vendor."""
    timeline: list[Moment] = field(default_factory=list)
    """What happened, in order of time; at most 2,000 moments."""
    caller_levels: list[int] = field(default_factory=list)
    """Of every 20 ms, dBov -127…0."""
    bot_levels: list[int] = field(default_factory=list)
    """The same, at the caller's ear."""
    caller_speech: list[tuple[int, int]] = field(default_factory=list)
    """Utterances (docs/turns.md) as (from, to); of one side they touch only at a cut."""
    bot_speech: list[tuple[int, int]] = field(default_factory=list)
    """The same, at the caller's ear; a clear ends one."""
    wav: str | None = None
    """Both sides in stereo (left: the caller), relative to the report."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """What was asked of a run."""

    text: str
    """As it was written: `response_p95<800ms`."""
    value: float | None
    """What was found; None: there was nothing to measure."""
    passed: bool
    """Whether it was met; what cannot be measured is not."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """A whole run."""

    target: str
    """Without its query."""
    started_at: float
    """Unix seconds."""
    duration_ms: int
    """All of the run, with the last call's end."""
    calls: list[CallResult]
    """In the order in which they were begun."""
    thresholds: list[Threshold] = field(default_factory=list)
    """Those of the command line and of the scenario."""
    valid: bool = True
    """False: the harness itself was late, and nothing it measured can be trusted."""
    invalid_because: str = ""
    """A sentence."""
    interrupted: bool = False
    """It was ended before all of its calls were through."""
    settings: dict[str, str] = field(default_factory=dict)
    """How it was run, for people to read."""
    seed: int = 0
    """For all that was drawn by lot."""

    @property
    def passed(self) -> bool:
        """Valid, gone through to its end, every threshold met, and no call failed."""
        return (
            self.valid
            and not self.interrupted
            and all(threshold.passed for threshold in self.thresholds)
            and not any(call.failures for call in self.calls)
        )
