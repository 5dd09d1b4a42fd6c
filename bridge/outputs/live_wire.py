"""What a room's live encoder is told, and what it tells: plain values, by msgpack. Knows no files, no codecs.

All times are the stream's: ticks and samples at 48 kHz count from the first tick the encoder was told of.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from bridge.core.ports import GRID, PictureLayout
from bridge.errors import BadInput
from bridge.outputs.record import RATE_HZ, Record

SHORTEST_SEGMENT_S, LONGEST_SEGMENT_S = 1.0, 15.0
SHORTEST_PART_S, LONGEST_PART_S = 0.1, 2.0
_PUSH_RATES_HZ = {"aac": (RATE_HZ, 44_100), "mp3": (44_100,), "opus": (RATE_HZ,)}


class Word(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """One of those below."""


class SoundSpec(Word, frozen=True):
    """How sound is coded. Outputs that ask for the same share one encoder."""

    codec: Literal["aac", "mp3", "opus", "flac"] = "aac"
    bitrate: int = 64_000
    channels: Literal[1, 2] = 1
    rate_hz: int = RATE_HZ


class PictureSpec(Word, frozen=True):
    """How the picture is coded, as H.264. Outputs that ask for the same share one encoder."""

    width: int = 640
    height: int = 360
    fps: int = 10
    bitrate: int = 300_000
    keyframe_s: float = 1.0
    background: str = ""
    """Behind the tiles, `#rrggbb`; empty: the usual one."""
    layout: PictureLayout = GRID


class CaptionSpec(Word, frozen=True):
    """A rendition of captions beside the sound."""

    language: str = "en-US"
    name: str = "English CC (auto)"
    wait_s: float = 1.0
    """How long a segment's captions are waited for: nobody knows what is said before it was said."""


class HlsSpec(Word, frozen=True):
    """A live HLS output. Raises BadInput for what cannot be."""

    container: Literal["ts", "fmp4"] = "fmp4"
    sound: SoundSpec = SoundSpec()
    picture: PictureSpec | None = None
    segment_s: float = 6.0
    part_s: float | None = None
    """With it, low latency: what a part lasts, or a little less."""
    kind: Literal["live", "event"] = "live"
    """`live`: a sliding window; `event`: everything since the beginning."""
    window: int = 6
    """Segments of a sliding window; no fewer than span three target durations."""
    captions: CaptionSpec | None = None

    def __post_init__(self) -> None:
        if not SHORTEST_SEGMENT_S <= self.segment_s <= LONGEST_SEGMENT_S:
            raise BadInput(f"segments last {SHORTEST_SEGMENT_S:g} to {LONGEST_SEGMENT_S:g} s")
        if not 3 <= self.window <= 100:
            raise BadInput("a sliding window has 3 to 100 segments")
        if self.part_s is not None:
            if self.container != "fmp4":
                raise BadInput("low latency needs fMP4")
            if not SHORTEST_PART_S <= self.part_s <= min(LONGEST_PART_S, self.segment_s / 2):
                raise BadInput(
                    f"parts last {SHORTEST_PART_S:g} to {LONGEST_PART_S:g} s, at most half a segment"
                )
        if self.container == "ts" and self.sound.codec not in ("aac", "mp3"):
            raise BadInput(f"MPEG-TS holds aac and mp3, not {self.sound.codec}")
        if self.sound.rate_hz != RATE_HZ:
            raise BadInput(f"HLS has sound at {RATE_HZ} Hz")


class PushSpec(Word, frozen=True):
    """A stream that is published by RTMP. Raises BadInput for what cannot be."""

    sound: SoundSpec = SoundSpec()
    picture: PictureSpec | None = None
    levels: bool = False
    """How loud everybody is, is said in it too."""

    def __post_init__(self) -> None:
        rates = _PUSH_RATES_HZ.get(self.sound.codec, ())
        if not rates:
            raise BadInput(f"RTMP has no {self.sound.codec}")
        if self.sound.rate_hz not in rates:
            raise BadInput(f"RTMP has {self.sound.codec} at {' or '.join(map(str, rates))} Hz")


class SegmentMade(Word, frozen=True):
    """A segment is complete and lies in the directory."""

    output: str
    sequence: int
    file: str
    header: str | None
    at: int
    duration: int
    began_ms: float
    discontinuity: bool
    size: int


# --- to the encoder ---


class Passed(Word, frozen=True):
    """What happened from tick `since` on up to before tick `until`. A track without `Sound` was silent.

    What lies between the last one's `until` and `since` is a hole.
    """

    since: int
    until: int
    records: list[Record]


class Caption(Word, frozen=True):
    """What was said from `tick` on until before `until`; `speaker` may be empty."""

    tick: int
    until: int
    text: str
    speaker: str = ""


class Marked(Word, frozen=True):
    """Timed metadata of `tick`, for one stream that is published."""

    output: str
    tick: int
    payload: str
    duration_s: float = 0.0


class Levels(Word, frozen=True):
    """How loud everybody is from `tick` on: participant → 0 to 100; who is not in it is at 0."""

    tick: int
    levels: dict[str, int]


class AddHls(Word, frozen=True):
    """Begin an HLS output; its files go into `directory`, which exists."""

    output: str
    spec: HlsSpec
    directory: str
    sequence: int = 0
    """The first segment's number: not 0 when another process wrote those before."""
    torn: SegmentMade | None = None
    """The segment before, when parts of it are in the playlist and it was never finished: it is made of
    those `torn_parts`, and told."""
    torn_parts: tuple[str, ...] = ()
    uncaptioned: tuple[SegmentMade, ...] = ()
    """Segments before whose captions were not written yet."""


class AddPush(Word, frozen=True):
    """Publish to `port` of this machine, where the server carries it on. What was there of that name ends."""

    output: str
    attempt: int
    """What the encoder says of this connection has this number in it."""
    spec: PushSpec
    port: int
    path: str
    """And the query: holds the stream's key."""
    base: int | None = None
    """The time (samples) that is the stream's 0, when there was a connection before."""
    stalled_s: float = 10.0
    """A peer that reads nothing for so long is given up."""

    def __repr__(self) -> str:
        return f"AddPush({self.output!r}, attempt={self.attempt}, port={self.port}, path=…)"


class Remove(Word, frozen=True):
    """End an output: what is in the making is finished, then `Closed` follows."""

    output: str


Command = Passed | Caption | Marked | Levels | AddHls | AddPush | Remove


# --- from the encoder ---


class Opened(Word, frozen=True):
    """An output has begun; said before its first part or segment."""

    output: str
    target_s: int
    part_target_s: float | None
    codecs: str
    fps: float | None


class PartMade(Word, frozen=True):
    """A part lies in the directory. `at` and `duration` in samples; `began_ms` by the wall clock."""

    output: str
    sequence: int
    index: int
    file: str
    header: str
    at: int
    duration: int
    began_ms: float
    independent: bool
    discontinuity: bool
    last: bool
    """Of its segment, which is told next."""


class CaptionsMade(Word, frozen=True):
    """The captions of a segment lie in the directory."""

    output: str
    sequence: int
    file: str


class Trouble(Word, frozen=True):
    """An output cannot be written; it goes on as soon as it can. `why` is empty when it is over."""

    output: str
    why: str


class Publishing(Word, frozen=True):
    """The peer has taken the stream, and its first frames were sent. `base`: see `AddPush`."""

    output: str
    attempt: int
    base: int


class PushLook(Word, frozen=True):
    """How a connection does, about once a second."""

    output: str
    attempt: int
    sent_bytes: int
    waiting_ms: int
    """Not sent yet."""
    dropped_ms: int
    """Left out so far because too much waited."""
    unread_ms: int
    """How long the peer has not said that it reads, if it ever did."""


class PushEnded(Word, frozen=True):
    """A connection is over without an order; the output is gone. `why` is empty when nobody said why."""

    output: str
    attempt: int
    why: str = ""


class Closed(Word, frozen=True):
    """An output is over, by order or (`why`) because it cannot be."""

    output: str
    why: str = ""


class Spent(Word, frozen=True):
    """What the encoder has used up, every few seconds: CPU seconds of the process, encoders, outputs."""

    cpu_s: float
    sound_encoders: int
    picture_encoders: int
    outputs: int


Event = (
    Opened
    | PartMade
    | SegmentMade
    | CaptionsMade
    | Publishing
    | PushLook
    | PushEnded
    | Trouble
    | Closed
    | Spent
)

_ENCODER = msgspec.msgpack.Encoder()
_COMMANDS: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_EVENTS: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)


def encode(word: Command | Event) -> bytes:
    """As it goes over the link."""
    return _ENCODER.encode(word)


def decode_command(message: bytes) -> Command:
    """Raises msgspec.DecodeError for what is none."""
    return _COMMANDS.decode(message)


def decode_event(message: bytes) -> Event:
    """Raises msgspec.DecodeError for what is none."""
    return _EVENTS.decode(message)
