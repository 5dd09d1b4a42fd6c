"""When the bot sounds at the caller's ear: 20 ms frames in, utterances out, as docs/turns.md says. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from bridge.core.ports import PTIME_MS
from bridge.harness.sound import Samples
from bridge.harness.speech import PAUSE_MS, SpeechEdges, SpeechLines

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
        self.utterances: deque[Utterance] = deque(maxlen=MAX_UTTERANCES)
        self._edges = SpeechEdges(SpeechLines())

    @property
    def last_ms(self) -> int:
        """Until when the bot was heard; 0: not yet."""
        return self.utterances[-1].ended_ms if self.utterances else 0

    def talks_since(self) -> int | None:
        """When the utterance began that sounds now; None when nothing does."""
        return self.utterances[-1].began_ms if self._edges.on else None

    def feed(self, frame: Samples, at_ms: int) -> None:
        """20 ms that begin at `at_ms`: int16 [n]."""
        self._edges.hear(frame)
        if not self._edges.on:
            return
        last = self.utterances[-1] if self.utterances else None
        if last is None or last.cut or at_ms - last.ended_ms >= PAUSE_MS:
            self.utterances.append(Utterance(at_ms, at_ms + PTIME_MS))
        else:
            last.ended_ms = at_ms + PTIME_MS

    def cut(self) -> None:
        """The bot took back what it had queued: it has ceased, and what follows is something else."""
        if self.utterances:
            self.utterances[-1].cut = True
        self._edges = SpeechEdges(SpeechLines())

    def at(self, at_ms: int) -> Utterance | None:
        """The utterance of that time."""
        return next((one for one in reversed(self.utterances) if one.began_ms <= at_ms < one.ended_ms), None)
