"""Which files are to be made of a recording, as data: their forms, how they are coded, whom they are of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bridge.core.layouts import GRID, PictureLayout


@dataclass(frozen=True, slots=True)
class Whom:
    """Some of a room's participants by their ids, whether they are there already or come later.

    `participant_id in whom` says whether somebody is meant.
    """

    only: tuple[str, ...] = ()
    """These, and nobody else; empty: everybody."""
    without: tuple[str, ...] = ()
    """Not these."""

    @property
    def everybody(self) -> bool:
        """Whether nobody is left out, whoever comes."""
        return not self.only and not self.without

    def __contains__(self, participant_id: str) -> bool:
        return (not self.only or participant_id in self.only) and participant_id not in self.without


EVERYBODY = Whom()


@dataclass(frozen=True, slots=True)
class WantedPicture:
    """The picture of a recording's files. What is None is as in the server's configuration."""

    width: int | None = None
    height: int | None = None
    fps: int | None = None
    bitrate: int | None = None
    """Bits per second that it takes at most, with every picture coded; None: what changes, and its quality
    stays the same."""
    background: str = ""
    """Behind the tiles, `#rrggbb`; empty: the usual one."""
    layout: PictureLayout = GRID


@dataclass(frozen=True, slots=True)
class WantedFiles:
    """Which files are to be made of a recording, and how."""

    formats: tuple[str, ...] = ("mp4",)
    participants: bool = False
    """The same of each participant alone; of `heard` only."""
    codec: Literal["aac", "he-aac"] = "aac"
    """Where nothing codes HE-AAC it is AAC-LC, and the manifest says so."""
    bitrate: int = 64_000
    """Of AAC and MP3: bits per second, of each channel."""
    channels: Literal[1, 2] = 1
    """Of the program's files; both have the same sound."""
    sound: bool = True
    """False: the program's MP4 and HLS have a picture only."""
    picture: WantedPicture | None = WantedPicture()
    """None: they have sound only."""
    heard: Whom = EVERYBODY
    """Whose sound the files have. Of some, the program is the sum of their own tracks."""
    seen: Whom = EVERYBODY
    """Who is in the picture."""
    segment_s: float = 6.0
    """Of HLS."""
