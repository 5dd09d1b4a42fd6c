"""RTP headers and RTCP packets (RFC 3550, 8285): bytes ↔ values. Pure; readers of RTCP never raise."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HEADER = struct.Struct("!BBHII")
"""Flags, marker and payload type, sequence number, timestamp, SSRC."""

_REPORT = struct.Struct("!IIIIII")
_SENDER_INFO = struct.Struct("!QIII")
_SENDER_REPORT, _RECEIVER_REPORT, _SOURCE_DESCRIPTION, _GOODBYE = 200, 201, 202, 203
_NTP_EPOCH_S = 2_208_988_800
MAX_BLOCKS = 31
"""Report blocks in one packet: their count has five bits."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """How one stream arrives at whoever sends the report (RFC 3550 §6.4.1)."""

    ssrc: int
    fraction_lost: int
    """In 256ths, since the report before."""
    lost: int
    """In all; negative when packets came twice."""
    highest: int
    """Extended highest sequence number."""
    jitter: int
    """In timestamp units."""
    last_report: int
    """Middle 32 bits of the NTP time in the last sender report from that stream; 0: none came yet."""
    delay: int
    """Since that report, in 65,536ths of a second."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """When and how much a stream has sent."""

    ssrc: int
    ntp: int
    """64 bits: seconds since 1900 and their 2³²th parts."""
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Goodbye:
    """A stream is over."""

    ssrc: int


def ntp_time(unix_s: float) -> int:
    """Unix time as the 64 bits of NTP."""
    return int((unix_s + _NTP_EPOCH_S) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def middle_32(ntp: int) -> int:
    """The part of an NTP time that reports echo."""
    return (ntp >> 16) & 0xFFFFFFFF


def sender_report(report: SenderReport, blocks: Sequence[ReportBlock] = ()) -> bytes:
    """An RTCP sender report with at most `MAX_BLOCKS` blocks."""
    info = _SENDER_INFO.pack(
        report.ntp, report.timestamp, report.packets & 0xFFFFFFFF, report.octets & 0xFFFFFFFF
    )
    body = report.ssrc.to_bytes(4, "big") + info + b"".join(map(_block, blocks))
    return _packet(_SENDER_REPORT, len(blocks), body)


def receiver_report(ssrc: int, blocks: Sequence[ReportBlock]) -> bytes:
    """An RTCP receiver report with at most `MAX_BLOCKS` blocks."""
    return _packet(_RECEIVER_REPORT, len(blocks), ssrc.to_bytes(4, "big") + b"".join(map(_block, blocks)))


def source_description(ssrc: int, cname: str) -> bytes:
    """An RTCP SDES packet: streams of one cname belong together."""
    name = cname.encode()[:255]
    item = ssrc.to_bytes(4, "big") + bytes((1, len(name))) + name + b"\0"
    return _packet(_SOURCE_DESCRIPTION, 1, item + b"\0" * (-len(item) % 4))


def goodbye(ssrcs: Sequence[int]) -> bytes:
    """An RTCP BYE packet for at most `MAX_BLOCKS` streams."""
    return _packet(_GOODBYE, len(ssrcs), b"".join(ssrc.to_bytes(4, "big") for ssrc in ssrcs))


def read_rtcp(compound: bytes) -> Iterator[SenderReport | ReportBlock | Goodbye]:
    """What a compound packet says. Unknown packets are skipped; reading ends at the first malformed one."""
    at = 0
    while len(compound) >= at + 4:
        flags, kind = compound[at], compound[at + 1]
        end = at + 4 + 4 * int.from_bytes(compound[at + 2 : at + 4], "big")
        if flags >> 6 != 2 or end > len(compound):
            return
        body, count = compound[at + 4 : end], flags & 0x1F
        at = end
        if kind == _SENDER_REPORT and len(body) >= 24:
            ntp, timestamp, packets, octets = _SENDER_INFO.unpack_from(body, 4)
            yield SenderReport(int.from_bytes(body[:4], "big"), ntp, timestamp, packets, octets)
            yield from _blocks(body, 24, count)
        elif kind == _RECEIVER_REPORT:
            yield from _blocks(body, 4, count)
        elif kind == _GOODBYE:
            for offset in range(0, min(4 * count, len(body) - 3), 4):
                yield Goodbye(int.from_bytes(body[offset : offset + 4], "big"))


def find_extension(packet: bytes, number: int) -> bytes | None:
    """The value of one RTP header extension (RFC 8285), None when the packet has none of that number."""
    if len(packet) < 12 or not packet[0] & 0x10:
        return None
    at = 12 + 4 * (packet[0] & 0x0F)
    profile = int.from_bytes(packet[at : at + 2], "big")
    end = at + 4 + 4 * int.from_bytes(packet[at + 2 : at + 4], "big")
    at += 4
    if end > len(packet):
        return None
    while at < end:
        if packet[at] == 0:  # padding
            at += 1
            continue
        if profile == 0xBEDE:
            found, length, at = packet[at] >> 4, (packet[at] & 0x0F) + 1, at + 1
            if found == 15:
                return None
        elif profile & 0xFFF0 == 0x1000 and at + 1 < end:
            found, length, at = packet[at], packet[at + 1], at + 2
        else:
            return None
        if found == number:
            return packet[at : at + length] if at + length <= end else None
        at += length
    return None


def extension_block(number: int, value: bytes) -> bytes:
    """The header extension that holds one value of 1 to 16 bytes under a number of 1 to 14."""
    if not 0 < number < 15 or not 0 < len(value) <= 16:
        raise ValueError("a one-byte extension has a number of 1…14 and 1…16 bytes")
    element = bytes((number << 4 | len(value) - 1,)) + value
    element += b"\0" * (-len(element) % 4)
    return b"\xbe\xde" + (len(element) // 4).to_bytes(2, "big") + element


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return bytes((0x80 | count, kind)) + (len(body) // 4).to_bytes(2, "big") + body


def _block(block: ReportBlock) -> bytes:
    lost = max(-0x800000, min(block.lost, 0x7FFFFF)) & 0xFFFFFF
    return _REPORT.pack(
        block.ssrc,
        min(block.fraction_lost, 255) << 24 | lost,
        block.highest & 0xFFFFFFFF,
        min(block.jitter, 0xFFFFFFFF),
        block.last_report,
        min(block.delay, 0xFFFFFFFF),
    )


def _blocks(body: bytes, offset: int, count: int) -> Iterator[ReportBlock]:
    for at in range(offset, offset + 24 * count, 24):
        if at + 24 > len(body):
            return
        ssrc, lost, highest, jitter, last_report, delay = _REPORT.unpack_from(body, at)
        total = lost & 0xFFFFFF
        yield ReportBlock(
            ssrc,
            lost >> 24,
            total - 0x1000000 if total & 0x800000 else total,
            highest,
            jitter,
            last_report,
            delay,
        )
