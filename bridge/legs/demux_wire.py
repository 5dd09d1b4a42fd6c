"""What a player's leg and the child process that decodes for it say to each other. Pure.

The child asks for bytes and gets them; it gives sound, as much as it was granted. A *run* is what one demuxer
reads from beginning to end: a file, a connection, an HLS stream up to a discontinuity.
"""

from __future__ import annotations

import msgspec

RATE_HZ = 48_000
"""Of all sound: 16-bit, little-endian, one channel."""
SAMPLE_BYTES = 2
NO_END = 1 << 60
"""As many samples as there may be."""


class Begin(msgspec.Struct, frozen=True, array_like=True, tag="begin"):
    """Server to child: a new run. It comes to an answer of `Over` or `Broken`."""

    size: int | None
    """Bytes, where any of them can be asked for; None: only one after the other."""
    chunk: int
    """Samples that are given at once."""
    hurried: bool
    """It happens now: begin with little to look at."""


class Bytes(msgspec.Struct, frozen=True, array_like=True, tag="bytes"):
    """Server to child: what was asked for, or less; empty: there is no more."""

    content: bytes


class Grant(msgspec.Struct, frozen=True, array_like=True, tag="grant"):
    """Server to child: so many samples more may be given."""

    samples: int


class Read(msgspec.Struct, frozen=True, array_like=True, tag="read"):
    """Child to server: at most so many bytes, from there."""

    at: int
    count: int


class Began(msgspec.Struct, frozen=True, array_like=True, tag="began"):
    """Child to server: it is sound, of this kind."""

    container: str
    codec: str
    rate_hz: int
    channels: int


class Sound(msgspec.Struct, frozen=True, array_like=True, tag="sound"):
    """Child to server."""

    pcm: bytes


class Over(msgspec.Struct, frozen=True, array_like=True, tag="over"):
    """Child to server: the run was decoded to its end."""

    samples: int
    """What it gave."""


class Broken(msgspec.Struct, frozen=True, array_like=True, tag="broken"):
    """Child to server: the run cannot be decoded (any further). The text is for people."""

    text: str


ToChild = Begin | Bytes | Grant
FromChild = Read | Began | Sound | Over | Broken

_to_child: msgspec.msgpack.Decoder[ToChild] = msgspec.msgpack.Decoder(ToChild)
_from_child: msgspec.msgpack.Decoder[FromChild] = msgspec.msgpack.Decoder(FromChild)
_encoder = msgspec.msgpack.Encoder()


def encode(message: ToChild | FromChild) -> bytes:
    """One message."""
    return _encoder.encode(message)


def decode_for_child(message: bytes) -> ToChild:
    """Raises msgspec.MsgspecError."""
    return _to_child.decode(message)


def decode_from_child(message: bytes) -> FromChild:
    """Raises msgspec.MsgspecError."""
    return _from_child.decode(message)
