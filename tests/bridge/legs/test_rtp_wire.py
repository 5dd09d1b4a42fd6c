from __future__ import annotations

import pytest
from aiortc import rtp as independent
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.legs.rtp_wire import (
    HEADER,
    Goodbye,
    ReportBlock,
    SenderReport,
    extension_block,
    find_extension,
    goodbye,
    middle_32,
    ntp_time,
    read_rtcp,
    receiver_report,
    sender_report,
    source_description,
)

pytestmark = pytest.mark.wire

BLOCK = ReportBlock(0xDEADBEEF, 64, -3, 0x1FFFE, 480, 0x12345678, 65536)
REPORT = SenderReport(0xCAFE, 0x0102030405060708, 0xFFFFFFF0, 10, 1000)


def test_reports_are_read_as_they_were_written() -> None:
    assert list(read_rtcp(sender_report(REPORT, [BLOCK, BLOCK]))) == [REPORT, BLOCK, BLOCK]
    assert list(read_rtcp(receiver_report(5, [BLOCK]))) == [BLOCK]
    assert list(read_rtcp(goodbye([7, 8]))) == [Goodbye(7), Goodbye(8)]


def test_an_independent_reader_understands_our_compound_packet() -> None:
    compound = sender_report(REPORT, [BLOCK]) + source_description(0xCAFE, "someone") + goodbye([0xCAFE])
    report, description, bye = independent.RtcpPacket.parse(compound)
    assert report.ssrc == 0xCAFE
    assert report.sender_info.ntp_timestamp == REPORT.ntp
    assert (report.sender_info.packet_count, report.sender_info.octet_count) == (10, 1000)
    (block,) = report.reports
    assert (block.ssrc, block.fraction_lost, block.packets_lost) == (0xDEADBEEF, 64, -3)
    assert (block.highest_sequence, block.jitter, block.lsr, block.dlsr) == (0x1FFFE, 480, 0x12345678, 65536)
    assert description.chunks[0].items == [(1, b"someone")]
    assert bye.sources == [0xCAFE]


@pytest.mark.parametrize("name", ["", "a", "ab", "abc", "abcd", "x" * 300])
def test_source_description_is_padded_to_whole_words(name: str) -> None:
    packet = source_description(1, name)
    assert len(packet) % 4 == 0
    (description,) = independent.RtcpPacket.parse(packet)
    assert description.chunks[0].items == [(1, name[:255].encode())]


def test_ntp_time_counts_from_1900_and_its_middle_is_in_65536ths() -> None:
    assert ntp_time(0.5) >> 32 == 2_208_988_800
    assert middle_32(ntp_time(0.5)) & 0xFFFF == 0x8000


def test_header_extension_is_found_behind_sources_and_padding() -> None:
    header = HEADER.pack(0x92, 111, 1, 2, 3) + bytes(8)
    elements = b"\x00\x10\xff\x41ab"  # padding, number 1 of one byte, number 4 of two bytes
    packet = header + b"\xbe\xde\x00\x02" + elements.ljust(8, b"\0") + b"payload"
    assert find_extension(packet, 4) == b"ab"
    assert find_extension(packet, 1) == b"\xff"
    assert find_extension(packet, 5) is None


def test_header_extension_with_two_byte_headers_is_found_too() -> None:
    packet = HEADER.pack(0x90, 111, 1, 2, 3) + b"\x10\x00\x00\x02" + b"\x04\x03mid\x00\x00\x00"
    assert find_extension(packet, 4) == b"mid"


def test_written_header_extension_is_read_by_an_independent_reader() -> None:
    packet = HEADER.pack(0x90, 111, 1, 2, 3) + extension_block(4, b"12") + b"payload"
    assert find_extension(packet, 4) == b"12"
    parsed = independent.RtpPacket.parse(packet)
    assert parsed.payload == b"payload"
    with pytest.raises(ValueError, match="one-byte"):
        extension_block(15, b"12")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=120), st.integers(1, 14))
def test_garbage_is_read_without_raising(garbage: bytes, number: int) -> None:
    list(read_rtcp(garbage))
    for kind in (200, 201, 203):
        list(read_rtcp(bytes((0x9F, kind)) + garbage[:2] + garbage))
        list(read_rtcp(bytes((0x9F, kind, 0, len(garbage) // 4)) + garbage))
    for flags in (0x80, 0x90, 0x9F):
        found = find_extension(bytes((flags,)) + garbage, number)
        assert found is None or isinstance(found, bytes)
