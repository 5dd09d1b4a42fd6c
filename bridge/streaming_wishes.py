"""What a streaming is asked to be, and the output that does it."""

from __future__ import annotations

from typing import Literal

import msgspec

from bridge.core.ports import HlsSpec, PictureCoding, PushSpec, SoundCoding
from bridge.picture_wishes import PictureWishes as PictureWishes
from bridge.records import KeptStreaming

_MP3_RATE_HZ = 44_100
"""The highest that FLV has for MP3."""


class SoundWishes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the sound is to be coded."""

    codec: Literal["aac", "he-aac", "mp3", "opus"] = "aac"
    bitrate: int = 64_000
    channels: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        if not 8_000 <= self.bitrate <= 320_000:
            raise ValueError("`bitrate` of sound is 8000 to 320000")


class HlsWishes(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """How it is to be cut."""

    container: Literal["ts", "fmp4"] = "fmp4"
    segment_seconds: float = 6.0
    part_seconds: float | None = None
    """With it, low latency."""
    window: int = 6
    whole: bool = False
    """Everything since the beginning can be seen, instead of a window."""
    captions: bool = False
    """With a rendition of what is said."""
    storage: str = ""
    """The name of a storage in the server's configuration, to which it is published as well."""
    protected: bool = False
    """Only with a token, which is in the address that its creation gives, and is shown this once."""

    def __post_init__(self) -> None:
        if not 1 <= self.segment_seconds <= 15:
            raise ValueError("`segmentSeconds` is 1 to 15")
        if not 3 <= self.window <= 100:
            raise ValueError("`window` is 3 to 100 segments")
        if self.part_seconds is not None:
            if self.container != "fmp4":
                raise ValueError("`partSeconds` needs fmp4")
            if not 0.1 <= self.part_seconds <= min(2.0, self.segment_seconds / 2):
                raise ValueError("`partSeconds` is 0.1 to 2, and at most half a segment")


class StreamingWishes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a streaming is to be."""

    audio: SoundWishes = SoundWishes()
    picture: PictureWishes | None = PictureWishes()
    hls: HlsWishes | None = None
    token_hash: str = ""
    """Of a protected HLS; set here."""
    levels: bool = False
    """What is published says how loud each participant is."""


def wishes_of(kept: KeptStreaming) -> StreamingWishes:
    """What was asked for; what this version does not know is left out."""
    try:
        return msgspec.convert(dict(kept.settings), StreamingWishes)
    except msgspec.ValidationError:
        return StreamingWishes(hls=None if kept.url else HlsWishes())


def spec_of(kept: KeptStreaming) -> PushSpec | HlsSpec:
    """The output that does it."""
    wishes = wishes_of(kept)
    audio = wishes.audio
    picture = None
    if wishes.picture is not None:
        seen = wishes.picture
        layout = seen.layout.laid_out
        picture = PictureCoding(seen.width, seen.height, seen.fps, seen.bitrate, seen.background, layout)
    if kept.url:
        rate_hz = _MP3_RATE_HZ if audio.codec == "mp3" else 48_000
        sound = SoundCoding(audio.codec, audio.bitrate, audio.channels, rate_hz)
        return PushSpec(kept.url, sound, picture, kept.id, wishes.levels)
    hls = wishes.hls or HlsWishes()
    return HlsSpec(
        kept.id,
        SoundCoding(audio.codec, audio.bitrate, audio.channels),
        picture,
        hls.container,
        hls.segment_seconds,
        hls.part_seconds,
        hls.window,
        hls.whole,
        hls.captions,
        hls.storage,
        token_hash=wishes.token_hash,
    )
