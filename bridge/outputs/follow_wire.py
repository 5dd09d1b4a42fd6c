"""What a follower is told to make of a recording, and what it tells of its work. Values, sent as msgpack."""

from __future__ import annotations

from typing import Literal

import msgspec

from bridge.core.ports import EVERYBODY, GRID, PictureLayout, Whom

SoundForm = Literal["wav", "flac", "ogg", "mp3", "m4a"]
ProgramForm = Literal["wav", "flac", "ogg", "mp3", "m4a", "mp4", "hls-ts", "hls-fmp4"]
"""`ogg` is Opus. Only `mp4` and HLS have a picture."""

FILES_FOLDER = "files"
MANIFEST = "manifest.json"
SO_FAR = "manifest.so-far.json"
"""What the manifest would say now, while the recording goes on, but of its files; newer than the manifest."""


class PicturePlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The picture of the recording's files."""

    width: int = 640
    height: int = 360
    fps: int = 10
    bitrate: int | None = None
    """Bit/s that it takes at most, with every picture coded; None: only what changes, in the same quality."""
    background: str = ""
    """Behind the tiles, `#rrggbb`; empty: the usual one."""
    layout: PictureLayout = GRID


class FollowPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which files are to be made."""

    directory: str
    """The recording's: its log is in `log`, its files go to `files`."""
    program: tuple[ProgramForm, ...] = ("mp4",)
    """Files of the whole conference."""
    participants: tuple[SoundForm, ...] = ()
    """Files of each participant alone."""
    sides: tuple[SoundForm, ...] = ()
    """Stereo files: who came first to the left, everybody else to the right."""
    picture: PicturePlan | None = PicturePlan()
    """None: sound only."""
    sound: bool = True
    """Whether the program's MP4 and HLS have sound."""
    channels: Literal[1, 2] = 1
    """Of the program's files; both have the same sound."""
    heard: Whom = EVERYBODY
    """Whose sound the files have. Of some, the program is the sum of their own tracks."""
    seen: Whom = EVERYBODY
    """Who is in the picture."""
    h264: bool = True
    """Whether H.264 may be used at all; without it no file has a picture."""
    stills: bool = True
    """Whether a thumbnail (JPEG) and a preview (WebP) are made."""
    title: str = ""
    """The conference's name, shown in the picture."""
    bitrate: int = 64_000
    """Of AAC and MP3, bit/s a channel."""
    opus_bitrate: int = 40_000
    """Of Ogg, bit/s a channel."""
    segment_s: float = 6.0
    """Of HLS."""
    follow: bool = False
    """Go on until the recording is over; otherwise only what is there by now."""
    notes: tuple[str, ...] = ()
    """What is to be said in the manifest, such as a codec that was asked for and is not to be had."""


class FileSize(msgspec.Struct, frozen=True, array_like=True):
    """A file that is whole."""

    name: str
    """Within the recording's directory."""
    size: int


class Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """One of those below."""


class Progress(Message, frozen=True):
    """How far the files are; at most once a second."""

    at_ms: int
    """In the files' time."""
    stretch: int


class Waiting(Message, frozen=True):
    """The recording is paused: all files are whole for now, and wait for its next stretch or for `finish`.

    When it goes on they are in the making again, and have no names until the next pause or the end.
    """

    at_ms: int
    stretch: int
    """The last one that there was."""


class Whole(Message, frozen=True):
    """That file is whole and stays as it is; others may follow."""

    name: str
    """Within the recording's directory."""


class Finished(Message, frozen=True):
    """All files are whole and in the manifest; nothing follows."""

    duration_ms: int
    files: tuple[FileSize, ...]
    notes: tuple[str, ...]
    stretches: int = 0
    """How many are in them."""


class Problem(Message, frozen=True):
    """The work cannot go on, and nothing follows; begun again, it gives the same files."""

    text: str


FollowerMessage = Progress | Waiting | Whole | Finished | Problem

FINISH = b"finish"
"""What a follower can be told: the recording is over, no further stretch comes."""

_decoder: msgspec.msgpack.Decoder[FollowerMessage] = msgspec.msgpack.Decoder(FollowerMessage)


def encode_message(message: FollowerMessage) -> bytes:
    """As it goes over the link."""
    return msgspec.msgpack.encode(message)


def decode_message(message: bytes) -> FollowerMessage:
    """What came over the link. Raises msgspec.DecodeError."""
    return _decoder.decode(message)


def plan_of(arguments: object) -> FollowPlan:
    """The plan in a job's arguments. Raises msgspec.ValidationError."""
    return msgspec.convert(arguments, FollowPlan, strict=False)


def arguments_of(plan: FollowPlan) -> dict[str, object]:
    """The arguments for a job with this plan."""
    built: dict[str, object] = msgspec.to_builtins(plan)
    return built
