"""Says to a live bot what a captured caller said: the same 20 ms and keys at the same times, and drop-outs.

The caller does not listen. It hangs up when the captured call was over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.core.ports import AudioFormat
from bridge.errors import ConfigError
from bridge.harness.arrivals import poisson, ramp
from bridge.harness.bot_test import Cast, Part, RunPlan
from bridge.harness.capture_reading import Capture
from bridge.harness.lateness import LateLimits
from bridge.harness.line import LineOrders, MessageKind, Outgoing
from bridge.harness.replay_course import course
from bridge.harness.replay_events import Beat
from bridge.harness.sound import CODECS, Samples, encode
from bridge.harness.thresholds import Asked
from bridge.harness.voice import HeardEvent, Says
from bridge.legs.capture_wire import Link


@dataclass(frozen=True, slots=True)
class Script:
    """A captured caller's side."""

    beats: list[Beat]
    drops: frozenset[int] = frozenset()
    """Before which of them the connection was lost…"""
    redials: frozenset[int] = frozenset()
    """…and before which it was there again."""

    @property
    def faultless(self) -> bool:
        """Every 20 ms were sent, on one connection."""
        return not self.drops and all(beat.sent for beat in self.beats)


def script_of(capture: Capture) -> Script:
    """Raises ConfigError when nothing was said."""
    beats: list[Beat] = []
    drops, redials = set[int](), set[int]()
    for event in course(capture):
        if isinstance(event, Beat):
            beats.append(event)
        elif isinstance(event, Link) and event.what == "emptied":
            drops.add(len(beats))
        elif isinstance(event, Link) and event.what == "resumed" and len(drops) > len(redials):
            redials.add(len(beats))
    if not beats:
        raise ConfigError(f"{capture.path}: nothing was said in this capture")
    return Script(beats, frozenset(drops), frozenset(redials))


class ReplayVoice:
    """One call's `Voice`."""

    def __init__(self, script: Script) -> None:
        self._beats = script.beats
        self.at = -1
        """The number of the 20 ms that are being said."""

    def tick(self, heard: Samples, events: Sequence[HeardEvent]) -> Says:
        """The next 20 ms."""
        self.at += 1
        last = len(self._beats) - 1
        beat = self._beats[min(self.at, last)]
        return Says(beat.said, keys=beat.keys, hangs_up=self.at >= last, speech=beat.speech)


@dataclass(slots=True)
class ReplayLine:
    """One call's `Line`: what was not sent then is not sent now, and its connection is lost again."""

    script: Script
    voice: ReplayVoice
    audio_format: AudioFormat
    waiting: list[Outgoing] = field(default_factory=list)

    def payload(self, track: str, frame: Samples) -> bytes:
        """As it is."""
        return encode(frame, self.audio_format)

    def put(self, kind: MessageKind, message: bytes) -> None:
        """Sound that was missing is."""
        at = self.voice.at
        beats = self.script.beats
        if kind != "media" or not 0 <= at < len(beats) or beats[at].sent:
            self.waiting.append(Outgoing(message))

    def tick(self) -> LineOrders:
        """Everything at once."""
        messages, self.waiting = self.waiting, []
        at = self.voice.at
        return LineOrders(messages, drops=at in self.script.drops, redials=at in self.script.redials)


def replay_cast(captures: Sequence[Capture]) -> Cast:
    """The callers of as many calls as are wanted, one capture after another. Raises ConfigError."""
    scripts = [script_of(capture) for capture in captures]
    _format_of(captures)

    def cast(number: int) -> Part:
        at = (number - 1) % len(captures)
        script, head = scripts[at], captures[at].head
        voice = ReplayVoice(script)
        line = None if script.faultless else ReplayLine(script, voice, head.audio_format)
        return Part(voice, head.about.get("scenario") or f"replay of {captures[at].path.name}", line)

    return cast


def plan_replay(
    url: str,
    captures: Sequence[Capture],
    *,
    calls: int | None = None,
    ramp_per_s: float | None = None,
    arrivals_per_s: float | None = None,
    seed: int = 0,
    thresholds: Sequence[Asked] = (),
    limits: LateLimits | None = None,
) -> RunPlan:
    """A run in which captured callers speak to the bot at `url`; as many calls as captures, if not said.

    Raises ConfigError when that cannot be had.
    """
    audio_format = _format_of(captures)
    count = calls or len(captures)
    if arrivals_per_s is not None:
        starts, how = poisson(count, arrivals_per_s, seed), f"{arrivals_per_s:g}/s, at random"
    else:
        per_s = ramp_per_s or 5.0
        starts, how = ramp(count, per_s), f"{per_s:g}/s, evenly"
    told = {
        "calls": str(count),
        "begun": how,
        "replayed": ", ".join(capture.path.name for capture in captures),
        "codec": next(name for name, known in CODECS.items() if known == audio_format),
    }
    return RunPlan(
        url,
        starts,
        replay_cast(captures),
        audio_format,
        tuple(thresholds),
        seed,
        limits or LateLimits(),
        told,
    )


def _format_of(captures: Sequence[Capture]) -> AudioFormat:
    formats = {capture.head.audio_format for capture in captures}
    if len(formats) != 1:
        raise ConfigError("captures that are replayed together must be of one codec")
    return formats.pop()
