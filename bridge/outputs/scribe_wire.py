"""What the server and its scribe say to each other. Pure.

The server opens a log, appends, closes it. The scribe says when the log is open and what is in it by then
(`Opened`), what is durable, and what is wrong. In trouble it throws away what it is told of that log; once
the log is open again, with a new `opening` number, it expects everything behind `Opened.sequence` once more.
What is said with an old opening number is passed over.
"""

from __future__ import annotations

import msgspec


class _Word(msgspec.Struct, frozen=True, tag=True, array_like=True):
    pass


class Open(_Word, frozen=True):
    """Open the log of a stretch, or make it."""

    log: int
    """What the server calls it; never used twice."""
    recording: str
    """The name of its directory in the root."""
    stretch: int
    identity: bytes
    """Eight bytes: a log that is there already and has others is another one's, and is left alone."""
    acknowledged: int
    """The newest sequence number that was said to be durable, 0 for a new log."""


class Append(_Word, frozen=True):
    """One batch."""

    log: int
    opening: int
    sequence: int
    since: int
    until: int
    payload: bytes


class Close(_Word, frozen=True):
    """Nothing follows."""

    log: int


class Opened(_Word, frozen=True):
    """The log is open, its directory and itself durable; the last whole batch in it is `sequence`, or 0."""

    log: int
    opening: int
    sequence: int
    until: int
    size: int


class Durable(_Word, frozen=True):
    """Everything up to `sequence` is on the disk."""

    log: int
    opening: int
    sequence: int
    size: int
    """Bytes of the log."""


class Troubled(_Word, frozen=True):
    """The log cannot be written; the scribe goes on trying."""

    log: int
    text: str


Order = Open | Append | Close
Answer = Opened | Durable | Troubled

_encoder = msgspec.msgpack.Encoder()
_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)

encode = _encoder.encode
decode_order = _orders.decode
decode_answer = _answers.decode
