"""What is asked for when a recording is begun."""

from __future__ import annotations

from typing import Literal

import msgspec

from bridge.core.ports import WantedFiles, Whom
from bridge.picture_wishes import FilePictureWishes
from bridge.records import KeptRecording

FileFormat = Literal["mp4", "wav", "flac", "ogg", "stereo", "hls"]
AacKind = Literal["aac", "he-aac"]

MOST_NAMED = 32
"""So many participants can be named."""
_LONGEST_ID = 200
_WITH_PICTURE = frozenset({"mp4", "hls"})


class WhomWishes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Some of the participants, by their ids; one of both, or neither for everybody."""

    only: tuple[str, ...] = ()
    """These alone, who may come later."""
    without: tuple[str, ...] = ()
    """All but these."""

    def __post_init__(self) -> None:
        if self.only and self.without:
            raise ValueError("`only` and `without` do not go together")
        if len(self.only) + len(self.without) > MOST_NAMED:
            raise ValueError(f"at most {MOST_NAMED} participants can be named")
        if not all(0 < len(one) <= _LONGEST_ID for one in (*self.only, *self.without)):
            raise ValueError(f"a participant's id has 1 to {_LONGEST_ID} characters")

    @property
    def whom(self) -> Whom:
        """For the shelf."""
        return Whom(self.only, self.without)


class RecordingWishes(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
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
    channels: Literal[1, 2] = 1
    """Of the program's files; with two, both have the same sound."""
    sound: bool = True
    """False: MP4 and HLS have a picture only."""
    picture: FilePictureWishes | None = FilePictureWishes()
    """None: MP4 and HLS have sound only."""
    heard: WhomWishes = WhomWishes()
    """Whose sound the files have."""
    seen: WhomWishes | None = None
    """Who is in the picture; None: who is heard."""
    segment_seconds: float = 6.0
    """Of HLS."""

    def __post_init__(self) -> None:
        if not 8_000 <= self.bitrate <= 320_000:
            raise ValueError("`bitrate` is 8000 to 320000")
        if self.channels == 2 and self.bitrate > 256_000:
            raise ValueError("`bitrate` is 8000 to 256000 with two channels")
        if not 1 <= self.segment_seconds <= 30:
            raise ValueError("`segmentSeconds` is 1 to 30")
        if not self.sound and (self.picture is None or self.participants):
            raise ValueError("without `sound` there is the program's `picture`, and nothing else")
        if not self.sound and not _WITH_PICTURE.issuperset(self.formats):
            raise ValueError("without `sound` there are mp4 and hls only")

    @property
    def files(self) -> WantedFiles:
        """What the shelf is to make."""
        heard = self.heard.whom
        return WantedFiles(
            self.formats,
            self.participants,
            self.codec,
            self.bitrate,
            self.channels,
            self.sound,
            self.picture.wanted if self.picture is not None else None,
            heard,
            heard if self.seen is None else self.seen.whom,
            self.segment_seconds,
        )


def wishes_of(recording: KeptRecording) -> RecordingWishes:
    """What was asked for; what this version does not know is left out."""
    try:
        return msgspec.convert(dict(recording.wishes), RecordingWishes)
    except msgspec.ValidationError:
        return RecordingWishes()
