"""Does what a simulated person can do, one step after another or several at once, 20 ms at a time.

Who says what is to be done lies around it: a scenario (person.py), or a test that goes on meanwhile
(prompted.py). Has no clock: time is the number of ticks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from bridge.core.ports import PTIME_MS
from bridge.harness.bot_ear import BotEar
from bridge.harness.clips import Clips
from bridge.harness.expectations import Hearing, Verdict, judges
from bridge.harness.scenario import (
    Backchannel,
    Background,
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
)
from bridge.harness.scenario_kinds import written_ms
from bridge.harness.sound import Samples
from bridge.harness.surroundings import Surroundings
from bridge.harness.voice import CheckpointReached, HeardEvent, KeysHeard, QueueCleared, Says

MAX_PENDING = 1_000
"""So many checkpoints, and so many keys, are remembered until somebody waits for them."""

Course = Iterator[None]
"""A step being done: each item is 20 ms that pass."""


class GivenUp(Exception):
    """What was waited for did not come."""


class HangsUp(Exception):
    """The person has had enough."""


class Performer:
    """One call's mouth, ears and fingers. `clips` has what is to be said; `seed` tells calls apart.

    Each tick: `begin`, then the next item of every course that goes on (of those that speak or press keys,
    only one at a time), then `end`.
    """

    def __init__(self, clips: Clips, background: Background, seed: str) -> None:
        self.may_end = False
        """The bot is to end the call."""
        self.ear = BotEar()
        self._clips = clips
        self._ticks = 0
        self._hearing = Hearing(self.ear)
        self._checkpoints: deque[str] = deque(maxlen=MAX_PENDING)
        self._keys_heard: deque[str] = deque(maxlen=MAX_PENDING)
        self._clears = 0
        """Since the person last asked for something."""
        self._silence = np.zeros(clips.rate_hz // 50, np.int16)
        self._words = self._silence
        self._keys = ""
        self._next_key_ms = 0
        self._around = Surroundings(background, clips, seed)

    @property
    def now_ms(self) -> int:
        """The time of the call at which the next 20 ms begin."""
        return self._ticks * PTIME_MS

    def begin(self, events: Sequence[HeardEvent]) -> None:
        """The next 20 ms begin; `events` are those since the last."""
        for event in events:
            if isinstance(event, QueueCleared):
                self._clears += 1
                self._hearing.cleared(self.now_ms + PTIME_MS)
            elif isinstance(event, KeysHeard):
                self._keys_heard.extend(event.keys)
        self._words, self._keys = self._silence, ""

    def end(self, heard: Samples, events: Sequence[HeardEvent], *, hangs_up: bool) -> Says:
        """What is said from now on, and then sent; `heard` plays meanwhile and is heard in the next 20 ms.

        A checkpoint that is told together with 20 ms was reached before they play.
        """
        self.ear.feed(heard, self.now_ms + PTIME_MS)
        self._checkpoints.extend(event.name for event in events if isinstance(event, CheckpointReached))
        self._ticks += 1
        if self._around.silent:
            return Says(self._words, self._keys, hangs_up)
        return Says(self._around.mix(self._words, heard), self._keys, hangs_up, self._words)

    def do(self, step: Step, unmet: Callable[[str], None]) -> Course:
        """One step's course; `unmet` is told what was expected and did not come true.

        Raises GivenUp when what is waited for does not come, HangsUp where the person hangs up, and
        ValueError for steps that hold others.
        """
        match step:
            case BargeIn():
                yield from self._bot_has_talked(step.after_ms, step.within_ms)
                yield from self._ask(step)
            case Backchannel():
                yield from self._bot_has_talked(step.after_ms, step.within_ms)
                self._hearing.hummed_ms = self.now_ms + round(self._clips.spoken[step].begins_ms)
                yield from self._say(step)
            case Say():
                yield from self._ask(step)
            case Pause():
                yield from self._pause(step.for_ms)
            case WaitForSpeech():
                yield from self._bot_has_talked(step.for_ms, step.within_ms)
            case WaitForSilence():
                yield from self._wait(
                    lambda: self.now_ms - self.ear.last_ms >= step.for_ms,
                    step.within_ms,
                    f"the bot was not silent for {written_ms(step.for_ms)}",
                )
            case WaitForCheckpoint():
                named = f"the checkpoint “{step.name}”" if step.name else "a checkpoint"
                yield from self._wait(
                    lambda: self._reached(step.name), step.within_ms, f"{named} was not reached"
                )
            case WaitForDigits():
                missing = f"the bot did not send {len(step.keys) or 'any'} keys that were waited for"
                yield from self._wait(lambda: self._has_heard(step.keys), step.within_ms, missing)
            case WaitForClear():
                missing = "the bot did not clear what it had queued"
                yield from self._wait(lambda: self._clears > 0, step.within_ms, missing)
            case WaitForHangUp():
                self.may_end = True
                yield from self._wait(lambda: False, step.within_ms, "the bot did not end the call")
            case Digits():
                yield from self._press(step)
            case Expect():
                yield from self._expect(step, unmet)
            case HangUp():
                yield from self.rest()
                raise HangsUp
            case Repeat():
                raise ValueError("a repetition is no single step")

    def rest(self) -> Course:
        """Until the last key is long enough ago for whatever ends the call."""
        while self.now_ms < self._next_key_ms:
            yield

    # --- courses ---

    def _ask(self, speech: Speech) -> Course:
        """Say something that the bot is to react to."""
        clip = self._clips.spoken[speech]
        self._begin_anew()
        self._hearing.spoke_ms = self.now_ms + round(clip.begins_ms)
        self._hearing.asked_ms = self.now_ms + round(clip.ends_ms)
        yield from self._say(speech)

    def _say(self, speech: Speech) -> Course:
        samples = self._clips.spoken[speech].samples
        step = len(self._silence)
        for at in range(0, len(samples), step):
            frame = samples[at : at + step]
            self._words = frame if len(frame) == step else np.pad(frame, (0, step - len(frame)))
            yield

    def _press(self, step: Digits) -> Course:
        for number, key in enumerate(step.keys):
            yield from self.rest()
            if not number:
                self._begin_anew()
                self._hearing.spoke_ms = self.now_ms
            self._keys = key
            self._next_key_ms = self.now_ms + step.gap_ms
            self._hearing.asked_ms = self.now_ms

    def _pause(self, for_ms: int) -> Course:
        until_ms = self.now_ms + for_ms
        while self.now_ms < until_ms:
            yield

    def _wait(self, until: Callable[[], bool], within_ms: int, otherwise: str) -> Course:
        limit_ms = self.now_ms + within_ms
        while not until():
            if self.now_ms >= limit_ms:
                raise GivenUp(f"{otherwise} within {written_ms(within_ms)}")
            yield

    def _bot_has_talked(self, for_ms: int, within_ms: int) -> Course:
        missing = "the bot did not talk" + (f" for {written_ms(for_ms)}" if for_ms > PTIME_MS else "")
        yield from self._wait(lambda: self._talks_for(for_ms), within_ms, missing)

    def _talks_for(self, for_ms: int) -> bool:
        since_ms = self.ear.talks_since()
        return since_ms is not None and self.now_ms - since_ms >= for_ms

    def _expect(self, step: Expect, unmet: Callable[[str], None]) -> Course:
        open_ones = judges(step, self._hearing, self.now_ms)
        while open_ones:
            verdicts = [(judge, judge(self.now_ms)) for judge in open_ones]
            for _, verdict in verdicts:
                if isinstance(verdict, str):
                    unmet(verdict)
            open_ones = [judge for judge, verdict in verdicts if verdict is Verdict.OPEN]
            if open_ones:
                yield

    # --- what has come ---

    def _begin_anew(self) -> None:
        """The person asks for something: what came before is no answer to it."""
        self._checkpoints.clear()
        self._keys_heard.clear()
        self._clears = 0

    def _reached(self, name: str) -> bool:
        while self._checkpoints:
            if self._checkpoints.popleft() == name or not name:
                return True
        return False

    def _has_heard(self, keys: str) -> bool:
        """Takes them, and all that came before them."""
        heard = "".join(self._keys_heard)
        at = heard.find(keys)
        if not heard or at < 0:
            return False
        for _ in range(at + max(len(keys), 1)):
            self._keys_heard.popleft()
        return True


def title_of(step: Step) -> str:
    """A step in a few words, for a timeline. Keys are not among them."""
    name = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type(step).__name__)
    return f"{name.strip()} {step.title}" if isinstance(step, Speech) else name.strip()
