"""A scenario: what a simulated caller does, one step after another, and what goes wrong on the way. Values.

They are made by hand or read from a file (scenario_file.py); docs/scenarios.md tells people what they mean.
Every value is checked when it is made: ValueError says what does not fit together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bridge.errors import ConfigError
from bridge.harness.scenario_faults import FAULTS, Fault
from bridge.harness.scenario_kinds import (
    Choice,
    Count,
    Decibel,
    Duration,
    JsonSchema,
    Listing,
    Section,
    Text,
    Word,
    setting,
)
from bridge.harness.scenario_steps import (
    MAX_STEPS,
    STEPS,
    Backchannel,
    BargeIn,
    Digits,
    Expect,
    HangUp,
    Pause,
    Repeat,
    Say,
    Speech,
    Step,
    WaitForCheckpoint,
    WaitForClear,
    WaitForDigits,
    WaitForHangUp,
    WaitForSilence,
    WaitForSpeech,
    check_size,
)
from bridge.harness.thresholds import read_threshold

__all__ = [
    "Backchannel",
    "Background",
    "BargeIn",
    "CHOICES",
    "Digits",
    "Echo",
    "Expect",
    "HangUp",
    "Noise",
    "Pause",
    "Problem",
    "Repeat",
    "Requirement",
    "STEPS",
    "Say",
    "Scenario",
    "ScenarioError",
    "Speech",
    "Step",
    "WaitForCheckpoint",
    "WaitForClear",
    "WaitForDigits",
    "WaitForHangUp",
    "WaitForSilence",
    "WaitForSpeech",
]


class Requirement:
    """A kind of setting: a threshold, kept as it is written."""

    expected = "a threshold such as response_p95<800ms"

    def read(self, text: str) -> str:
        """Raises ValueError that says what is wrong with it."""
        read_threshold(text)
        return text.strip()

    def schema(self) -> JsonSchema:
        return {"type": "string", "minLength": 1, "maxLength": 200}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a scenario's file; lines and columns count from 1, 0 where there is no place."""

    text: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.text}" if self.line else self.text


class ScenarioError(ConfigError):
    """A scenario that cannot be played; the text names each problem in a line of its own."""

    def __init__(self, problems: list[Problem], source: str = "") -> None:
        self.problems = tuple(problems)
        before = f"{source}: " if source else ""
        super().__init__("\n".join(f"{before}{problem}" for problem in problems))


CHOICES: dict[str, dict[str, type]] = {"step": STEPS, "fault": FAULTS}


# --- what sounds besides ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Noise around the caller, from the call's beginning to its end."""

    SHORT: ClassVar[str] = "colour"

    colour: str = setting(
        Word(("white", "pink")), "Its spectrum: flat, or -3 dB for each octave.", default=""
    )
    file: str = setting(
        Text(1_000, "the name of a sound file, from the scenario's folder"),
        "A recording in its place, over and over.",
        default="",
    )
    snr_db: float = setting(Decibel(-20, 60), "How much louder the caller's speech is.", default=20.0)

    def __post_init__(self) -> None:
        if bool(self.colour) == bool(self.file):
            raise ValueError("say exactly one of `colour` and `file`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """The bot's own sound, which comes back from the caller's room."""

    SHORT: ClassVar[str] = "level"

    level_db: float = setting(Decibel(-80, 0), "How much softer than the bot was heard.", default=-30.0)
    delay_ms: int = setting(Duration(0, 2_000), "How much later.", default=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What is heard on the line besides the caller."""

    noise: Noise | None = setting(Section(Noise), "Noise around the caller.")
    echo: Echo | None = setting(Section(Echo), "The bot's own sound, back from the caller's room.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A whole call, from the caller's side."""

    name: str = setting(Text(100), "For reports; the file's name if it is not said.", default="scenario")
    description: str = setting(Text(2_000), "For people.", default="")
    codec: str = setting(
        Word(("l16-16k", "l16-8k", "mulaw-8k")),
        "The call's; if it is not said, the command line's.",
        default="",
    )
    seed: int = setting(Count(0, 2**31 - 1), "For everything that is drawn by lot.", default=0)
    steps: tuple[Step, ...] = setting(
        Listing(Choice("step"), MAX_STEPS), "What the caller does, one after another.", required=True
    )
    background: Background = setting(
        Section(Background), "What is heard on the line besides.", default=Background()
    )
    faults: tuple[Fault, ...] = setting(
        Listing(Choice("fault"), 50), "What goes wrong between the caller and the service.", default=()
    )
    thresholds: tuple[str, ...] = setting(
        Listing(Requirement(), 50), "What a run with this scenario has to meet.", default=()
    )

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("a scenario needs at least one step")
        check_size(self.steps)
