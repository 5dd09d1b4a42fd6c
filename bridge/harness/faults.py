"""A line on which things go wrong, the same ones every time: between a call's writer and its socket. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray

from bridge.core.ports import PTIME_MS, AudioFormat
from bridge.harness.line import LineOrders, MessageKind, Outgoing
from bridge.harness.malformed import malformed
from bridge.harness.results import Moment
from bridge.harness.scenario_faults import (
    Fault,
    Jitter,
    LateStart,
    Loss,
    Malformed,
    OtherCodec,
    Redial,
    Reordering,
    SlowReading,
    Span,
)
from bridge.harness.scenario_kinds import written_ms
from bridge.harness.sound import CODECS, Samples, encode
from mediacodecs.resample import resampler

MAX_OVERTAKEN = 100
"""So many frames are held back at most to be overtaken; one more passes."""
MAX_MOMENTS = 500
"""Of a call; what goes wrong after that is counted only."""
_NEVER_MS = 1 << 60


class FaultyLine:
    """One call's line, in the format that its `start` announces. A `Line`.

    Each fault draws its lots from a seed of its own, so that one more leaves the others as they were.
    """

    def __init__(self, faults: Sequence[Fault], audio_format: AudioFormat, seed: str = "") -> None:
        self.on_moment: Callable[[Moment], None] | None = None
        """Gets what goes wrong, of kind `fault`, in place of `moments`."""
        self.moments: list[Moment] = []
        self.counts: Counter[str] = Counter()
        """How often, by the fault's name."""
        kinds: Counter[type] = Counter()
        self._faults: list[tuple[Fault, Random]] = []
        for fault in faults:
            kinds[type(fault)] += 1
            lots = Random(f"{seed}/{type(fault).__name__}/{kinds[type(fault)]}")
            self._faults.append((fault, lots))
        self._format = audio_format
        self._codecs: dict[str, _Codec] = {}
        self._ticks = 0
        self._away = True
        """No connection is there, or none that has said `start`."""
        self._opens_ms = 0
        """When this connection's `start` goes out."""
        self._media_first = False
        self._lost_in_a_row = 0
        self._overtaken: list[tuple[int, Outgoing]] = []
        """How many frames are still to overtake it."""
        self._early: list[Outgoing] = []
        """What overtakes a late `start`, in this tick."""
        self._waiting: deque[tuple[int, Outgoing]] = deque()
        """When each is due, in order."""
        self._usual = b"{}"
        self._redials = sorted((f for f in faults if isinstance(f, Redial)), key=lambda redial: redial.at_ms)
        self._back_ms = _NEVER_MS
        self._begun: set[int] = set()

    @property
    def _now_ms(self) -> int:
        return self._ticks * PTIME_MS

    # --- what is written ---

    def payload(self, track: str, frame: Samples) -> bytes:
        """Wire audio of int16 [frame_samples], in the announced codec or in another one."""
        for fault, _ in self._faults:
            if isinstance(fault, OtherCodec) and fault.covers(self._now_ms):
                codec = self._codecs.setdefault(track, _Codec(self._format, CODECS[fault.sent]))
                return codec.encode(frame)
        return encode(frame, self._format)

    def put(self, kind: MessageKind, message: bytes) -> None:
        """See `Line.put`."""
        outgoing = Outgoing(message)
        if kind == "start":
            self._open(outgoing)
        elif self._away:
            return
        elif kind == "media":
            self._usual = message
            self._put_frame(outgoing)
        else:
            self._wait(max(self._opens_ms, self._now_ms + self._held_up_ms()), outgoing)

    def _open(self, start: Outgoing) -> None:
        self._away = False
        self._waiting.clear()
        self._overtaken.clear()
        self._opens_ms, self._media_first = self._now_ms, False
        for fault, _ in self._faults:
            if isinstance(fault, LateStart):
                self._opens_ms, self._media_first = self._now_ms + fault.by_ms, fault.media_first
                self._note("late_start", f"start comes {written_ms(fault.by_ms)} late")
        self._waiting.append((self._opens_ms, start))

    def _put_frame(self, frame: Outgoing) -> None:
        if self._now_ms < self._opens_ms:
            if self._media_first:
                self._early.append(frame)
            return
        if self._loses():
            return
        overtaken = self._overtaken
        self._overtaken = []
        by = self._overtaken_by() if len(overtaken) < MAX_OVERTAKEN else 0
        if by:
            self._overtaken.append((by, frame))
        else:
            self._wait(self._now_ms + self._held_up_ms(), frame)
        for left, earlier in overtaken:
            if left > 1 or by:
                self._overtaken.append((left - (not by), earlier))
            else:
                self._wait(self._now_ms, earlier)

    def _wait(self, due_ms: int, outgoing: Outgoing) -> None:
        # As on TCP, nothing overtakes on the way.
        last_ms = self._waiting[-1][0] if self._waiting else 0
        self._waiting.append((max(due_ms, last_ms), outgoing))

    # --- lots ---

    def _loses(self) -> bool:
        if self._lost_in_a_row:
            self._lost_in_a_row -= 1
            self.counts["loss"] += 1
            return True
        for fault, lots in self._faults:
            if isinstance(fault, Loss) and lots.random() < fault.chance and fault.covers(self._now_ms):
                self._lost_in_a_row = fault.burst - 1
                self._note("loss", f"{fault.burst} frames lost" if fault.burst > 1 else "a frame lost")
                return True
        return False

    def _overtaken_by(self) -> int:
        for fault, lots in self._faults:
            if isinstance(fault, Reordering) and lots.random() < fault.chance and fault.covers(self._now_ms):
                self._note("reordering", f"a frame overtaken by {fault.by}")
                return fault.by
        return 0

    def _held_up_ms(self) -> int:
        held_ms = 0.0
        for fault, lots in self._faults:
            if isinstance(fault, Jitter):
                drawn_ms = lots.random() * fault.up_to_ms
                held_ms += drawn_ms if fault.covers(self._now_ms) else 0
        return round(held_ms)

    # --- what happens at the socket ---

    def tick(self) -> LineOrders:
        """See `Line.tick`."""
        now_ms = self._now_ms
        self._tell_spans()
        messages, self._early = self._early, []
        while self._waiting and self._waiting[0][0] <= now_ms:
            messages.append(self._waiting.popleft()[1])
        if not self._away and now_ms >= self._opens_ms:
            messages += self._nonsense()
        drops = self._drops()
        redials = now_ms >= self._back_ms
        if redials:
            self._back_ms = _NEVER_MS
        self._ticks += 1
        return LineOrders(messages, drops, redials, self._reads(now_ms))

    def _nonsense(self) -> list[Outgoing]:
        made = []
        for fault, lots in self._faults:
            if isinstance(fault, Malformed):
                drawn, kind = lots.random(), lots.choice(fault.kinds)
                if drawn < fault.chance and fault.covers(self._now_ms):
                    self._note("malformed", f"a malformed message: {kind}")
                    made.append(malformed(kind, self._usual))
        return made

    def _drops(self) -> bool:
        if self._away or not self._redials or self._now_ms < self._redials[0].at_ms:
            return False
        redial = self._redials.pop(0)
        self._away = True
        self._waiting.clear()
        self._overtaken.clear()
        self._back_ms = self._now_ms + redial.after_ms
        self._note("redial", f"the connection is lost for {written_ms(redial.after_ms)}")
        return True

    def _reads(self, now_ms: int) -> float | None:
        slow = [f.messages_per_s for f, _ in self._faults if isinstance(f, SlowReading) and f.covers(now_ms)]
        return min(slow) * PTIME_MS / 1000 if slow else None

    # --- what is told ---

    def _tell_spans(self) -> None:
        """Faults that go on, once each, when they begin."""
        for at, (fault, _) in enumerate(self._faults):
            if at in self._begun or not isinstance(fault, Span) or not fault.covers(self._now_ms):
                continue
            self._begun.add(at)
            if isinstance(fault, Jitter):
                self._note("jitter", f"messages are held up for up to {written_ms(fault.up_to_ms)}")
            elif isinstance(fault, SlowReading):
                self._note("slow_reading", f"{fault.messages_per_s} messages a second are read")
            elif isinstance(fault, OtherCodec):
                self._note("other_codec", f"sound is sent as {fault.sent}")

    def _note(self, name: str, text: str) -> None:
        self.counts[name] += 1
        moment = Moment(self._now_ms, "fault", text)
        if self.on_moment is not None:
            self.on_moment(moment)
        elif len(self.moments) < MAX_MOMENTS:
            self.moments.append(moment)


class _Codec:
    """Writes frames of one track's format in another one."""

    def __init__(self, announced: AudioFormat, sent: AudioFormat) -> None:
        self._sent = sent
        self._resampler = None
        if announced.rate_hz != sent.rate_hz:
            self._resampler = resampler(announced.rate_hz, sent.rate_hz)
            self._history: NDArray[np.float32] = self._resampler.history(1)

    def encode(self, frame: Samples) -> bytes:
        if self._resampler is None:
            return encode(frame, self._sent)
        resampled = self._resampler.process(frame.astype(np.float32)[None], self._history)[0]
        return encode(np.rint(resampled).clip(-32_768, 32_767).astype(np.int16), self._sent)
