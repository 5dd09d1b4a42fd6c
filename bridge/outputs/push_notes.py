"""What is said in a pushed stream beside sound and pictures: marks, and how loud everybody is.

Both are script data at the time they are of, as players of FLV and RTMP pass them on; a mark is also in the
picture of its moment, as SEI (`user_data_unregistered`), which outlives servers that drop script data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from bridge.outputs.flv import Tag
from bridge.outputs.h264_units import user_data
from bridge.rtmp.amf0 import Value, encode
from bridge.rtmp.chunks import METADATA

USER_DATA, SOUND_LEVELS = "onUserData", "onSoundLevels"
"""Names of the script data. Not `onTextData`: that is shown as captions."""
MARK_UUID = UUID("c0f24a6e-9d0b-4d0e-8f4b-52a1e7b3d964")
"""Of marks in SEI; the payload follows it as UTF-8."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Timed metadata. `at` in samples at 48 kHz; `at_ms` by the wall clock (Unix ms)."""

    at: int
    at_ms: float
    payload: str
    duration_s: float = 0.0

    def tag(self, at: int) -> Tag:
        """`onUserData`: an object with `payload`, `duration` (seconds) and `at` (Unix ms)."""
        told: Value = {"payload": self.payload, "duration": self.duration_s, "at": self.at_ms}
        return Tag(METADATA, at, encode(USER_DATA, told), beside=True)


def levels_tag(at: int, at_ms: float, levels: Mapping[str, int]) -> Tag:
    """`onSoundLevels`: `levels` (participant → 0 to 100; who is not in it is at 0) and `at` (Unix ms)."""
    told: Value = {"levels": {who: float(level) for who, level in levels.items()}, "at": at_ms}
    return Tag(METADATA, at, encode(SOUND_LEVELS, told), key=False, beside=True)


def in_picture(marks: Sequence[Mark]) -> bytes:
    """A NAL unit of SEI with these marks; empty for none."""
    return user_data(MARK_UUID.bytes, [mark.payload.encode() for mark in marks]) if marks else b""
