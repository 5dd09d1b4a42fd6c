"""What a capture tells of a stream, record by record, as values. Pure; `capture_file_wire` has the bytes.

Times are nanoseconds of the monotonic clock since the capture's begin. Records stand in the order in which
things happened; what belongs to a tick follows its `Tick`. Nothing here holds an address, a header or a token
of anybody's; what was said and pressed is there.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from bridge.core.ports import AudioFormat, Encoding
from bridge.errors import BadInput

VERSION = 1

Place = Literal["caller", "stream", "call"]
"""Who kept it: a simulated caller, or the bridge, of a stream to a service or of a call streaming in."""
Side = Literal["call", "service"]
"""Who says something: the phone company's side of the protocol, or the bot's."""


Facts = dict[str, int | float | str | None]


class BadCapture(BadInput):
    """A file that is no capture, or a broken one."""


class Head(msgspec.Struct, array_like=True, frozen=True, tag="head"):
    """What was captured."""

    version: int
    place: Place
    stream_id: str
    call_id: str
    encoding: str
    """Of the stream: `l16` or `ulaw`."""
    rate_hz: int
    tracks: tuple[str, ...]
    began_unix_ms: int
    began_ns: int
    """The monotonic clock at the begin, so that captures of one process can be laid beside each other."""
    redacted: tuple[str, ...] = ()
    """What was taken out of it: `audio`, `digits`, `names`."""
    about: dict[str, str] = {}  # noqa: RUF012
    """More, by name: `room`, `participant`, `scenario`, `by` (what wrote it)."""
    phase: int = 0
    """Of `call`: how many ticks the mixer's buffers of that format had counted, which their figures go by."""

    @property
    def audio_format(self) -> AudioFormat:
        """The stream's."""
        return AudioFormat(Encoding(self.encoding), self.rate_hz)


class Tick(msgspec.Struct, array_like=True, frozen=True, tag="tick"):
    """A tick began; `number` rises, what is left out was never run. `at_ns` is the `now` it was given."""

    number: int
    at_ns: int
    late_ns: int = 0
    """Of a simulated caller's."""


class Frame(msgspec.Struct, array_like=True, frozen=True, tag="frame"):
    """20 ms that belong to the tick before it."""

    row: str
    """A track; `mix`: what a call is sent; `own`: what the leg's input gave to the room; `speech`: the words
    in a simulated caller's track alone, where there is more in it.
    """
    payload: bytes
    """In the stream's format, of a simulated caller L16; empty: silence."""
    fate: int = 0
    """Of `mix`: 0 sent, otherwise why not (`FATES`)."""


FATES = ("sent", "late", "congested", "left out", "not connected")


class Media(msgspec.Struct, array_like=True, frozen=True, tag="media"):
    """Audio that came from the far side, of any length."""

    at_ns: int
    side: Side
    track: str
    payload: bytes
    content_type: str | None = None
    """As it was said, with `playAudio`."""
    sample_rate: int | str | float | None = None
    size: int = 0
    """Of the message, in bytes."""
    is_text: bool = True


class Message(msgspec.Struct, array_like=True, frozen=True, tag="message"):
    """Anything else that a service said, as it was."""

    at_ns: int
    message: bytes
    is_text: bool = True

    def __repr__(self) -> str:
        return f"Message(at_ns={self.at_ns}, {len(self.message)} bytes)"


class Key(msgspec.Struct, array_like=True, frozen=True, tag="key"):
    """The caller pressed a key."""

    at_ns: int
    track: str
    digit: str

    def __repr__(self) -> str:
        return f"Key(at_ns={self.at_ns}, track={self.track!r}, digit=***)"


class Ack(msgspec.Struct, array_like=True, frozen=True, tag="ack"):
    """The call's side said `playedStream` with a name, or `clearedAudio`."""

    at_ns: int
    name: str | None


class Queued(msgspec.Struct, array_like=True, frozen=True, tag="queued"):
    """What went into the mixer's play queue: audio, a mark (`name`), or with neither a clear."""

    at_ns: int
    payload: bytes | None = None
    """Empty: that of the `Media` before it."""
    name: str | None = None


class Link(msgspec.Struct, array_like=True, frozen=True, tag="link"):
    """What became of the connection."""

    at_ns: int
    what: Literal["opened", "lost", "resumed", "emptied", "unsent"]
    """`emptied`: the far side's queue is gone with its connection; `unsent`: a message could not be sent."""


class Rate(msgspec.Struct, array_like=True, frozen=True, tag="rate"):
    """The room is mixed at that rate from about here on."""

    rate_hz: int


class Hole(msgspec.Struct, array_like=True, frozen=True, tag="hole"):
    """The disk was too slow: so many records are missing here, up to the beginning of the next tick."""

    at_ns: int
    records: int
    frames: int
    """Of these, the ones with sound of 20 ms."""


class Note(msgspec.Struct, array_like=True, frozen=True, tag="note"):
    """What a simulated caller noted for the timeline; `failed`: what was expected and did not hold."""

    at_ms: int
    kind: str
    text: str
    failed: bool = False


class End(msgspec.Struct, array_like=True, frozen=True, tag="end"):
    """How it ended."""

    at_ns: int
    reason: str
    detail: str = ""
    facts: Facts = {}  # noqa: RUF012
    """Numbers and words that cannot be found again from the records."""
    records: int = 0
    """Before this one."""
    bytes: int = 0
    """Before this record."""
    holes: int = 0
    """Records missing."""
    checksum: int = 0
    """CRC-32 of everything before this record, and of this one with 0 in this place."""


Record = Head | Tick | Frame | Media | Message | Key | Ack | Queued | Link | Rate | Hole | Note | End
