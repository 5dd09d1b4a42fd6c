"""What a simulated caller can do: the steps of a scenario. Values; performer.py does them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

from bridge.harness.scenario_kinds import (
    Choice,
    Count,
    Decibel,
    Duration,
    Keys,
    Listing,
    Text,
    Word,
    key_of,
    setting,
)

MAX_STEPS = 1_000
"""In one list."""
MAX_STEPS_DONE = 10_000
"""With every repetition."""
MAX_DEPTH = 4
"""Of repetitions within each other."""
WITHIN = Duration(20, 600_000)
SOME_TIME = Duration(0, 600_000)


# --- what is said ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """Something that the caller says: exactly one of `file`, `text` and `sound`."""

    SHORT: ClassVar[str] = "file"

    file: str = setting(
        Text(1_000, "the name of a sound file, from the scenario's folder"), "A sound file.", default=""
    )
    text: str = setting(Text(5_000), "Words, spoken by espeak-ng, which has to be installed.", default="")
    sound: str = setting(Word(("mm-hm",)), "A sound that the harness has.", default="")
    voice: str = setting(
        Text(50, "a voice of espeak-ng, such as en-us or de+f2,"), "The voice for `text`.", default="en-us"
    )
    from_ms: int = setting(SOME_TIME, "Where in the file to begin.", default=0)
    to_ms: int | None = setting(SOME_TIME, "Where in the file to end.")
    gain_db: float = setting(Decibel(-60, 20), "Softer or louder.", default=0.0)

    def __post_init__(self) -> None:
        if sum(map(bool, (self.file, self.text, self.sound))) != 1:
            raise ValueError("say exactly one of `file`, `text` and `sound`")
        if (self.from_ms or self.to_ms is not None) and not self.file:
            raise ValueError("`from` and `to` are for files")
        if self.to_ms is not None and self.to_ms <= self.from_ms:
            raise ValueError("`to` must be after `from`")
        if self.voice.startswith("-"):
            raise ValueError("a voice does not begin with a hyphen")

    @property
    def title(self) -> str:
        """A few words of it, for people."""
        said = self.file or self.sound or f"“{' '.join(self.text.split())}”"
        return said if len(said) <= 60 else said[:59] + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Say(Speech):
    """Says something, to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BargeIn(Speech):
    """Waits until the bot has talked for a while, and then says something while it goes on talking."""

    after_ms: int = setting(SOME_TIME, "How long the bot has to have talked.", default=500)
    within_ms: int = setting(WITHIN, "How long to wait for that; then the call has failed.", default=10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backchannel(Speech):
    """Waits until the bot has talked for a while, and then makes a short sound of attention."""

    after_ms: int = setting(SOME_TIME, "How long the bot has to have talked.", default=500)
    within_ms: int = setting(WITHIN, "How long to wait for that; then the call has failed.", default=10_000)

    def __post_init__(self) -> None:
        if not (self.file or self.text or self.sound):
            object.__setattr__(self, "sound", "mm-hm")
        Speech.__post_init__(self)


# --- waiting ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Says nothing for a time."""

    SHORT: ClassVar[str] = "for"

    for_ms: int = setting(SOME_TIME, "How long.", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForSpeech:
    """Waits until the bot is heard."""

    SHORT: ClassVar[str] = "within"

    within_ms: int = setting(WITHIN, "How long to wait; then the call has failed.", default=10_000)
    for_ms: int = setting(Duration(20, 60_000), "It has to have talked for so long.", default=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForSilence:
    """Waits until the bot has not been heard for a time."""

    SHORT: ClassVar[str] = "for"

    for_ms: int = setting(Duration(20, 60_000), "Shorter silences are pauses of its speech.", default=700)
    within_ms: int = setting(WITHIN, "How long to wait; then the call has failed.", default=30_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForCheckpoint:
    """Waits until everything before a checkpoint of the bot's has been heard."""

    SHORT: ClassVar[str] = "name"

    name: str = setting(
        Text(500, "the checkpoint's name"), "Its name; any one if it is not said.", default=""
    )
    within_ms: int = setting(WITHIN, "How long to wait; then the call has failed.", default=30_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForDigits:
    """Waits until the bot has sent keys to the caller."""

    SHORT: ClassVar[str] = "keys"

    keys: str = setting(Keys(), "Which; any one if it is not said.", default="", secret=True)
    within_ms: int = setting(WITHIN, "How long to wait; then the call has failed.", default=10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForClear:
    """Waits until the bot has taken back what it had queued (`clearAudio`)."""

    SHORT: ClassVar[str] = "within"

    within_ms: int = setting(WITHIN, "How long to wait; then the call has failed.", default=3_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitForHangUp:
    """Waits until the bot ends the call. When it does so anywhere else, the call has failed."""

    SHORT: ClassVar[str] = "within"

    within_ms: int = setting(WITHIN, "How long to wait; then the call has failed.", default=10_000)


# --- everything else that a caller does ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """Presses keys."""

    SHORT: ClassVar[str] = "keys"

    keys: str = setting(Keys(), "Which.", required=True, secret=True)
    gap_ms: int = setting(Duration(20, 10_000), "From one to the next.", default=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """Notes a failure for each thing that does not come true, and goes on."""

    response_within_ms: int | None = setting(
        WITHIN, "The bot is heard so soon after the caller's last words."
    )
    clear_within_ms: int | None = setting(WITHIN, "A clear comes so soon after the caller barged in.")
    silent_within_ms: int | None = setting(WITHIN, "The bot is silent so soon after the caller barged in.")
    goes_on_for_ms: int | None = setting(
        WITHIN, "The bot still talks so long after a back-channel, or has finished uncut."
    )
    quiet_for_ms: int | None = setting(WITHIN, "The bot is not heard from now on for so long.")

    def __post_init__(self) -> None:
        if all(getattr(self, item.name) is None for item in fields(self)):
            raise ValueError(
                "say what to expect: " + ", ".join(key_of(item.name, item.metadata) for item in fields(self))
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """Ends the call. It ends by itself after the last step, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Does some steps several times."""

    times: int = setting(Count(1, 10_000), "How often.", required=True)
    steps: tuple[Step, ...] = setting(Listing(Choice("step"), MAX_STEPS), "What.", required=True)

    def __post_init__(self) -> None:
        check_size((self,))


Step = (
    Say
    | BargeIn
    | Backchannel
    | Pause
    | WaitForSpeech
    | WaitForSilence
    | WaitForCheckpoint
    | WaitForDigits
    | WaitForClear
    | WaitForHangUp
    | Digits
    | Expect
    | HangUp
    | Repeat
)

STEPS: dict[str, type] = {
    "say": Say,
    "barge_in": BargeIn,
    "backchannel": Backchannel,
    "pause": Pause,
    "wait_for_speech": WaitForSpeech,
    "wait_for_silence": WaitForSilence,
    "wait_for_checkpoint": WaitForCheckpoint,
    "wait_for_digits": WaitForDigits,
    "wait_for_clear": WaitForClear,
    "wait_for_hang_up": WaitForHangUp,
    "digits": Digits,
    "expect": Expect,
    "hang_up": HangUp,
    "repeat": Repeat,
}
"""By their names in a file."""


def check_size(steps: tuple[Step, ...], depth: int = 0) -> int:
    """How many steps are done in all. Raises ValueError when it is too many."""
    if depth > MAX_DEPTH:
        raise ValueError(f"repetitions lie in each other {MAX_DEPTH} deep at most")
    done = 0
    for step in steps:
        done += step.times * check_size(step.steps, depth + 1) if isinstance(step, Repeat) else 1
    if done > MAX_STEPS_DONE:
        raise ValueError(f"{done:,} steps with all repetitions; {MAX_STEPS_DONE:,} are allowed")
    return done
