"""What is asked for when a recording is begun."""

from __future__ import annotations

from typing import Literal

import msgspec

from bridge.records import KeptRecording

FileFormat = Literal["mp4", "wav", "flac", "ogg", "stereo", "hls"]


class RecordingWishes(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Which files are to be made of a recording. Everybody's sound is kept in any case."""

    formats: tuple[FileFormat, ...] = ("mp4",)
    """Of the program; `stereo` has a side for each of two people, `hls` can be played as it goes."""
    participants: bool = False
    """The same of each participant alone."""
    storage: str = ""
    """The name of a storage in the configuration; empty: the first one, or this machine; or OWN_STORAGE."""


def wishes_of(recording: KeptRecording) -> RecordingWishes:
    """What was asked for; what this version does not know is left out."""
    try:
        return msgspec.convert(dict(recording.wishes), RecordingWishes)
    except msgspec.ValidationError:
        return RecordingWishes()
