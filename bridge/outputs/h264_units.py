"""H.264 pictures between the two ways they are written (ISO/IEC 14496-10 Annex B, 14496-15 §5.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SLICE_OF_IDR, SEI, SPS, PPS, DELIMITER = 5, 6, 7, 8, 9
"""Types of NAL units."""

START = b"\x00\x00\x00\x01"
ACCESS_UNIT_DELIMITER = START + b"\x09\xf0"

_HIGH = {100, 110, 122, 144}
_START = re.compile(rb"\x00\x00\x01")
_LOOKS_LIKE_START = re.compile(rb"\x00\x00(?=[\x00-\x03])")
_USER_DATA_UNREGISTERED = 5
_STOP = b"\x80"


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """What a decoder must know before the first picture."""

    sps: bytes
    pps: bytes

    @property
    def codec_name(self) -> str:
        """`avc1.` with profile, constraints and level (RFC 6381 §3.3)."""
        return "avc1." + self.sps[1:4].hex().upper()

    def configuration(self) -> bytes:
        """AVCDecoderConfigurationRecord, for lengths of four bytes and 8-bit 4:2:0."""
        high = b"\xfd\xf8\xf8\x00" if self.sps[1] in _HIGH else b""
        return b"".join(
            (
                bytes((1, *self.sps[1:4], 0xFF, 0xE1)),
                len(self.sps).to_bytes(2, "big"),
                self.sps,
                b"\x01",
                len(self.pps).to_bytes(2, "big"),
                self.pps,
                high,
            )
        )


def nal_units(annex_b: bytes) -> list[bytes]:
    """The NAL units between the start codes."""
    starts = [match.end() for match in _START.finditer(annex_b)]
    ends = [start - 3 for start in starts[1:]] + [len(annex_b)]
    # A zero before a start code belongs to that, never to the unit: units end in a stop bit.
    return [annex_b[start:end].rstrip(b"\x00") for start, end in zip(starts, ends, strict=True)]


def user_data(identity: bytes, contents: Sequence[bytes]) -> bytes:
    """A NAL unit of SEI: one message of `user_data_unregistered` for each content (§7.3.2.3.1, D.1.7).

    `identity`: 16 bytes, a UUID that says what the contents are.
    """
    told = bytearray()
    for content in contents:
        body = identity + content
        told.append(_USER_DATA_UNREGISTERED)
        told += b"\xff" * (len(body) // 255) + bytes((len(body) % 255,))
        told += body
    return bytes((SEI,)) + _LOOKS_LIKE_START.sub(b"\x00\x00\x03", bytes(told) + _STOP)


def kind_of(unit: bytes) -> int:
    """The type of a NAL unit."""
    return unit[0] & 0x1F


def parameter_sets(annex_b: bytes) -> ParameterSets:
    """The first of each kind in an encoder's header. Raises ValueError when one is missing."""
    found: dict[int, bytes] = {}
    for unit in nal_units(annex_b):
        if unit:
            found.setdefault(kind_of(unit), unit)
    if SPS not in found or PPS not in found:
        raise ValueError("the encoder's header holds no parameter sets")
    return ParameterSets(found[SPS], found[PPS])


def to_lengths(annex_b: bytes) -> bytes:
    """For MP4: each unit behind its length; parameter sets and delimiters stand elsewhere."""
    return b"".join(
        len(unit).to_bytes(4, "big") + unit
        for unit in nal_units(annex_b)
        if unit and kind_of(unit) not in (SPS, PPS, DELIMITER)
    )


def for_transport(annex_b: bytes, sets: ParameterSets, key: bool) -> bytes:
    """For MPEG-TS: behind a delimiter, a key frame also behind its parameter sets."""
    head = ACCESS_UNIT_DELIMITER
    if key:
        head += START + sets.sps + START + sets.pps
    return head + b"".join(
        START + unit for unit in nal_units(annex_b) if unit and kind_of(unit) not in (SPS, PPS, DELIMITER)
    )
