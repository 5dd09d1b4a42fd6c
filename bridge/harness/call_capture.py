"""Captures a simulated call so that it can be measured again, to the same result: see `replayed_caller`.

Everything that is measured by is kept in its order: what the service said and when, every 20 ms of the
caller's, and what others noted in the call's timeline. While a call is captured its timeline goes by the
times that are kept, so that both agree to the nanosecond.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.core.ports import CallStart
from bridge.harness.capture_folder import CaptureFolder, KeptCall
from bridge.harness.measured_call import MeasuredCall
from bridge.harness.phone_playout import PhonePlayout
from bridge.harness.plivo_caller import PlivoCaller
from bridge.harness.results import CallResult
from bridge.harness.sound import Samples
from bridge.harness.timeline import Timeline
from bridge.harness.voice import HeardEvent, Says, Voice
from bridge.harness.witness import Witness
from bridge.legs.capture_wire import (
    VERSION,
    Facts,
    Frame,
    Head,
    Key,
    Link,
    Media,
    Message,
    Note,
    Record,
    Tick,
)
from bridge.legs.plivo_play_wire import ClearAudio, FromService, PlayAudio

SPEECH = "speech"
"""The row with the words alone, where noise or an echo is in what was said."""


class CapturedTimeline(Timeline):
    """Tells what is noted by others than the watchers, who will find the same again."""

    def __init__(self, clock: Callable[[], float], tell: Callable[[Record], None]) -> None:
        super().__init__(clock)
        self._tell = tell
        self.watched = False
        """The watchers have their turn."""

    def note(self, kind: str, text: str = "", at_ms: float | None = None) -> None:
        """As always."""
        at = round(self.now_ms() if at_ms is None else at_ms)
        super().note(kind, text, at)
        if not self.watched:
            self._tell(Note(at, kind, text))

    def found(self, rule: str, at_ms: float | None = None) -> None:
        """As always."""
        watched, self.watched = self.watched, True
        super().found(rule, at_ms)
        self.watched = watched


class CallCapture(Witness):
    """The first witness of its call; `last` is the last one. `end` it with what came of the call."""

    def __init__(
        self,
        folder: CaptureFolder,
        number: int,
        scenario: str,
        call: CallStart,
        *,
        bidirectional: bool = True,
    ) -> None:
        """Raises OSError when there can be no such file."""
        self._now = time.monotonic()
        self._began_ns = round(self._now * 1e9)
        self._track = call.tracks[0]
        about = {"number": str(number), "scenario": scenario, "by": "mediabridge test"}
        if not bidirectional:
            about["bidirectional"] = "false"
        head = Head(
            VERSION,
            "caller",
            call.stream_id,
            call.call_id,
            call.audio_format.encoding.value,
            call.audio_format.rate_hz,
            call.tracks,
            time.time_ns() // 1_000_000,
            self._began_ns,
            about=about,
        )
        self._file: KeptCall = folder.open(number, head)
        self.notes = CapturedTimeline(lambda: self._now, self._put)
        self.last = _Last(self.notes)
        self._ticks = 0
        self._tick_ns: int | None = None
        """Of the tick that goes on."""
        self._seen: bytes | None = None
        """The message that was kept last."""
        self._keys = ""
        self._playout: PhonePlayout | None = None
        self._position = 0
        """Of the playout, after the last tick."""
        self._cleared = False

    @classmethod
    def of(cls, caller: PlivoCaller, folder: CaptureFolder, number: int, scenario: str) -> CallCapture:
        """Watches `caller`, who is watched by nobody else yet. Raises OSError."""
        made = cls(folder, number, scenario, caller.call, bidirectional=caller.bidirectional)
        caller.witnesses = (made,)
        if caller.voice is not None:
            caller.voice = _CapturedVoice(made, caller.voice)
        return made

    def watch(self, call: MeasuredCall) -> None:
        """Call once everybody else watches it, and before it is dialled. It is ended with the call."""
        self._playout = call.caller.playout
        call.caller.witnesses = (*call.caller.witnesses, self.last)
        call.on_result = lambda result: self.end(result, call)

    def pressed(self, keys: str) -> None:
        """In this tick."""
        self._keys += keys

    def end(self, result: CallResult, call: MeasuredCall) -> None:
        """The call is over."""
        for failure in call.failures:
            self._put(Note(0, "", failure, failed=True))
        end = call.caller.end
        facts: Facts = {
            "started_at": result.started_at,
            "duration_ms": result.duration_ms,
            "connected_s": call.caller.connected_s,
            "bytes_out": result.bytes_out,
            "code": None if end is None else end.code,
            "reason": "" if end is None else end.reason,
            "by_service": float(end is not None and end.by_service),
            "broken_rule": call.caller.broken_rule,
        }
        at_ns = round(time.monotonic() * 1e9) - self._began_ns
        self._file.end(at_ns, result.end, result.end_detail, facts)

    # --- Witness ---

    def began(self) -> None:
        """See `Witness`."""
        self._put(Link(self._pin(), "opened"))

    def ticked(self, said: Samples, speech: Samples, heard: Samples, late_s: float) -> None:
        """See `Witness`."""
        at_ns = self._pin() if self._tick_ns is None else self._tick_ns
        self._tick_ns = None
        self._look_for_loss(at_ns)
        self._ticks += 1
        self._put(Tick(self._ticks, at_ns, round(late_s * 1e9)))
        self._put(Frame(self._track, said.tobytes() if said.any() else b""))
        if speech is not said:
            self._put(Frame(SPEECH, speech.tobytes() if speech.any() else b""))
        if self._keys:
            self._put(Key(at_ns, self._track, self._keys))
            self._keys = ""

    def took(self, what: FromService, message: bytes, is_text: bool) -> None:
        """See `Witness`."""
        at_ns = self._pin()
        self._seen = message
        if isinstance(what, PlayAudio):
            media = what.media
            named = media.content_type, media.sample_rate
            self._put(Media(at_ns, "service", "", media.payload, *named, len(message), is_text))
        else:
            self._cleared |= isinstance(what, ClearAudio)
            self._put(Message(at_ns, message, is_text))

    def refused(self, message: bytes, is_text: bool, why: Exception) -> None:
        """See `Witness`. What was understood at first is kept already."""
        at_ns = self._pin()
        if message is not self._seen:
            self._put(Message(at_ns, message, is_text))

    def reached(self, name: str) -> None:
        """Nothing to be kept: it follows from the rest. But it is noted, with the time of its tick."""
        self.notes.watched = True
        if self._tick_ns is None:
            self._tick_ns = self._pin()

    def queued(self, samples: Samples) -> None:
        """The same."""
        self.notes.watched = True

    def left_unsent(self) -> None:
        """See `Witness`."""
        self._put(Link(self._pin(), "unsent"))

    def redialled(self) -> None:
        """See `Witness`."""
        self._put(Link(self._pin(), "resumed"))

    # --- inside ---

    def _pin(self) -> int:
        self.notes.watched = True
        self._now = time.monotonic()
        return round(self._now * 1e9) - self._began_ns

    def _look_for_loss(self, at_ns: int) -> None:
        """A queue that went with its connection tells nobody."""
        playout = self._playout
        if playout is None:
            return
        if playout.position - playout.filled > self._position and not self._cleared:
            self._put(Link(at_ns, "emptied"))
        self._position = playout.position
        self._cleared = False

    def _put(self, record: Record) -> None:
        self._file.put(record)


class _Last(Witness):
    """Comes after all who watch."""

    def __init__(self, notes: CapturedTimeline) -> None:
        self._notes = notes

    def began(self) -> None:
        self._notes.watched = False

    def ticked(self, said: Samples, speech: Samples, heard: Samples, late_s: float) -> None:
        self._notes.watched = False

    def took(self, what: FromService, message: bytes, is_text: bool) -> None:
        self._notes.watched = False

    def queued(self, samples: Samples) -> None:
        self._notes.watched = False

    def refused(self, message: bytes, is_text: bool, why: Exception) -> None:
        self._notes.watched = False

    def reached(self, name: str) -> None:
        self._notes.watched = False

    def left_unsent(self) -> None:
        self._notes.watched = False

    def redialled(self) -> None:
        self._notes.watched = False


@dataclass(frozen=True, slots=True)
class _CapturedVoice:
    capture: CallCapture
    voice: Voice

    def tick(self, heard: Samples, events: Sequence[HeardEvent]) -> Says:
        says = self.voice.tick(heard, events)
        if says.keys:
            self.capture.pressed(says.keys)
        return says
