"""Live captions as WebVTT segments beside the segments of the sound (RFC 8216 §3.5).

Cue times are the media's own times: `X-TIMESTAMP-MAP` maps the one to the other without a difference, as far
as 33 bits at 90 kHz go (26 hours), and from there on by whole wraps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bridge.outputs.media_units import CLOCK_HZ, LEAD

_WRAP_S = (1 << 33) / 90_000
_SETTINGS = "position:50.00% size:80.00% align:middle"
"""As 100ms writes them; players that know better take `middle` for `center`."""
_SHORTEST = CLOCK_HZ // 2
"""A caption is shown at least so long, in samples."""
MAX_TEXT = 2_000
"""Characters of one caption; the rest is cut off."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A caption with its times in samples."""

    at: int
    until: int
    text: str
    speaker: str = ""


class CaptionQueue:
    """Captions that wait for the segment they belong to; at most `limit`, the oldest are given up.

    Segments are asked for in their order. A caption goes into every segment it is to be seen in. One that
    comes after its segment was given is moved to the beginning of the next, so that nothing that was said
    stays unseen.
    """

    def __init__(self, limit: int = 500) -> None:
        self._cues: list[Cue] = []
        self._limit = limit
        self._given = -LEAD
        self.late = 0
        """Captions that were moved."""
        self.dropped = 0

    def put(self, cue: Cue) -> None:
        """A caption, in whatever order they come."""
        if not cue.text.strip():
            return
        until = max(cue.until, cue.at + _SHORTEST)
        if until <= self._given:
            self.late += 1
            cue = Cue(self._given, self._given + until - cue.at, cue.text, cue.speaker)
        else:
            cue = Cue(cue.at, until, cue.text, cue.speaker)
        self._cues.append(cue)
        if len(self._cues) > self._limit:
            del self._cues[0]
            self.dropped += 1

    def take(self, at: int, until: int) -> list[Cue]:
        """Those to be seen from `at` until before `until`, by their times; what ends there is forgotten."""
        self._given = max(self._given, until)
        seen = [cue for cue in self._cues if cue.at < until and cue.until > at]
        self._cues = [cue for cue in self._cues if cue.until > until]
        return sorted(seen, key=lambda cue: (cue.at, cue.until))


def segment_text(cues: Iterable[Cue], at: int) -> str:
    """A WebVTT segment, also without any cue; `at` is when it begins, in samples."""
    wraps = int((at + LEAD) / CLOCK_HZ / _WRAP_S)
    head = f"WEBVTT\nX-TIMESTAMP-MAP=LOCAL:{_clock(wraps * _WRAP_S)},MPEGTS:0\n"
    return head + "".join(
        f"\n{_time(cue.at)} --> {_time(cue.until)} {_SETTINGS}\n{_payload(cue)}\n" for cue in cues
    )


def _payload(cue: Cue) -> str:
    """The text as WebVTT wants it (W3C WebVTT §4.2.2): no line may look like a time, none may be empty."""
    lines = [_escaped(line) for line in cue.text[:MAX_TEXT].splitlines() if line.strip()]
    text = "\n".join(lines)
    if not cue.speaker:
        return text
    name = re.sub(r"\s+", " ", cue.speaker)[:200]
    return f"<v {_escaped(name)}>{text}</v>"


def _escaped(text: str) -> str:
    visible = "".join(char for char in text.strip() if char >= " " and char != "\x7f")
    return visible.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(at: int) -> str:
    return _clock((at + LEAD) / CLOCK_HZ)


def _clock(seconds: float) -> str:
    ms = round(max(0.0, seconds) * 1_000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1_000 % 60:02}.{ms % 1_000:03}"
