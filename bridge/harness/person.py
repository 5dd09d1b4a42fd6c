"""A simulated person who plays a scenario, 20 ms at a time. Has no clock: time is the number of ticks.

The same scenario, seed and sounds heard give the same frames, keys and end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from bridge.core.ports import PTIME_MS
from bridge.harness.bot_ear import BotEar
from bridge.harness.clips import Clips
from bridge.harness.expectations import Hearing, Verdict, judges
from bridge.harness.results import Moment
from bridge.harness.scenario import (
    Backchannel,
    BargeIn,
    Digits,
    Expect,
    HangUp,
    Pause,
    Repeat,
    Say,
    Scenario,
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
"""Steps being done: each item is 20 ms that pass."""


class _GivenUp(Exception):
    """What was waited for did not come."""


class _HangsUp(Exception):
    """The person has had enough."""


class Person:
    """One call's person: a `Voice`. `clips` are those of `scenario`; `seed` tells calls of a run apart.

    With `hold_ms` the steps are begun anew until so much time has passed, and the person hangs up then.
    """

    def __init__(
        self, scenario: Scenario, clips: Clips, seed: str = "", *, hold_ms: int | None = None
    ) -> None:
        self.failures: list[str] = []
        """What was waited for or expected and did not come true."""
        self.on_moment: Callable[[Moment], None] | None = None
        """Gets each step (kind `step`) when it begins, and failures (`failure`), in place of `moments`."""
        self.moments: list[Moment] = []
        self.over = False
        """All steps are done, or the person has given up."""
        self._clips = clips
        self._ticks = 0
        self._ear = BotEar()
        self._hearing = Hearing(self._ear)
        self._checkpoints: deque[str] = deque(maxlen=MAX_PENDING)
        self._keys_heard: deque[str] = deque(maxlen=MAX_PENDING)
        self._clears = 0
        """Since the person last asked for something."""
        self._silence = np.zeros(clips.rate_hz // 50, np.int16)
        self._words = self._silence
        self._keys = ""
        self._around = Surroundings(scenario.background, clips, f"{scenario.seed}/{seed}/noise")
        self._place = ""
        """What the person is doing."""
        self._may_end = False
        """The bot is to end the call."""
        self._steps = scenario.steps
        self._hold_ms = hold_ms
        self._course = self._do(self._steps)

    @property
    def now_ms(self) -> int:
        """The time of the call at which the next 20 ms begin."""
        return self._ticks * PTIME_MS

    def tick(self, heard: Samples, events: Sequence[HeardEvent]) -> Says:
        """See `Voice.tick`. Frame k is said from 20·k ms on and then sent; what plays then is heard next."""
        heard_ms = self.now_ms + PTIME_MS
        for event in events:
            if isinstance(event, QueueCleared):
                self._clears += 1
                self._hearing.cleared(heard_ms)
            elif isinstance(event, KeysHeard):
                self._keys_heard.extend(event.keys)
        self._words, self._keys = self._silence, ""
        self._go_on()
        self._ear.feed(heard, heard_ms)
        self._checkpoints.extend(event.name for event in events if isinstance(event, CheckpointReached))
        self._ticks += 1
        if self._around.silent:
            return Says(self._words, self._keys, self.over)
        return Says(self._around.mix(self._words, heard), self._keys, self.over, self._words)

    def ended(self, how: str) -> None:
        """The call is over: a failure, if the person was not through and had not waited for that."""
        if not self.over and not self._may_end:
            self._fail(f"{self._place or 'the call'}: {how} before the person was through")
        self.over = True

    def _go_on(self) -> None:
        if self._hold_ms is not None and self.now_ms >= self._hold_ms:
            self.over = True
        if self.over:
            return
        try:
            next(self._course)
        except StopIteration:
            self._course = self._do(self._steps)
            self.over = self._hold_ms is None
        except _HangsUp:
            self.over = True
        except _GivenUp as why:
            self._fail(str(why))
            self.over = True

    def _fail(self, text: str) -> None:
        self.failures.append(text)
        self._note("failure", text)

    def _note(self, kind: str, text: str) -> None:
        moment = Moment(self.now_ms, kind, text)
        if self.on_moment is not None:
            self.on_moment(moment)
        else:
            self.moments.append(moment)

    # --- steps ---

    def _do(self, steps: Sequence[Step], before: str = "") -> Course:
        for number, step in enumerate(steps, 1):
            place = f"{before}{number}"
            if isinstance(step, Repeat):
                for time in range(1, step.times + 1):
                    yield from self._do(step.steps, f"{place}[{time}].")
                continue
            self._place = f"step {place}"
            self._note("step", f"{place} {_title(step)}")
            yield from self._do_one(step, f"step {place}")

    def _do_one(self, step: Step, place: str) -> Course:
        match step:
            case BargeIn():
                yield from self._bot_has_talked(step.after_ms, step.within_ms, place)
                yield from self._ask(step)
            case Backchannel():
                yield from self._bot_has_talked(step.after_ms, step.within_ms, place)
                self._hearing.hummed_ms = self.now_ms + round(self._clips.spoken[step].begins_ms)
                yield from self._say(step)
            case Say():
                yield from self._ask(step)
            case Pause():
                yield from self._pause(step.for_ms)
            case WaitForSpeech():
                yield from self._bot_has_talked(step.for_ms, step.within_ms, place)
            case WaitForSilence():
                yield from self._wait(
                    lambda: self.now_ms - self._ear.last_ms >= step.for_ms,
                    step.within_ms,
                    f"{place}: the bot was not silent for {written_ms(step.for_ms)}",
                )
            case WaitForCheckpoint():
                named = f"the checkpoint “{step.name}”" if step.name else "a checkpoint"
                missing = f"{place}: {named} was not reached"
                yield from self._wait(lambda: self._reached(step.name), step.within_ms, missing)
            case WaitForDigits():
                missing = f"{place}: the bot did not send {len(step.keys) or 'any'} keys that were waited for"
                yield from self._wait(lambda: self._has_heard(step.keys), step.within_ms, missing)
            case WaitForClear():
                missing = f"{place}: the bot did not clear what it had queued"
                yield from self._wait(lambda: self._clears > 0, step.within_ms, missing)
            case WaitForHangUp():
                self._may_end = True
                missing = f"{place}: the bot did not end the call"
                yield from self._wait(lambda: False, step.within_ms, missing)
            case Digits():
                self._begin_anew()
                for key in step.keys:
                    self._keys = key
                    yield from self._pause(step.gap_ms)
            case Expect():
                yield from self._expect(step, place)
            case HangUp():
                raise _HangsUp

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

    def _pause(self, for_ms: int) -> Course:
        until_ms = self.now_ms + for_ms
        while self.now_ms < until_ms:
            yield

    def _wait(self, until: Callable[[], bool], within_ms: int, otherwise: str) -> Course:
        limit_ms = self.now_ms + within_ms
        while not until():
            if self.now_ms >= limit_ms:
                raise _GivenUp(f"{otherwise} within {written_ms(within_ms)}")
            yield

    def _bot_has_talked(self, for_ms: int, within_ms: int, place: str) -> Course:
        yield from self._wait(
            lambda: self._talks_for(for_ms),
            within_ms,
            f"{place}: the bot did not talk" + (f" for {written_ms(for_ms)}" if for_ms > PTIME_MS else ""),
        )

    def _talks_for(self, for_ms: int) -> bool:
        since_ms = self._ear.talks_since()
        return since_ms is not None and self.now_ms - since_ms >= for_ms

    def _expect(self, step: Expect, place: str) -> Course:
        open_ones = judges(step, self._hearing, self.now_ms)
        while open_ones:
            verdicts = [(judge, judge(self.now_ms)) for judge in open_ones]
            for _, verdict in verdicts:
                if isinstance(verdict, str):
                    self._fail(f"{place}: {verdict}")
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


def _title(step: Step) -> str:
    name = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type(step).__name__)
    return f"{name.strip()} {step.title}" if isinstance(step, Speech) else name.strip()
