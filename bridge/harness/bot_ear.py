"""When the bot sounds at the caller's ear: 20 ms frames in, utterances out, as docs/turns.md says. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from bridge.harness.sound import Samples
from mediacodecs.levels import dbov, rms

TALKING_DBOV = -45.0
"""An utterance begins with the first 20 ms above this …"""
QUIET_DBOV = -50.0
"""… and ends after the last 20 ms above this."""
PAUSE_MS = 200
"""A shorter silence lies within an utterance."""
TICK_MS = 20
MAX_UTTERANCES = 10_000


@dataclass(slots=True)
class Utterance:
    """The bot sounded from `began_ms` to `ended_ms`; it may go on."""

    began_ms: int
    ended_ms: int
    cut: bool = False


class BotEar:
    """Hears the bot of one call. `feed` it every 20 ms."""

    def __init__(self) -> None:
        self.sounding = False
        """In the last 20 ms."""
        self.utterances: deque[Utterance] = deque(maxlen=MAX_UTTERANCES)

    @property
    def last_ms(self) -> int:
        """Until when the bot was heard; 0: not yet."""
        return self.utterances[-1].ended_ms if self.utterances else 0

    @property
    def talked_ms(self) -> int:
        """How long its utterance has lasted, while it sounds; else 0."""
        if not self.sounding:
            return 0
        return self.utterances[-1].ended_ms - self.utterances[-1].began_ms

    def feed(self, frame: Samples, at_ms: int) -> None:
        """20 ms that begin at `at_ms`: int16 [n]."""
        self.sounding = level(frame) > (QUIET_DBOV if self.sounding else TALKING_DBOV)
        if not self.sounding:
            return
        last = self.utterances[-1] if self.utterances else None
        if last is None or last.cut or at_ms - last.ended_ms >= PAUSE_MS:
            self.utterances.append(Utterance(at_ms, at_ms + TICK_MS))
        else:
            last.ended_ms = at_ms + TICK_MS

    def cut(self) -> None:
        """The bot took back what it had queued: it has ceased, and what follows is something else."""
        if self.utterances:
            self.utterances[-1].cut = True
        self.sounding = False

    def at(self, at_ms: int) -> Utterance | None:
        """The utterance of that time."""
        return next((one for one in reversed(self.utterances) if one.began_ms <= at_ms < one.ended_ms), None)


def level(frame: Samples) -> float:
    """Of int16 [n], n ≥ 1, in dBov -127…0."""
    if not frame.any():
        return -127.0
    return float(dbov(rms(frame.astype(np.float32))))
