"""What happens to the caller of a captured call, as values."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

import msgspec

from bridge.core.ports import PTIME_MS
from bridge.harness.sound import Samples
from bridge.legs.capture_wire import Link, Media, Message, Note

TICK_NS = PTIME_MS * 1_000_000
MAX_BEATS = 50 * 86_400
"""Nothing longer than a day is made up."""


@dataclass(frozen=True, slots=True, eq=False)
class Beat:
    """The caller's next 20 ms."""

    at_ns: int
    """When they are over and sent."""
    said: Samples
    """int16 [frame_samples]."""
    speech: Samples | None = None
    """The words in it, where there is more."""
    keys: str = field(default="", repr=False)
    late_ns: int = 0
    sent: bool = True
    """False: nothing was said or sent at that time, not even silence."""


@dataclass(frozen=True, slots=True)
class Came:
    """A message of the service."""

    at_ns: int
    message: bytes
    is_text: bool = True
    size: int = 0
    """Of the message as it was; 0: as this one."""


Event = Beat | Came | Link | Note


def message_of(record: Message) -> Came:
    """What a service said that is no audio."""
    return Came(record.at_ns, record.message, record.is_text)


def came(record: Media) -> Came:
    """A `playAudio` as it was, but for how it was written."""
    media: dict[str, object] = {"payload": base64.b64encode(record.payload).decode()}
    if record.content_type is not None:
        media["contentType"] = record.content_type
    if record.sample_rate is not None:
        media["sampleRate"] = record.sample_rate
    message = msgspec.json.encode({"event": "playAudio", "media": media})
    return Came(record.at_ns, message, record.is_text, record.size)
