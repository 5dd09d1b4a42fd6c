"""A capture as bytes: records one after another, readable up to where the file was cut off. Pure.

A file is `MAGIC`, then records, each a length (4 bytes, big-endian) and that many bytes of MessagePack: an
array whose first item names the kind. `Head` comes first, `End` last; a file that was cut off lacks it, and
everything whole in it can be read.

| broken | what the reader says |
|---|---|
| another first 8 bytes, another version, no `Head` | `BadCapture` |
| a record longer than `MAX_RECORD_BYTES`, or one that is none of these kinds | `BadCapture`, with its place |
| a number, sum or checksum in `End` that does not fit what came before it | `BadCapture` |
| bytes behind `End` | `BadCapture` |
| the end in the middle of a record, or without `End` | no error; `CaptureReader.whole` is False |
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from bridge.core.ports import Encoding
from bridge.legs.capture_wire import (
    VERSION,
    BadCapture,
    End,
    Facts,
    Frame,
    Head,
    Hole,
    Media,
    Record,
    Tick,
)

MAGIC = b"MBCAPT\r\n"
SUFFIX = ".mbcapture"
MAX_RECORD_BYTES = 32 * 1024 * 1024
"""Twice the longest message that anybody here takes."""
CHUNK_BYTES = 16 * 1024
CHUNK_NS = 200_000_000
_LENGTH = struct.Struct(">I")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode


class CaptureWriter:
    """Records in, bytes out, in order: `begin`, `write` as often as wanted, `end`."""

    def __init__(self) -> None:
        self.records = 0
        self.bytes = 0
        self.missing = 0
        """Records that were not written, as holes say."""
        self._checksum = 0

    def begin(self, head: Head) -> bytes:
        """The file's first bytes."""
        return self._count(MAGIC) + self.write(head)

    def write(self, record: Record) -> bytes:
        """One record. Raises ValueError when it is too long to be read again."""
        body = _encode(record)
        if len(body) > MAX_RECORD_BYTES:
            raise ValueError(f"a record of {len(body)} bytes is too long")
        if type(record) is Hole:
            self.missing += record.records
        self.records += 1
        return self._count(_LENGTH.pack(len(body)) + body)

    def end(self, at_ns: int, reason: str, detail: str = "", facts: Facts | None = None) -> bytes:
        """The file's last bytes."""
        done = End(at_ns, reason, detail, facts or {}, self.records, self.bytes, self.missing)
        return self.write(replace(done, checksum=_sum_of(done, self._checksum)))

    def _count(self, written: bytes) -> bytes:
        self.bytes += len(written)
        self._checksum = zlib.crc32(written, self._checksum)
        return written


class CaptureBuffer:
    """A capture on its way to a disk. What there is no room for becomes a hole, up to the next tick."""

    def __init__(self, head: Head) -> None:
        self._writer = CaptureWriter()
        self._pending = bytearray(self._writer.begin(head))
        self._missing = self._missing_frames = 0
        """Since the last record that was taken."""
        self._at_ns = self._given_ns = 0
        self.ended = False

    @property
    def pending(self) -> int:
        """Bytes that wait to be taken away."""
        return len(self._pending)

    @property
    def size(self) -> int:
        """Bytes of the whole file so far."""
        return self._writer.bytes

    @property
    def missing(self) -> int:
        """Records in holes."""
        return self._writer.missing + self._missing

    @property
    def holed(self) -> bool:
        """Whether the record before was not taken: better to wait for much room than to make many holes."""
        return self._missing > 0

    @property
    def due(self) -> bool:
        """Whether it is time to take away what waits: a process that is killed loses no more than that."""
        return self.pending >= CHUNK_BYTES or self._at_ns - self._given_ns >= CHUNK_NS

    def put(self, record: Record, *, room: bool) -> None:
        """Take a record, if there is room for it; nothing happens after the end."""
        if self.ended:
            return
        self._at_ns = getattr(record, "at_ns", self._at_ns)
        if not room or (self._missing and type(record) is not Tick):
            self._missing += 1
            self._missing_frames += isinstance(record, Frame | Media)
            return
        self._fill_hole()
        self._pending += self._writer.write(record)

    def end(self, reason: str, detail: str = "", facts: Facts | None = None, at_ns: int = 0) -> None:
        """Nothing follows; nothing happens when it has ended. Without `at_ns`: with the last record."""
        if not self.ended:
            self.ended = True
            self._fill_hole()
            self._pending += self._writer.end(at_ns or self._at_ns, reason, detail, facts)

    def take(self) -> bytes:
        """What waits."""
        taken = bytes(self._pending)
        self._pending.clear()
        self._given_ns = self._at_ns
        return taken

    def _fill_hole(self) -> None:
        if self._missing:
            self._pending += self._writer.write(Hole(self._at_ns, self._missing, self._missing_frames))
            self._missing = self._missing_frames = 0


class CaptureReader:
    """Bytes in, records out: `feed` as they come, then look at `whole`."""

    def __init__(self) -> None:
        self.head: Head | None = None
        self.end: End | None = None
        self._waiting = bytearray()
        self._begun = False
        self._records = self._bytes = self._missing = self._checksum = 0
        self._tick = 0

    @property
    def whole(self) -> bool:
        """Whether everything up to its end was there."""
        return self.end is not None

    def feed(self, data: bytes) -> Iterator[Record]:
        """The records that are complete with `data`. Raises BadCapture; use the iterator up."""
        waiting = self._waiting
        waiting += data
        if not self._begun:
            if bytes(waiting[: len(MAGIC)]) != MAGIC[: len(waiting)]:
                raise BadCapture("this is no capture")
            if len(waiting) < len(MAGIC):
                return
            self._take(len(MAGIC))
            self._begun = True
        while len(waiting) >= _LENGTH.size:
            if self.end is not None:
                break
            (length,) = _LENGTH.unpack_from(waiting)
            if length > MAX_RECORD_BYTES:
                raise self._bad(f"a record of {length} bytes")
            if len(waiting) < _LENGTH.size + length:
                return
            record = self._read(bytes(waiting[_LENGTH.size : _LENGTH.size + length]))
            self._take(_LENGTH.size + length)
            self._records += 1
            yield record
        if self.end is not None and waiting:
            raise self._bad("something behind the end")

    def _read(self, body: bytes) -> Record:
        try:
            record: Record = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if self.head is None:
                raise BadCapture("this capture's head cannot be read") from None
            raise self._bad("a record that makes no sense") from None
        if (self.head is None) != (type(record) is Head):
            raise self._bad("a record before the head" if self.head is None else "a second head")
        match record:
            case Head():
                self.head = _checked(record)
            case Tick(number=number):
                if number <= self._tick:
                    raise self._bad(f"tick {number} after tick {self._tick}")
                self._tick = number
            case Hole(records=missing):
                self._missing += missing
            case End():
                self._check(record)
                self.end = record
            case _:
                pass
        return record

    def _check(self, end: End) -> None:
        found = (self._records, self._bytes, self._missing, _sum_of(end, self._checksum))
        if (end.records, end.bytes, end.holes, end.checksum) != found:
            raise self._bad("an end that does not fit what came before it: the file was changed")

    def _take(self, count: int) -> None:
        if self.end is None:
            self._checksum = zlib.crc32(self._waiting[:count], self._checksum)
        self._bytes += count
        del self._waiting[:count]

    def _bad(self, what: str) -> BadCapture:
        return BadCapture(f"a broken capture: {what}, at byte {self._bytes}")


def _sum_of(end: End, before: int) -> int:
    """Of everything before the end, and of the end but for the sum itself."""
    return zlib.crc32(_encode(replace(end, checksum=0)), before)


def _checked(head: Head) -> Head:
    if head.version != VERSION:
        raise BadCapture(f"a capture of version {head.version}; this is for version {VERSION}")
    try:
        known = head.audio_format.encoding is not Encoding.OPUS and head.rate_hz in (8_000, 16_000)
    except ValueError:
        known = False
    if not known or not head.tracks:
        raise BadCapture("a capture of a format that is not known")
    return head
