"""The form of a recording's log: an opening, then batches of records, each guarded by checksums. Pure.

    opening   magic 8 | identity 8 | CRC of these 4 | zeros 12                              32 bytes
    batch     marker 8 | length 4 | sequence 8 | since 8 | until 8 | CRC 4 | CRC of head 4   44 bytes
              then `length` bytes: a msgpack array of records

All numbers little-endian; CRC is CRC-32 as in zlib. A batch tells all there is to tell of the ticks from
`since` until before `until`, so that what a damage took away is known to the tick. Its marker, and its head's
own CRC, are how the next one is found behind a damage. Sequence numbers only grow.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from bridge.errors import BridgeError
from bridge.outputs.record import Begun, Record

OPENING_BYTES = 32
IDENTITY_BYTES = 8
MAX_BATCH = 32 << 20
"""Payload bytes; a head that says more is damaged."""

_MAGIC = b"\x89mbrec\x00\x01"  # the last two are the version
_MARKER = b"\xb7mbbatch"
_OPENING = struct.Struct("<8s8sI12x")
_HEAD = struct.Struct("<8sIQQQI")
_CRC = struct.Struct("<I")
HEAD_BYTES = _HEAD.size + _CRC.size
_LOOK = 1 << 18

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[list[Record]] = msgspec.msgpack.Decoder(list[Record])

Read = Callable[[int, int], bytes]
"""`read(offset, length)`: up to `length` bytes from there on, fewer only at the end."""


class BadLog(BridgeError):
    """It is no log, or one of another version of ours."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is told of the ticks from `since` until before `until`, whole and unharmed."""

    sequence: int
    since: int
    until: int
    payload: bytes
    end: int
    """Where it ends in the log."""

    def records(self) -> list[Record]:
        """Raises BadLog for records of another version."""
        return unpack(self.payload)


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes from `at` to `end` are not what was written. A whole batch follows."""

    at: int
    end: int


def pack(records: Iterable[Record]) -> bytes:
    """A batch's payload."""
    return _encoder.encode(list(records))


def unpack(payload: bytes) -> list[Record]:
    """The records of a payload. Raises BadLog."""
    try:
        return _decoder.decode(payload)
    except msgspec.DecodeError as wrong:
        raise BadLog(f"records of another version: {wrong}") from wrong


def opening(identity: bytes) -> bytes:
    """What a log begins with. `identity`: eight bytes that tell it from every other one."""
    said = _MAGIC + identity
    return _OPENING.pack(_MAGIC, identity, zlib.crc32(said))


def identity_of(opened: bytes) -> bytes | None:
    """The identity in a log's first bytes; None when they are damaged or not all there. Raises BadLog."""
    if len(opened) < OPENING_BYTES:
        return None
    magic, identity, checksum = _OPENING.unpack_from(opened)
    if zlib.crc32(magic + identity) != checksum:
        return None
    if magic != _MAGIC:
        raise BadLog("the log is of another version")
    return bytes(identity)


def frame(sequence: int, since: int, until: int, payload: bytes) -> bytes:
    """One batch as it stands in the log. Raises ValueError when it is too large."""
    if len(payload) > MAX_BATCH:
        raise ValueError(f"a batch of {len(payload)} bytes is more than {MAX_BATCH}")
    head = _HEAD.pack(_MARKER, len(payload), sequence, since, until, zlib.crc32(payload))
    return b"".join((head, _CRC.pack(zlib.crc32(head)), payload))


class LogScan:
    """Goes through a log from batch to batch; the log may grow meanwhile.

    `next` gives what comes next: a batch; a damage, which the batch behind it ends; or None, when there is no
    further whole batch. Then `at` is where the log's sound part ends: what follows is torn, or still being
    written, and can be asked for again.
    """

    def __init__(self, read: Read, at: int = 0, *, sequence: int = 0) -> None:
        """`at`: where to begin, 0 or the end of the batch with that `sequence`."""
        self._read = read
        self.at = at
        self.sequence = sequence
        """Of the newest batch; those that are not newer are passed over."""
        self._last: tuple[int, Head] | None = None

    def next(self) -> Batch | Damage | None:
        """Raises BadLog, OSError."""
        while True:
            if self.at < OPENING_BYTES:
                if identity_of(self._read(0, OPENING_BYTES)) is None:
                    return self._pass_damage()
                self.at = OPENING_BYTES
            head = self.hop()
            if head is None:
                return self._pass_damage()
            payload = self._read(self.at + HEAD_BYTES, head.length)
            if len(payload) < head.length or zlib.crc32(payload) != head.checksum:
                return self._pass_damage()
            self._last = (self.at, head)
            self.at += HEAD_BYTES + head.length
            if head.sequence > self.sequence:
                self.sequence = head.sequence
                return Batch(head.sequence, head.since, head.until, payload, self.at)

    def stands(self) -> bool:
        """Whether the batch read last is still where it was. If not, a new scan from the start is needed."""
        if self._last is None:
            return True
        at, head = self._last
        return parse_head(self._read(at, HEAD_BYTES)) == head

    def hop(self) -> Head | None:
        """The head at `at`, without its payload; None when none is there. Does not go on."""
        return parse_head(self._read(self.at, HEAD_BYTES))

    def _pass_damage(self) -> Damage | None:
        """To the next whole batch, if there is one."""
        at = self.at
        found = self._find(at + 1)
        if found is None:
            return None
        self.at = found
        return Damage(at, found)

    def _find(self, start: int) -> int | None:
        while True:
            looked = self._read(start, _LOOK)
            place = looked.find(_MARKER)
            while place >= 0:
                head = parse_head(self._read(start + place, HEAD_BYTES))
                if head is not None:
                    payload = self._read(start + place + HEAD_BYTES, head.length)
                    if len(payload) == head.length and zlib.crc32(payload) == head.checksum:
                        return start + place
                place = looked.find(_MARKER, place + 1)
            if len(looked) < _LOOK:
                return None
            start += len(looked) - len(_MARKER) + 1


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before a payload."""

    length: int
    sequence: int
    since: int
    until: int
    checksum: int


def parse_head(head: bytes) -> Head | None:
    """None when it is cut or damaged."""
    if len(head) < HEAD_BYTES or not head.startswith(_MARKER):
        return None
    if _CRC.unpack_from(head, _HEAD.size)[0] != zlib.crc32(head[: _HEAD.size]):
        return None
    _, length, sequence, since, until, checksum = _HEAD.unpack_from(head)
    if length > MAX_BATCH or until < since:
        return None
    return Head(length, sequence, since, until, checksum)


def bytes_of(log: bytes) -> Read:
    """To read a log that lies in memory."""
    return lambda offset, length: log[offset : offset + length]


def begun_of(batch: Batch) -> Begun | None:
    """What a stretch says of itself, when this is its first batch."""
    return next((record for record in batch.records() if isinstance(record, Begun)), None)
