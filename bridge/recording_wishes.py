"""What is asked for when a recording is begun."""

from __future__ import annotations

from typing import Literal

import msgspec

from bridge.core.ports import WantedFiles
from bridge.records import KeptRecording

FileFormat = Literal["mp4", "wav", "flac", "ogg", "stereo", "hls"]
AacKind = Literal["aac", "he-aac"]


class RecordingWishes(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Which files are to be made of a recording. Everybody's sound is kept in any case."""

    formats: tuple[FileFormat, ...] = ("mp4",)
    """Of the program; `stereo` has a side for each of two people, `hls` can be played as it goes."""
    participants: bool = False
    """The same of each participant alone."""
    storage: str = ""
    """The name of a storage in the configuration; empty: the first one, or this machine; or OWN_STORAGE."""
    codec: AacKind = "aac"
    """Of files that have AAC."""
    bitrate: int = 64_000
    """Of AAC, bits per second of each channel."""

    def __post_init__(self) -> None:
        if not 8_000 <= self.bitrate <= 320_000:
            raise ValueError("`bitrate` is 8000 to 320000")

    @property
    def files(self) -> WantedFiles:
        """What the shelf is to make."""
        return WantedFiles(self.formats, self.participants, self.codec, self.bitrate)


def wishes_of(recording: KeptRecording) -> RecordingWishes:
    """What was asked for; what this version does not know is left out."""
    try:
        return msgspec.convert(dict(recording.wishes), RecordingWishes)
    except msgspec.ValidationError:
        return RecordingWishes()
