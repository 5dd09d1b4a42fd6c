"""MPEG transport streams, written by ourselves: segments cut where we say, counters running on over them.

ISO/IEC 13818-1, as HLS wants it (RFC 8216 §3.2): one programme, tables at the head of every segment. Times
are `media_units`', written at 90 kHz modulo 2^33.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from bridge.outputs.h264_units import for_transport
from bridge.outputs.media_units import LEAD, PictureTrack, SoundTrack, Unit

PACKET = 188
WRAP = 1 << 33

_PAT_PID, _PMT_PID, _PICTURE_PID, _SOUND_PID = 0, 0x1000, 0x100, 0x101
_STREAM_TYPES = {"aac": 0x0F, "mp3": 0x03}
_FRAMES_A_PES = 4
"""A frame of sound alone would fill the better half of a packet with nothing."""
_CLOCK_AHEAD = 45_000
"""How much the clock reference lies before what is sent with it, at 90 kHz: a decoder's buffer."""


def time_90k(at: int) -> int:
    """A time as it is written, at 90 kHz modulo 2^33."""
    return (at + LEAD) * 15 // 8 % WRAP


class TransportStream:
    """One stream; its segments are to be asked for in order. Raises ValueError for what TS cannot hold."""

    def __init__(self, sound: SoundTrack | None, picture: PictureTrack | None) -> None:
        if sound is not None and sound.codec not in _STREAM_TYPES:
            raise ValueError(f"{sound.codec} has no place in MPEG-TS for HLS; aac and mp3 have")
        self._sound, self._picture = sound, picture
        self._counters: dict[int, int] = {}
        self._clock_pid = _SOUND_PID if picture is None else _PICTURE_PID
        self._tables = _pat(), self._pmt()

    def segment(self, sound: Sequence[Unit], picture: Sequence[Unit]) -> bytes:
        """A segment with these units, whose times follow each other."""
        packets = [
            self._table(_PAT_PID, self._tables[0]),
            self._table(_PMT_PID, self._tables[1]),
        ]
        messages: list[tuple[int, int, bool, bytes]] = []
        for at in range(0, len(sound), _FRAMES_A_PES):
            some = sound[at : at + _FRAMES_A_PES]
            payload = b"".join(self._framed(unit.payload) for unit in some)
            messages.append((some[0].at, _SOUND_PID, True, _pes(0xC0, some[0].at, payload)))
        for unit in picture:
            assert self._picture is not None
            payload = for_transport(unit.payload, self._picture.sets, unit.key)
            messages.append((unit.at, _PICTURE_PID, unit.key, _pes(0xE0, unit.at, payload)))
        for when, pid, key, message in sorted(messages, key=lambda entry: entry[:2]):
            packets.extend(self._packets(pid, message, when, key))
        return b"".join(packets)

    def _framed(self, payload: bytes) -> bytes:
        assert self._sound is not None
        return _adts(self._sound.header, len(payload)) + payload if self._sound.codec == "aac" else payload

    def _packets(self, pid: int, message: bytes, when: int, key: bool) -> Iterator[bytes]:
        clock = struct.pack(">BI", 0x10 | 0x40 * key, 0) if pid == self._clock_pid else b""
        if clock:
            reference = (time_90k(when) - _CLOCK_AHEAD) % WRAP
            # 33 bits at 90 kHz, six reserved bits, nine bits at 27 MHz.
            clock = clock[:1] + struct.pack(">IH", reference >> 1, (reference & 1) << 15 | 0x7E00)
        elif key:
            clock = b"\x40"
        at, first = 0, True
        while at < len(message):
            field = clock if first else b""
            room = PACKET - 4 - (1 + len(field) if field else 0)
            left = len(message) - at
            if left < room:  # the last one is filled up within its adaptation field
                missing = PACKET - 4 - left - 1
                field = b"" if missing == 0 else (field or b"\x00").ljust(missing, b"\xff")
                field = bytes((len(field),)) + field
                room = left
            elif field:
                field = bytes((len(field),)) + field
            yield self._head(pid, first, bool(field)) + field + message[at : at + room]
            at, first = at + room, False

    def _head(self, pid: int, first: bool, adapted: bool) -> bytes:
        counter = self._counters.get(pid, 0)
        self._counters[pid] = counter + 1 & 15
        return struct.pack(">BHB", 0x47, first << 14 | pid, (0x30 if adapted else 0x10) | counter)

    def _table(self, pid: int, table: bytes) -> bytes:
        return (self._head(pid, True, False) + b"\x00" + table).ljust(PACKET, b"\xff")

    def _pmt(self) -> bytes:
        streams = b""
        if self._picture is not None:
            streams += struct.pack(">BHH", 0x1B, 0xE000 | _PICTURE_PID, 0xF000)
        if self._sound is not None:
            streams += struct.pack(">BHH", _STREAM_TYPES[self._sound.codec], 0xE000 | _SOUND_PID, 0xF000)
        return _section(2, struct.pack(">HH", 0xE000 | self._clock_pid, 0xF000) + streams)


def _pat() -> bytes:
    return _section(0, struct.pack(">HH", 1, 0xE000 | _PMT_PID))


def _section(table_id: int, payload: bytes) -> bytes:
    """A table of one section, number 1, version 0, with its check sum."""
    length = 5 + len(payload) + 4
    section = struct.pack(">BHHBBB", table_id, 0xB000 | length, 1, 0xC1, 0, 0) + payload
    return section + struct.pack(">I", _crc(section))


def _crc(section: bytes) -> int:
    """CRC-32/MPEG-2 (ISO/IEC 13818-1 Annex A)."""
    crc = 0xFFFFFFFF
    for byte in section:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def _pes(stream_id: int, at: int, payload: bytes) -> bytes:
    """One message with its time; a picture's may be too long for the field that says how long it is."""
    time = time_90k(at)
    pts = struct.pack(">BHH", 0x21 | time >> 29 & 0x0E, time >> 14 & 0xFFFE | 1, time << 1 & 0xFFFE | 1)
    length = len(payload) + 8
    if length > 0xFFFF or stream_id == 0xE0:
        length = 0
    return struct.pack(">IHBBB", 0x100 | stream_id, length, 0x84, 0x80, 5) + pts + payload


def _adts(config: bytes, length: int) -> bytes:
    """The head of an AAC frame (ISO/IEC 13818-7 §6.2), from an AudioSpecificConfig."""
    profile, frequency, channels = config[0] >> 3, (config[0] & 7) << 1 | config[1] >> 7, config[1] >> 3 & 15
    whole = length + 7
    return bytes(
        (
            0xFF,
            0xF1,
            (profile - 1 & 3) << 6 | frequency << 2 | channels >> 2,
            (channels & 3) << 6 | whole >> 11,
            whole >> 3 & 0xFF,
            (whole & 7) << 5 | 0x1F,
            0xFC,
        )
    )
