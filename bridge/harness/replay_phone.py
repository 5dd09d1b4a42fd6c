"""The course of a call that streamed in, from what the bridge has kept of it.

The phone's own 20 ms are not known, only when its messages arrived: they are laid side by side, as early as
the first of each uninterrupted stretch allows. What the bridge sent is played half a tick later.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.core.ports import AudioFormat, Encoding
from bridge.harness.capture_reading import Capture
from bridge.harness.replay_events import MAX_BEATS, TICK_NS, Beat, Came, Event, message_of
from bridge.harness.sound import Samples, decode
from bridge.legs.capture_wire import Frame, Key, Link, Media, Message, Record, Tick
from bridge.legs.plivo_play_wire import PlayAudioWriter

STRETCH_NS = 200_000_000
"""A delay of the phone's messages beyond this is an interruption, not jitter."""


def course_of_phone(capture: Capture) -> Iterator[Event]:
    """See `replay_course.course`."""
    head = capture.head
    began = next((record.at_ns for record in capture.records if isinstance(record, Tick)), None)
    if began is None:
        return
    began -= TICK_NS // 2
    laid = _laid(capture.records, head.audio_format, began)
    keys: dict[int, str] = {}
    for record in capture.records:
        if isinstance(record, Key):
            at = max(0, -(-(record.at_ns - began) // TICK_NS) - 1)
            keys[at] = keys.get(at, "") + record.digit
    heard = _heard(capture.records, head.audio_format)
    last_ns = max([began, *(event.at_ns for event in heard)])
    count = max(max(laid, default=-1) + 1, (last_ns - began) // TICK_NS)
    silence = np.zeros(head.audio_format.frame_samples, np.int16)
    yield Link(began, "opened")
    at = 0
    for number in range(min(count, MAX_BEATS)):
        due = began + (number + 1) * TICK_NS
        while at < len(heard) and heard[at].at_ns <= due:
            yield heard[at]
            at += 1
        said = laid.get(number)
        yield Beat(due, silence if said is None else said, None, keys.get(number, ""), 0, said is not None)
    yield from heard[at:]


def _laid(records: list[Record], audio_format: AudioFormat, began_ns: int) -> dict[int, Samples]:
    """What the phone said, by the number of the 20 ms on the caller's own grid."""
    per_sample = 1_000_000_000 / audio_format.rate_hz
    stretches: list[tuple[float, list[Samples]]] = []
    begin_ns, samples = 0.0, 0
    for record in records:
        if not isinstance(record, Media) or record.side != "call" or not record.payload:
            continue
        try:
            sound = decode(record.payload, audio_format)
        except ValueError:
            continue
        # When the first of these samples would have been said, had nothing held them up.
        said_ns = record.at_ns - len(sound) * per_sample
        ahead = said_ns - (begin_ns + samples * per_sample)
        if not stretches or ahead > STRETCH_NS:
            stretches.append((said_ns, [sound]))
            begin_ns, samples = said_ns, len(sound)
            continue
        stretches[-1][1].append(sound)
        samples += len(sound)
        if ahead < 0:  # it came earlier than those before it let expect: they were late
            begin_ns += ahead
            stretches[-1] = (begin_ns, stretches[-1][1])
    laid: dict[int, Samples] = {}
    size = audio_format.frame_samples
    free = 0
    for begin, pieces in stretches:
        first = max(free, round((begin - began_ns) / TICK_NS))
        sound = np.concatenate(pieces)
        sound = np.pad(sound, (0, -len(sound) % size))
        for number, frame in enumerate(sound.reshape(-1, size), first):
            laid[number] = frame
        free = first + len(sound) // size
    return laid


def _heard(records: list[Record], audio_format: AudioFormat) -> list[Came]:
    """What the bridge sent to the phone."""
    writer = PlayAudioWriter(audio_format)
    silence = _silence(audio_format)
    heard: list[Came] = []
    at_ns = 0
    for record in records:
        match record:
            case Tick():
                at_ns = record.at_ns
            case Frame(row="mix", payload=payload, fate=0):
                heard.append(Came(at_ns, writer.write(payload or silence)))
            case Message():
                heard.append(message_of(record))
            case _:
                pass
    return heard


def _silence(audio_format: AudioFormat) -> bytes:
    fill = b"\xff" if audio_format.encoding is Encoding.ULAW else b"\0"
    return fill * audio_format.frame_bytes
