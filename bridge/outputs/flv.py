"""FLV's tags, as RTMP carries them: coded frames behind a byte or five (Adobe's FLV specification 10.1, E.4;
Enhanced RTMP v2 for Opus). Pure.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from bridge.outputs.h264_units import to_lengths
from bridge.outputs.live_wire import PictureSpec, SoundSpec
from bridge.outputs.media_units import PictureTrack, SoundTrack, Unit
from bridge.rtmp.amf0 import Listing, Value, encode
from bridge.rtmp.chunks import METADATA, PICTURE, SOUND

_MP3, _AAC, _ENHANCED = 2, 10, 9
_H264 = 7
_KEY, _BETWEEN = 1, 2
_HEADER, _FRAMES = 0, 1
_OPUS = b"Opus"


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag. `at` in samples at 48 kHz, as `media_units` counts."""

    kind: int
    at: int
    body: bytes = field(repr=False)
    key: bool = True
    """What follows can be shown without what came before."""
    beside: bool = False
    """Said beside sound and pictures: a mark, or (no `key`) levels."""


@dataclass(frozen=True, slots=True)
class FlvStream:
    """What is in the stream."""

    sound: SoundTrack
    picture: PictureTrack | None
    sound_spec: SoundSpec
    picture_spec: PictureSpec | None

    def opening(self, at: int) -> list[Tag]:
        """What has to be known before the first frame, which is at `at`."""
        told = encode("@setDataFrame", "onMetaData", Listing(self._metadata()))
        tags = [Tag(METADATA, at, told)]
        if self.picture is not None:
            configuration = self.picture.sets.configuration()
            tags.append(Tag(PICTURE, at, _picture(_KEY, _HEADER) + configuration))
        if self.sound.header:
            tags.append(Tag(SOUND, at, self._before_sound(_HEADER) + self.sound.header))
        return tags

    def sound_tag(self, unit: Unit) -> Tag:
        """A coded frame of sound."""
        return Tag(SOUND, unit.at, self._before_sound(_FRAMES) + unit.payload)

    def picture_tag(self, unit: Unit, notes: bytes = b"") -> Tag:
        """A coded picture, behind `notes`: a NAL unit of SEI, or nothing."""
        kind = _KEY if unit.key else _BETWEEN
        noted = len(notes).to_bytes(4) + notes if notes else b""
        return Tag(PICTURE, unit.at, _picture(kind, _FRAMES) + noted + to_lengths(unit.payload), unit.key)

    def _before_sound(self, packet: int) -> bytes:
        # Rate 3 is 44.1 kHz (AAC says so whatever it is), size 1 is 16 bits.
        match self.sound.codec:
            case "aac":
                return bytes((_AAC << 4 | 3 << 2 | 1 << 1 | 1, packet))
            case "mp3":
                return bytes((_MP3 << 4 | 3 << 2 | 1 << 1 | (self.sound.channels - 1),))
            case "opus":
                return bytes((_ENHANCED << 4 | packet,)) + _OPUS
        raise ValueError(f"FLV has no {self.sound.codec}")

    def _metadata(self) -> dict[str, Value]:
        codecs: dict[str, float] = {"aac": _AAC, "mp3": _MP3, "opus": struct.unpack(">I", _OPUS)[0]}
        told: dict[str, Value] = {
            "encoder": "mediabridge",
            "audiocodecid": codecs[self.sound.codec],
            "audiodatarate": self.sound_spec.bitrate / 1000,
            "audiosamplerate": float(self.sound_spec.rate_hz),
            "audiosamplesize": 16.0,
            "stereo": self.sound.channels == 2,
        }
        if self.picture is not None and self.picture_spec is not None:
            told |= {
                "width": float(self.picture.width),
                "height": float(self.picture.height),
                "videocodecid": float(_H264),
                "videodatarate": self.picture_spec.bitrate / 1000,
                "framerate": float(self.picture_spec.fps),
            }
        return told


def _picture(kind: int, packet: int) -> bytes:
    """Pictures are shown when they are decoded: no composition time."""
    return bytes((kind << 4 | _H264, packet, 0, 0, 0))
