"""The course of a captured call as its caller had it: what came, and every 20 ms that were said.

Wherever it was kept, it is told the same way. Of a simulated caller's capture nothing has to be made up. On
the bridge's side of a stream to a service, ticks are the caller's 20 ms. For a call that streamed in see
`replay_phone`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.core.ports import AudioFormat, Encoding
from bridge.harness.capture_reading import Capture
from bridge.harness.replay_events import MAX_BEATS, TICK_NS, Beat, Came, Event, came, message_of
from bridge.harness.replay_phone import course_of_phone
from bridge.harness.sound import Samples, decode
from bridge.legs.capture_wire import Frame, Hole, Key, Link, Media, Message, Note, Tick

SPEECH = "speech"


def course(capture: Capture) -> Iterator[Event]:
    """Everything in its order; the first event is `Link(…, "opened")`, unless the call never came about."""
    match capture.head.place:
        case "caller":
            return _of_caller(capture)
        case "stream":
            return _of_stream(capture)
        case "call":
            return course_of_phone(capture)


def beats(capture: Capture) -> list[Beat]:
    """The caller's side alone, from the first 20 ms on."""
    return [event for event in course(capture) if isinstance(event, Beat)]


class _Gathering:
    """The tick that is being read, until all that belongs to it is known."""

    def __init__(self, audio_format: AudioFormat, track: str) -> None:
        self._format = audio_format
        self._track = track
        self._silence = np.zeros(audio_format.frame_samples, np.int16)
        self._tick: Tick | None = None
        self._said: Samples | None = None
        self._speech: Samples | None = None
        self._keys = ""

    def begin(self, tick: Tick) -> None:
        self._tick = tick
        self._said = self._speech = None

    def take(self, record: Frame | Key) -> None:
        if isinstance(record, Key):
            self._keys += record.digit
        elif record.row == self._track:
            self._said = self._samples(record.payload)
        elif record.row == SPEECH:
            self._speech = self._samples(record.payload)

    def beat(self) -> Beat | None:
        tick, self._tick = self._tick, None
        if tick is None:
            return None
        said, keys = self._said, self._keys
        self._keys = ""
        shown = self._silence if said is None else said
        return Beat(tick.at_ns, shown, self._speech, keys, tick.late_ns, said is not None)

    def _samples(self, payload: bytes) -> Samples:
        return decode(payload, self._format) if payload else self._silence


def _of_caller(capture: Capture) -> Iterator[Event]:
    head = capture.head
    linear = AudioFormat(Encoding.L16, head.rate_hz)
    gathering = _Gathering(linear, head.tracks[0])
    last: Tick | None = None
    for record in capture.records:
        if isinstance(record, Frame | Key):
            gathering.take(record)
            continue
        if (beat := gathering.beat()) is not None:
            yield beat
        match record:
            case Tick():
                if last is not None:
                    yield from _missed(last, record, linear)
                last = record
                gathering.begin(record)
            case Media():
                yield came(record)
            case Message(at_ns, message, is_text):
                yield Came(at_ns, message, is_text)
            case Link() | Note():
                yield record
            case _:
                pass
    if (beat := gathering.beat()) is not None:
        yield beat


def _of_stream(capture: Capture) -> Iterator[Event]:
    head = capture.head
    track = "inbound" if "inbound" in head.tracks else head.tracks[0]
    gathering = _Gathering(head.audio_format, track)
    opened = False
    last: Tick | None = None
    held: list[Came] = []
    for record in capture.records:
        match record:
            case Link(what="opened"):
                opened = True
            case Tick() if opened:
                yield from _beat_of(gathering)
                if last is None:
                    yield Link(record.at_ns - TICK_NS, "opened")
                    yield from held
                else:
                    yield from _missed(last, record, head.audio_format)
                last = record
                gathering.begin(record)
            case Frame() | Key():
                gathering.take(record)
            case Media(side="service") | Message():
                yield from _beat_of(gathering)
                one = came(record) if isinstance(record, Media) else message_of(record)
                if last is None:
                    held.append(one)
                else:
                    yield one
            case _:
                pass
    yield from _beat_of(gathering)


def _beat_of(gathering: _Gathering) -> Iterator[Beat]:
    if (beat := gathering.beat()) is not None:
        yield beat


def _missed(last: Tick, tick: Tick, audio_format: AudioFormat) -> Iterator[Beat]:
    """20 ms of nothing for each tick that was never run, or is missing in the capture."""
    silence = np.zeros(audio_format.frame_samples, np.int16)
    for number in range(1, min(tick.number - last.number, MAX_BEATS)):
        yield Beat(last.at_ns + number * TICK_NS, silence, sent=False)


def holes(capture: Capture) -> int:
    """Records that are missing."""
    return sum(record.records for record in capture.records if isinstance(record, Hole))
