from __future__ import annotations

import pytest

from bridge.core.packet_ring import Arrival, PacketRing

pytestmark = pytest.mark.unit


class Row:
    """One row; packets of 20 ms, told apart by their number."""

    def __init__(self) -> None:
        self.ring = PacketRing(64)
        self.now = 100.0

    def put(self, number: int, timestamp: int | None = None, after_s: float = 0.02) -> tuple[Arrival, int]:
        self.now += after_s
        stamp = number * 960 if timestamp is None else timestamp
        payload = number.to_bytes(2, "big")
        arrival, serial, _ = self.ring.put(
            0, payload, number & 0xFFFF, stamp & 0xFFFFFFFF, 960, False, self.now
        )
        return arrival, serial


def test_packets_are_found_by_their_serial() -> None:
    row = Row()
    serials = [row.put(number)[1] for number in (10, 11, 12)]
    assert serials == [serials[0], serials[0] + 1, serials[0] + 2]
    assert row.ring.packet(0, serials[1]) == (b"\x00\x0b", 11 * 960, 960)
    assert not row.ring.holds(0, serials[2] + 1)
    assert row.ring.end_stamp(0) == 13 * 960


def test_numbers_and_times_go_on_beyond_their_wrap() -> None:
    row = Row()
    base = row.put(0xFFFE, 0xFFFFFFFF - 1_000)[1]
    row.put(0xFFFF, 0xFFFFFFFF - 40)
    _, serial = row.put(0, 919)
    assert serial == base + 2
    assert row.ring.packet(0, serial)[1] == 0xFFFFFFFF - 40 + 960


def test_what_comes_out_of_order_finds_its_place_and_what_comes_twice_does_not() -> None:
    row = Row()
    base = row.put(100)[1]
    assert row.put(103) == (Arrival.KEPT, base + 3)
    assert row.put(101) == (Arrival.KEPT, base + 1)
    assert row.put(101)[0] is Arrival.DOUBLED
    assert row.ring.next_held(0, base + 2) == base + 3
    assert row.ring.next_held(0, base + 4) == base + 4


def test_two_strange_numbers_in_a_row_begin_a_new_stream() -> None:
    row = Row()
    base = row.put(100)[1]
    assert row.put(40_000, 5)[0] is Arrival.STRANGE
    assert row.put(101) == (Arrival.KEPT, base + 1)
    assert row.put(40_001, 965)[0] is Arrival.STRANGE
    arrival, serial = row.put(40_002, 1_925)
    assert arrival is Arrival.RESTARTED and serial & 0xFFFF == 40_002
    assert not row.ring.holds(0, base) and not row.ring.holds(0, base + 1)
    assert row.ring.next_held(0, base) == serial


def test_serials_and_stamps_stay_small_however_often_a_stream_begins_anew() -> None:
    row = Row()
    row.put(100, 48_000 * 60)
    for again in range(1_000):
        arrival, serial = row.put(101 + again, again % 2 * 48_000 * 60)
        assert arrival is Arrival.RESTARTED and serial < 1 << 17
    assert row.ring.end_stamp(0) < 1 << 33


def test_a_time_that_leaps_or_goes_back_begins_a_new_stream_and_a_pause_does_not() -> None:
    row = Row()
    row.put(1)
    assert row.put(2, 2 * 960 + 48_000 * 60, after_s=60)[0] is Arrival.KEPT
    assert row.put(3, 3 * 960 + 48_000 * 120)[0] is Arrival.RESTARTED
    assert row.put(4, 7)[0] is Arrival.RESTARTED
    assert row.put(5, 967)[0] is Arrival.KEPT


def test_an_older_number_with_a_newer_time_is_strange() -> None:
    row = Row()
    row.put(10)
    row.put(11)
    assert row.put(9, 20 * 960)[0] is Arrival.STRANGE


def test_a_row_that_was_cleared_holds_nothing() -> None:
    row = Row()
    serial = row.put(10)[1]
    row.ring.reset(0)
    assert not row.ring.holds(0, serial)
    assert row.put(50_000)[0] is Arrival.RESTARTED
