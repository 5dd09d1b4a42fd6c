"""A simulated person who does what they are told while the call goes on. Has no clock, as person.py has none.

Several things can be asked for at once, such as to wait for a clear and for a checkpoint; speaking and keys
take turns, for which whoever asks has to care.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from bridge.core.ports import PTIME_MS
from bridge.harness.clips import Clip, Clips
from bridge.harness.performer import GivenUp, HangsUp, Performer
from bridge.harness.scenario import Background, Speech, Step
from bridge.harness.sound import Samples
from bridge.harness.voice import CheckpointReached, HeardEvent, KeysHeard, QueueCleared, Says

MAX_KEPT = 10_000
"""Checkpoints, clears and keys; a call that has more keeps the newest."""
MAX_HEARD_S = 600
"""Of what is heard, the newest."""


class Prompt:
    """One thing asked for, until it is done or forgotten."""

    def __init__(self, performer: Performer, step: Step, done: Callable[[list[str]], None]) -> None:
        self._unmet: list[str] = []
        self._course = performer.do(step, self._unmet.append)
        self._done = done

    def go_on(self) -> bool:
        """The next 20 ms; False when there is no more to it. Raises HangsUp."""
        try:
            next(self._course)
        except StopIteration:
            self._done(self._unmet)
            return False
        except GivenUp as why:
            self._done([*self._unmet, str(why)])
            return False
        return True


class Prompted:
    """One call's person: a `Voice` that says nothing by itself."""

    def __init__(self, clips: Clips, background: Background | None = None, seed: str = "") -> None:
        """Of `clips`, the rate and what noise needs are used; what is said comes with what is asked for."""
        self._sounds: dict[Speech, Clip] = {}
        own = Clips(clips.rate_hz, self._sounds, clips.noise, clips.speech_rms)
        self._performer = Performer(own, background or Background(), f"{seed}/noise")
        self._prompts: list[Prompt] = []
        self.over = False
        """Set it to hang up after the next 20 ms."""
        self.reached: deque[tuple[int, str]] = deque(maxlen=MAX_KEPT)
        """All checkpoints so far, and when, in ms."""
        self.cleared_ms: deque[int] = deque(maxlen=MAX_KEPT)
        """When the bot took back what it had queued."""
        self.keys_heard = ""
        """All that the bot has played."""
        self._frames: deque[Samples] = deque(maxlen=MAX_HEARD_S * 1000 // PTIME_MS)

    @property
    def now_ms(self) -> int:
        """The time of the call at which the next 20 ms begin."""
        return self._performer.now_ms

    @property
    def utterances(self) -> list[tuple[int, int]]:
        """When the bot was heard, from and to, in ms; the last may go on."""
        return [(one.began_ms, one.ended_ms) for one in self._performer.ear.utterances]

    def heard(self, from_ms: int = 0, to_ms: int | None = None) -> Samples:
        """What sounded in the ear between two times of the call: int16 [n], as far as it is still kept."""
        end = self.now_ms // PTIME_MS
        oldest = end - len(self._frames)
        frames = list(self._frames)
        # The first 20 ms are heard while the second are said.
        first = max(from_ms // PTIME_MS - 1 - oldest, 0)
        last = len(frames) if to_ms is None else max(-(-to_ms // PTIME_MS) - 1 - oldest, 0)
        return np.concatenate([np.zeros(0, np.int16), *frames[first:last]])

    def ask(self, step: Step, done: Callable[[list[str]], None], clip: Clip | None = None) -> Prompt:
        """Begin with `step` at the next 20 ms; `clip` is what a speech says.

        `done` is told once, from within a tick, what did not come true; nothing: all is well.
        """
        if clip is not None and isinstance(step, Speech):
            self._sounds[step] = clip
        prompt = Prompt(self._performer, step, done)
        self._prompts.append(prompt)
        return prompt

    def forget(self, prompt: Prompt) -> None:
        """What was asked for is not wanted any more; nothing, when it is done."""
        if prompt in self._prompts:
            self._prompts.remove(prompt)

    def tick(self, heard: Samples, events: Sequence[HeardEvent]) -> Says:
        """See `Voice.tick`."""
        self._frames.append(heard)
        self._keep(events)
        self._performer.begin(events)
        try:
            for prompt in list(self._prompts):
                if not prompt.go_on():
                    self.forget(prompt)
        except HangsUp:
            self.over = True
        return self._performer.end(heard, events, hangs_up=self.over)

    def _keep(self, events: Sequence[HeardEvent]) -> None:
        for event in events:
            match event:
                case CheckpointReached(name):
                    self.reached.append((self.now_ms, name))
                case QueueCleared():
                    self.cleared_ms.append(self.now_ms + PTIME_MS)
                case KeysHeard(keys):
                    self.keys_heard = (self.keys_heard + keys)[-MAX_KEPT:]
