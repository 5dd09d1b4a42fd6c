"""A caller without a scenario: says a file, waits for the answer, and so on until it is time to hang up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bridge.core.ports import AudioFormat
from bridge.harness.sound import Loop, Samples
from bridge.harness.speech import SpeechEdges, SpeechLines
from bridge.harness.voice import HeardEvent, Says

ANSWER_LIMIT_MS = 10_500
"""So long is waited for an answer: a little longer than after which there is none."""
AFTERWARDS_MS = 1_000
"""The bot has finished when it has been silent for so long."""
LISTEN_LIMIT_MS = 60_000
"""A bot that does not come to an end is not listened to for longer."""


class Words:
    """A sound cut into 20 ms once, for any number of callers: int16 [n], at the rate of `audio_format`."""

    def __init__(self, sound: Samples, audio_format: AudioFormat) -> None:
        frames = Loop(sound, audio_format.frame_samples, repeat=False)
        self.said: list[Says] = []
        while not frames.over:
            self.said.append(Says(frames.next_frame()))
        self.silence = Says(np.zeros(audio_format.frame_samples, np.int16))


class Talker:
    """Without `hold_s` the call ends when the words have been said and answered; else after that time."""

    def __init__(self, words: Words, hold_s: float | None = None) -> None:
        self._words = words
        self._at = 0
        """How many of the words' 20 ms have been said."""
        self._hold_ticks = None if hold_s is None else max(1, round(hold_s * 50))
        self._bot = SpeechEdges(SpeechLines())
        self._ticks = 0
        self._since_said = 0
        self._silent = 0
        self._answered = False

    def tick(self, heard: Samples, events: Sequence[HeardEvent]) -> Says:
        """The next 20 ms."""
        self._bot.hear(heard)
        self._ticks += 1
        over = self._hold_ticks is not None and self._ticks >= self._hold_ticks
        said = self._words.said
        if self._at < len(said):
            says = said[self._at]
            self._at += 1
        else:
            says = self._words.silence
            over = self._listen() or over
        return replace(says, hangs_up=True) if over else says

    def _listen(self) -> bool:
        """20 ms after the words. Whether it is time to hang up, or the words begin again instead."""
        self._since_said += 1
        self._silent = 0 if self._bot.on else self._silent + 1
        self._answered = self._answered or self._bot.on
        if not self._finished():
            return False
        self._at = self._since_said = self._silent = 0
        self._answered = False
        return self._hold_ticks is None

    def _finished(self) -> bool:
        """Whether the bot has had its say."""
        if self._since_said * 20 >= (LISTEN_LIMIT_MS if self._answered else ANSWER_LIMIT_MS):
            return True
        return self._answered and self._silent * 20 >= AFTERWARDS_MS
