"""A call out of a capture, in place of a live one: the same watchers see the same things at the same times.

It stands where a `PlivoCaller` stands, goes by the capture's own clock, and is over as fast as it can be
read. Nothing is sent to anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

from bridge.core.ports import CallStart
from bridge.harness.call_intake import CallIntake
from bridge.harness.call_socket import CallFailed
from bridge.harness.caller_figures import CallEnd, CallerFigures
from bridge.harness.capture_reading import Capture
from bridge.harness.measured_call import MeasuredCall
from bridge.harness.phone_playout import PhonePlayout
from bridge.harness.plivo_caller import PlivoCaller
from bridge.harness.replay_course import course
from bridge.harness.replay_events import Beat, Came, Event
from bridge.harness.sound import Samples
from bridge.harness.timeline import Timeline
from bridge.harness.witness import Witness
from bridge.legs.capture_wire import Link, Note

_PAUSE_EVERY = 500
"""Events between two turns of the loop: other calls may be replayed beside this one."""
CLOSED_BY_SERVICE = ("service closed", "not understood", "too slow")
LOST = ("connection lost", "the capture was cut off")


class ReplayedCaller:
    """One call. What `MeasuredCall` needs of a `PlivoCaller`, by the same names."""

    def __init__(self, capture: Capture) -> None:
        head = capture.head
        self.call = CallStart(head.call_id, head.stream_id, "", head.tracks, head.audio_format, {})
        self.format = head.audio_format
        self.playout = PhonePlayout(self.format.rate_hz)
        self.figures = CallerFigures()
        self.witnesses: Sequence[Witness] = ()
        self.on_heard: Callable[[Samples], None] | None = None
        self.bidirectional = head.about.get("bidirectional") != "false"
        self.connected_s: float | None = None
        self.end: CallEnd | None = None
        self.broken_rule: int | None = None
        self.notes = Timeline(lambda: self._now)
        self._capture = capture
        self._began_ns = head.began_ns
        self._now = self._at(0)
        self._events = course(capture)
        self._intake = CallIntake(
            self.format, self.playout, self.figures, lambda: None, bidirectional=self.bidirectional
        )
        self._stopped = asyncio.Event()

    def watched(self, call: MeasuredCall) -> None:
        """By whom; call it before `MeasuredCall.run`."""
        self._watched = call

    # --- as a PlivoCaller ---

    async def dial(self) -> None:
        """Raises CallFailed when the captured call never came about."""
        first = next(self._events, None)
        while isinstance(first, Note):
            self._take(first)
            first = next(self._events, None)
        end = self._capture.end
        if not isinstance(first, Link):
            raise CallFailed(end.detail if end is not None and end.detail else "the call never came about")
        connected_s = self._fact("connected_s")
        self.connected_s = connected_s if isinstance(connected_s, int | float) else 0.0
        self._intake.shown_to(self.witnesses)
        self._now = self._at(first.at_ns)
        for witness in self.witnesses:
            witness.began()

    async def ended(self) -> CallEnd:
        """Goes through all of it; a call that was cancelled or hung up by other means is ended so."""
        for count, event in enumerate(self._events, 1):
            self._take(event)
            if not count % _PAUSE_EVERY:
                await asyncio.sleep(0)
        self._finish()
        if self.end is None:
            await self._stopped.wait()
        assert self.end is not None
        return self.end

    async def hang_up(self) -> None:
        """There is nothing to hang up."""

    # --- inside ---

    def _take(self, event: Event) -> None:
        match event:
            case Beat():
                self._now = self._at(event.at_ns)
                self._beat(event)
            case Came(at_ns, message, is_text, size):
                self._now = self._at(at_ns)
                self._intake.take(message, is_text)
                self.figures.bytes_in += size - len(message) if size else 0
            case Link():
                self._now = self._at(event.at_ns)
                self._link(event)
            case Note(failed=True):
                self._watched.failures.append(event.text)
            case Note():
                self.notes.note(event.kind, event.text, event.at_ms)

    def _beat(self, beat: Beat) -> None:
        figures = self.figures
        figures.late_s = max(figures.late_s, beat.late_ns / 1e9)
        figures.sent += beat.sent
        heard, reached = self.playout.tick()
        if self.on_heard is not None:
            self.on_heard(heard)
        self._intake.events.clear()
        for name in reached:
            for witness in self.witnesses:
                witness.reached(name)
        speech = beat.said if beat.speech is None else beat.speech
        for witness in self.witnesses:
            witness.ticked(beat.said, speech, heard, beat.late_ns / 1e9)

    def _link(self, link: Link) -> None:
        match link.what:
            case "emptied":
                self.playout.clear()
            case "resumed":
                self.figures.redials += 1
                for witness in self.witnesses:
                    witness.redialled()
            case "unsent":
                self.figures.unsent += 1
                for witness in self.witnesses:
                    witness.left_unsent()
            case _:
                pass

    def _finish(self) -> None:
        end, call = self._capture.end, self._watched
        bytes_out = self._fact("bytes_out")
        self.figures.bytes_out = int(bytes_out) if isinstance(bytes_out, int | float) else 0
        broken = self._fact("broken_rule")
        self.broken_rule = int(broken) if isinstance(broken, int | float) else None
        if end is None:
            self.end = CallEnd(1006, "the capture was cut off", by_service=True)
        elif self._capture.head.place != "caller":
            self.end = _end_on_bridge(end.reason)
        elif end.reason == "cancelled":
            call.cancel()
        elif end.reason == "bot hung up":
            call.hung_up_by_bot(end.detail)
        else:
            code = self._fact("code")
            by_service = bool(self._fact("by_service"))
            self.end = CallEnd(
                int(code) if isinstance(code, int | float) else 1006,
                str(self._fact("reason") or ""),
                by_service,
            )

    def _fact(self, name: str) -> float | str | None:
        return None if self._capture.end is None else self._capture.end.facts.get(name)

    def _at(self, at_ns: int) -> float:
        """As the clock gave it when the call was live, to the last bit."""
        return (self._began_ns + at_ns) / 1e9


def _end_on_bridge(reason: str) -> CallEnd:
    """How a leg's end looks to the caller."""
    cause = reason.partition(":")[0]
    if cause in CLOSED_BY_SERVICE:
        return CallEnd(1000, "", by_service=True)
    if cause in LOST:
        return CallEnd(1006, cause, by_service=True)
    return CallEnd(1000, "", by_service=False)


def as_caller(replayed: ReplayedCaller) -> PlivoCaller:
    """For those who ask for the live one, and need of it what both have."""
    return cast(PlivoCaller, replayed)
