from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest

from bridge.legs.rtcp_reports import Reports
from bridge.legs.rtp_receive import MAX_STREAMS, Expected, Receiver
from bridge.legs.rtp_send import PacketSender
from bridge.legs.rtp_wire import (
    HEADER,
    Goodbye,
    ReportBlock,
    SenderReport,
    extension_block,
    find_extension,
    middle_32,
    ntp_time,
    read_rtcp,
    receiver_report,
    sender_report,
)
from tests.kit.clock import ManualClock

pytestmark = pytest.mark.unit

OPUS, MID_NUMBER = 111, 4


class Pushed:
    """What a section's input got."""

    def __init__(self) -> None:
        self.packets: list[tuple[bytes, int, int, float]] = []

    def __call__(self, payload: bytes, sequence_number: int, timestamp: int, now: float) -> None:
        self.packets.append((payload, sequence_number, timestamp, now))


def packet(
    ssrc: int = 7,
    number: int = 0,
    timestamp: int = 0,
    *,
    payload_type: int = OPUS,
    mid: str = "",
    payload: bytes = b"opus",
) -> bytes:
    extension = extension_block(MID_NUMBER, mid.encode()) if mid else b""
    return (
        HEADER.pack(0x90 if mid else 0x80, payload_type, number & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
        + extension
        + payload
    )


def section(
    pushed: Pushed, mid: str = "1", ssrcs: tuple[int, ...] = (), payload_type: int = OPUS
) -> Expected:
    return Expected(mid, payload_type, ssrcs, MID_NUMBER, pushed)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def receive_numbers(receiver: Receiver, clock: ManualClock, numbers: Iterable[int], ssrc: int = 7) -> None:
    for number in numbers:
        receiver.receive(packet(ssrc, number, number * 960), clock.tick())


# --- receiving ---


def test_payload_number_and_timestamp_reach_the_input(clock: ManualClock) -> None:
    receiver, pushed = Receiver(), Pushed()
    receiver.expect([section(pushed, ssrcs=(7,))])
    receiver.receive(packet(7, 65535, 0xFFFFFFFF, mid="1"), clock.now)
    assert pushed.packets == [(b"opus", 65535, 0xFFFFFFFF, clock.now)]


def test_sources_and_padding_are_not_payload(clock: ManualClock) -> None:
    receiver, pushed = Receiver(), Pushed()
    receiver.expect([section(pushed, ssrcs=(7,))])
    receiver.receive(HEADER.pack(0xA2, OPUS, 1, 2, 7) + bytes(8) + b"opus\x00\x00\x03", clock.now)
    receiver.receive(HEADER.pack(0xA0, OPUS, 2, 3, 7) + b"\x00\x02", clock.now)
    assert [payload for payload, *_ in pushed.packets] == [b"opus"], "the second is padding only"


def test_unknown_ssrc_is_told_apart_by_its_mid(clock: ManualClock) -> None:
    receiver, first, second = Receiver(), Pushed(), Pushed()
    receiver.expect([section(first, "1"), section(second, "3")])
    receiver.receive(packet(50, mid="3"), clock.now)
    receiver.receive(packet(50), clock.now)
    receiver.receive(packet(60, mid="9"), clock.now)
    receiver.receive(packet(70), clock.now)
    assert (len(first.packets), len(second.packets), receiver.unwanted) == (0, 2, 2)


def test_unknown_ssrc_without_mid_belongs_to_the_only_section_of_its_codec(clock: ManualClock) -> None:
    receiver, pushed = Receiver(), Pushed()
    receiver.expect([section(pushed)])
    receiver.receive(packet(50), clock.now)
    receiver.receive(packet(51, payload_type=63), clock.now)
    assert (len(pushed.packets), receiver.unwanted) == (1, 1)


def test_section_no_longer_expected_gets_nothing_and_its_ssrc_may_move(clock: ManualClock) -> None:
    receiver, before, after = Receiver(), Pushed(), Pushed()
    receiver.expect([section(before, "1", (7,))])
    receiver.receive(packet(7), clock.now)
    receiver.expect([])
    receiver.receive(packet(7, 1), clock.now)
    receiver.expect([section(after, "3", (7,))])
    receiver.receive(packet(7, 2), clock.now)
    assert (len(before.packets), len(after.packets)) == (1, 1)


def test_many_ssrcs_push_out_those_silent_longest(clock: ManualClock) -> None:
    receiver, pushed = Receiver(), Pushed()
    receiver.expect([section(pushed)])
    for ssrc in range(100, 100 + 3 * MAX_STREAMS):
        receiver.receive(packet(ssrc), clock.tick())
    assert len(receiver.streams) == MAX_STREAMS
    assert 100 + 3 * MAX_STREAMS - 1 in receiver.streams


def test_cut_packet_raises_what_the_seam_counts(clock: ManualClock) -> None:
    receiver, pushed = Receiver(), Pushed()
    receiver.expect([section(pushed, ssrcs=(7,))])
    for broken in (b"", b"\x80", packet()[:11]):
        with pytest.raises(struct.error):
            receiver.receive(broken, clock.now)
    with pytest.raises(IndexError):
        receiver.receive(HEADER.pack(0x90, OPUS, 0, 0, 7), clock.now)
    assert pushed.packets == []


# --- statistics ---


def test_report_counts_loss_in_all_and_in_the_interval(clock: ManualClock) -> None:
    receiver = Receiver()
    receiver.expect([section(Pushed(), ssrcs=(7,))])
    receive_numbers(receiver, clock, [n for n in range(100, 200) if n % 4])
    (block,) = receiver.reports(clock.now)
    # The first that came was 101 and the last 199: 99 expected, and every fourth of them missing.
    assert (block.lost, block.highest) == (24, 199)
    assert block.fraction_lost == (24 << 8) // 99
    receive_numbers(receiver, clock, range(200, 300))
    (block,) = receiver.reports(clock.now)
    assert (block.lost, block.fraction_lost, block.highest) == (24, 0, 299)


def test_highest_number_is_extended_over_the_wrap(clock: ManualClock) -> None:
    receiver = Receiver()
    receiver.expect([section(Pushed(), ssrcs=(7,))])
    receive_numbers(receiver, clock, range(65530, 65546))
    (block,) = receiver.reports(clock.now)
    assert (block.highest, block.lost) == (65545, 0)


def test_late_and_doubled_packets_do_not_move_the_highest(clock: ManualClock) -> None:
    receiver = Receiver()
    receiver.expect([section(Pushed(), ssrcs=(7,))])
    receive_numbers(receiver, clock, [1, 2, 4, 5, 3, 5])
    (block,) = receiver.reports(clock.now)
    assert (block.highest, block.lost) == (5, -1)


def test_sender_that_begins_anew_is_counted_anew(clock: ManualClock) -> None:
    receiver = Receiver()
    receiver.expect([section(Pushed(), ssrcs=(7,))])
    receive_numbers(receiver, clock, range(10))
    receive_numbers(receiver, clock, range(30000, 30010))
    (block,) = receiver.reports(clock.now)
    assert (block.highest, block.lost) == (30009, 0)


def test_steady_packets_have_no_jitter_and_unsteady_ones_have(clock: ManualClock) -> None:
    receiver = Receiver()
    receiver.expect([section(Pushed(), ssrcs=(7, 8))])
    receive_numbers(receiver, clock, range(100))
    assert receiver.streams[7].jitter == pytest.approx(0, abs=1)
    for number in range(200):
        clock.tick()
        receiver.receive(packet(8, number, number * 960), clock.now + 0.010 * (number % 2))
    # Every step is 10 ms too long or too short: the mean deviation is 10 ms.
    assert receiver.streams[8].jitter / 48 == pytest.approx(10, rel=0.02)


def test_silence_of_the_sender_is_not_jitter(clock: ManualClock) -> None:
    receiver = Receiver()
    receiver.expect([section(Pushed(), ssrcs=(7,))])
    receiver.receive(packet(7, 0, 0), clock.now)
    clock.advance(5)
    receiver.receive(packet(7, 1, 5 * 48000), clock.now)
    clock.advance(0.02)
    receiver.receive(packet(7, 2, 90 * 48000), clock.now)
    assert receiver.streams[7].jitter == pytest.approx(0, abs=1)


def test_streams_silent_for_long_are_not_reported(clock: ManualClock) -> None:
    receiver = Receiver()
    receiver.expect([section(Pushed(), ssrcs=(7, 8))])
    receive_numbers(receiver, clock, range(5))
    assert [block.ssrc for block in receiver.reports(clock.now)] == [7]
    clock.advance(11)
    assert receiver.reports(clock.now) == []


# --- sending ---


class Wire:
    """Takes packets as the transport would."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.up = True

    def __call__(self, packet: bytes) -> bool:
        if self.up:
            self.packets.append(packet)
        return self.up

    @property
    def headers(self) -> list[tuple[int, int, int, int, int]]:
        return [HEADER.unpack_from(one) for one in self.packets]


def sender_on(wire: Wire, clock: ManualClock) -> PacketSender:
    sender = PacketSender(wire, lambda: clock.now)
    sender.begin(OPUS, "5", MID_NUMBER)
    return sender


def test_sender_numbers_packets_and_adds_up_time(clock: ManualClock) -> None:
    wire = Wire()
    sender = sender_on(wire, clock)
    for advance in (960, 960, 2880, 960):
        sender.send_packet(b"opus", advance)
        clock.tick()
    numbers = [number for _, _, number, _, _ in wire.headers]
    times = [timestamp for _, _, _, timestamp, _ in wire.headers]
    assert [(b - a) & 0xFFFF for a, b in zip(numbers, numbers[1:], strict=False)] == [1, 1, 1]
    assert [(b - a) & 0xFFFFFFFF for a, b in zip(times, times[1:], strict=False)] == [960, 2880, 960]
    assert numbers[0] < 0x8000
    assert {ssrc for *_, ssrc in wire.headers} == {sender.ssrc}
    assert find_extension(wire.packets[0], MID_NUMBER) == b"5"
    assert wire.packets[0].endswith(b"opus")


def test_marker_tells_the_first_packet_after_a_silence(clock: ManualClock) -> None:
    wire = Wire()
    sender = sender_on(wire, clock)
    for advance in (960, 960, 48000, 960):
        sender.send_packet(b"opus", advance)
    assert [kind >> 7 for _, kind, *_ in wire.headers] == [1, 0, 1, 0]


def test_inactive_sender_drops_and_catches_up_with_the_clock(clock: ManualClock) -> None:
    wire = Wire()
    sender = sender_on(wire, clock)
    sender.send_packet(b"opus", 960)
    sender.end()
    sender.send_packet(b"opus", 960)
    clock.advance(10)
    sender.begin(OPUS, "5", MID_NUMBER)
    sender.send_packet(b"opus", 960)
    (_, _, first, before, _), (_, _, second, after, _) = wire.headers
    assert second == first + 1
    assert (after - before) & 0xFFFFFFFF == 10 * 48000
    assert sender.dropped == 1


def test_packet_without_a_way_out_uses_no_number(clock: ManualClock) -> None:
    wire = Wire()
    sender = sender_on(wire, clock)
    wire.up = False
    sender.send_packet(b"opus", 960)
    wire.up = True
    sender.send_packet(b"opus", 960)
    sender.send_packet(b"opus", 960)
    assert (sender.packets, sender.dropped) == (2, 1)
    assert wire.headers[1][2] == wire.headers[0][2] + 1


def test_sender_without_negotiated_mid_writes_no_extension(clock: ManualClock) -> None:
    wire = Wire()
    sender = PacketSender(wire, lambda: clock.now)
    sender.begin(96, "0", None)
    sender.send_packet(b"opus", 960)
    assert wire.packets[0][12:] == b"opus"
    assert wire.packets[0][0] == 0x80


def test_sender_report_extrapolates_the_timestamp(clock: ManualClock) -> None:
    wire = Wire()
    sender = sender_on(wire, clock)
    assert sender.report(1, clock.now) is None
    sender.send_packet(b"opus", 960)
    report = sender.report(ntp_time(1000.0), clock.now + 0.5)
    assert report is not None
    assert (report.timestamp - wire.headers[0][3]) & 0xFFFFFFFF == 24000
    assert (report.packets, report.octets) == (1, 4)


# --- RTCP ---


def test_one_compound_packet_for_each_sender_and_blocks_in_the_first(clock: ManualClock) -> None:
    receiver = Receiver()
    receiver.expect([section(Pushed(), ssrcs=(7,))])
    receive_numbers(receiver, clock, range(5))
    senders = [sender_on(Wire(), clock) for _ in range(2)]
    for sender in senders:
        sender.send_packet(b"opus", 960)
    reports = Reports(receiver, "someone")
    compounds = [list(read_rtcp(compound)) for compound in reports.due(senders, clock.now, 1000.0)]
    assert [type(items[0]) for items in compounds] == [SenderReport, SenderReport]
    assert [len(items) for items in compounds] == [2, 1]


def test_peer_that_only_talks_gets_receiver_reports(clock: ManualClock) -> None:
    receiver = Receiver()
    receiver.expect([section(Pushed(), ssrcs=(7,))])
    reports = Reports(receiver, "someone")
    assert reports.due([], clock.now, 1000.0) == []
    receive_numbers(receiver, clock, range(5))
    (compound,) = reports.due([], clock.now, 1000.0)
    (block,) = read_rtcp(compound)
    assert isinstance(block, ReportBlock) and block.ssrc == 7


def test_senders_report_is_echoed_with_its_age(clock: ManualClock) -> None:
    receiver = Receiver()
    receiver.expect([section(Pushed(), ssrcs=(7,))])
    receive_numbers(receiver, clock, range(5))
    reports = Reports(receiver, "someone")
    report = SenderReport(7, 0x0011223344556677, 0, 0, 0)
    reports.receive(sender_report(report), [], clock.now, 1000.0)
    clock.advance(0.25)
    (block,) = receiver.reports(clock.now)
    assert (block.last_report, block.delay) == (0x22334455, 16384)


def test_round_trip_is_what_passed_less_what_the_peer_waited(clock: ManualClock) -> None:
    sender = sender_on(Wire(), clock)
    sender.send_packet(b"opus", 960)
    reports = Reports(Receiver(), "someone")
    sent = middle_32(ntp_time(1000.0))
    block = ReportBlock(sender.ssrc, 128, 1, 1, 0, sent, int(0.5 * 65536))
    reports.receive(receiver_report(9, [block]), [sender], clock.now, 1000.58)
    assert reports.round_trip_s == pytest.approx(0.08, abs=0.001)
    assert reports.far_loss == pytest.approx(0.125)


def test_reports_on_streams_of_others_tell_nothing(clock: ManualClock) -> None:
    reports = Reports(Receiver(), "someone")
    block = ReportBlock(99, 255, 1, 1, 0, middle_32(ntp_time(1000.0)), 0)
    reports.receive(receiver_report(9, [block]), [], clock.now, 1001.0)
    assert (reports.round_trip_s, reports.far_loss) == (None, 0.0)


def test_goodbye_names_what_was_sent(clock: ManualClock) -> None:
    sent, silent = sender_on(Wire(), clock), sender_on(Wire(), clock)
    sent.send_packet(b"opus", 960)
    reports = Reports(Receiver(), "someone")
    last = reports.last([silent, sent])
    assert last is not None and list(read_rtcp(last)) == [Goodbye(sent.ssrc)]
    assert reports.last([silent]) is None
