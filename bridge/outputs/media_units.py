"""Coded sound and pictures as containers take them: plain bytes with their times, in samples at 48 kHz.

One clock for all tracks; its 0 is the stream's tick 0. Sound that an encoder puts before it (its priming)
has negative times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bridge.outputs.h264_units import ParameterSets

CLOCK_HZ = 48_000
LEAD = CLOCK_HZ
"""Containers write times this much later: they know no negative ones."""

SoundCodec = Literal["aac", "mp3", "opus", "flac"]

_CODECS = {"aac": "mp4a.40.2", "mp3": "mp4a.40.34", "opus": "opus", "flac": "fLaC"}


@dataclass(frozen=True, slots=True)
class Unit:
    """One coded frame."""

    payload: bytes
    """A picture is Annex B: NAL units behind start codes."""
    at: int
    duration: int
    key: bool = True
    """It can be decoded without what came before."""

    @property
    def until(self) -> int:
        """When it is over."""
        return self.at + self.duration


@dataclass(frozen=True, slots=True)
class SoundTrack:
    """How coded sound is to be read. Always at 48 kHz."""

    codec: SoundCodec
    channels: int
    header: bytes
    """The encoder's own: AudioSpecificConfig, OpusHead or STREAMINFO; empty for MP3."""

    @property
    def codec_name(self) -> str:
        """As RFC 6381 names it."""
        return _CODECS[self.codec]


@dataclass(frozen=True, slots=True)
class PictureTrack:
    """How coded pictures are to be read: H.264."""

    width: int
    height: int
    sets: ParameterSets

    @property
    def codec_name(self) -> str:
        """As RFC 6381 names it."""
        return self.sets.codec_name
