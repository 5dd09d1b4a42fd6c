"""A recording's log: what was written is read, what was cut or harmed is named, and nothing else goes."""

from __future__ import annotations

import zlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.outputs.record import Begun, Ended, Joined, Lost, Record, Sound, Talked
from bridge.outputs.record_log import (
    HEAD_BYTES,
    OPENING_BYTES,
    BadLog,
    Batch,
    Damage,
    LogScan,
    bytes_of,
    frame,
    identity_of,
    opening,
    pack,
)
from bridge.outputs.record_tail import ended_at, find_tail
from tests.kit.coded_sound import coded

pytestmark = pytest.mark.unit

IDENTITY = b"identity"


def told(sequence: int) -> list[Record]:
    """What batch `sequence`, from 1 on, tells: two ticks each."""
    since = 2 * (sequence - 1)
    records: list[Record] = [Sound("program", since, coded(since, 2)[:200])]
    if sequence == 1:
        records.insert(0, Begun("r", "room", 0, 1_700_000_000_000))
    if sequence % 3 == 0:
        records.append(Joined(since, "p", "Zoë 🌍"))
    return records


def log_of(count: int, *, ended: bool = False) -> tuple[bytes, list[int]]:
    """A log of so many batches, and where each ends."""
    log, ends = opening(IDENTITY), []
    for sequence in range(1, count + 1):
        log += frame(sequence, 2 * (sequence - 1), 2 * sequence, pack(told(sequence)))
        ends.append(len(log))
    if ended:
        log += frame(count + 1, 2 * count, 2 * count, pack([Ended(2 * count, "stopped")]))
        ends.append(len(log))
    return log, ends


def scan_all(log: bytes) -> tuple[list[Batch], list[Damage], int]:
    scan = LogScan(bytes_of(log))
    batches, damages = [], []
    while (found := scan.next()) is not None:
        (batches if isinstance(found, Batch) else damages).append(found)  # type: ignore[arg-type]
    return batches, damages, scan.at


def test_what_was_written_is_read() -> None:
    log, ends = log_of(5)
    batches, damages, at = scan_all(log)
    assert [batch.records() for batch in batches] == [told(number) for number in range(1, 6)]
    assert [(batch.since, batch.until) for batch in batches] == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]
    assert [batch.end for batch in batches] == ends
    assert damages == [] and at == len(log)
    assert identity_of(log) == IDENTITY


def test_a_log_cut_at_any_byte_gives_every_batch_before_the_cut() -> None:
    log, ends = log_of(3)
    for cut in range(len(log) + 1):
        batches, damages, at = scan_all(log[:cut])
        whole = sum(end <= cut for end in ends)
        assert [batch.sequence for batch in batches] == list(range(1, whole + 1)), cut
        assert damages == []
        sound = ends[whole - 1] if whole else OPENING_BYTES if cut >= OPENING_BYTES else 0
        assert at == sound
        tail = find_tail(bytes_of(log[:cut]), cut)
        assert (tail.offset, tail.sequence, tail.until) == (sound, whole, 2 * whole)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_flipped_bits_cost_their_batch_and_no_other(data: st.DataObject) -> None:
    log, ends = log_of(6)
    places = data.draw(st.sets(st.integers(0, 8 * len(log) - 1), min_size=1, max_size=4))
    harmed = bytearray(log)
    for place in places:
        harmed[place // 8] ^= 1 << (place % 8)
    starts = [OPENING_BYTES, *ends[:-1]]
    hit = {
        number
        for number, (start, end) in enumerate(zip(starts, ends, strict=True), 1)
        if any(start <= place // 8 < end for place in places)
    }
    batches, damages, _ = scan_all(bytes(harmed))
    assert [batch.sequence for batch in batches] == [n for n in range(1, 7) if n not in hit]
    for batch in batches:
        assert batch.records() == told(batch.sequence)
    for damage in damages:  # each is followed by a whole batch, and begins where one ended
        assert damage.end in [0, *starts] and damage.at in [0, *starts]
        assert damage.at < damage.end


@settings(max_examples=40, deadline=None)
@given(
    at=st.integers(0, 3500),
    length=st.integers(1, 2500),
    filler=st.sampled_from([b"\0", b"\xff", b"\xb7mbbatch"]),
)
def test_a_bad_sector_does_not_lose_the_rest(at: int, length: int, filler: bytes) -> None:
    log, ends = log_of(12)
    at = min(at, len(log))
    end = min(at + length, len(log))
    harmed = log[:at] + (filler * length)[: end - at] + log[end:]
    starts = [OPENING_BYTES, *ends[:-1]]
    whole = [n for n in range(1, 13) if ends[n - 1] <= at or starts[n - 1] >= end]
    batches, _, _ = scan_all(harmed)
    assert set(whole) <= {batch.sequence for batch in batches}  # a filler may be what was there already
    for batch in batches:
        assert batch.records() == told(batch.sequence)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300))
def test_garbage_is_never_taken_for_records(garbage: bytes) -> None:
    batches, damages, at = scan_all(garbage)
    assert (batches, damages, at) == ([], [], 0)
    batches, damages, at = scan_all(opening(IDENTITY) + garbage)
    assert (batches, damages, at) == ([], [], OPENING_BYTES)


def test_a_growing_log_gives_each_batch_once_it_is_whole() -> None:
    log, ends = log_of(3)
    there = 0
    scan = LogScan(lambda offset, length: log[offset : min(there, offset + length)])
    seen: dict[int, int] = {}
    for there in range(len(log) + 1):
        while (found := scan.next()) is not None:
            assert isinstance(found, Batch)
            seen[found.sequence] = there
    assert seen == {1: ends[0], 2: ends[1], 3: ends[2]}


def test_a_batch_that_stands_twice_is_read_once() -> None:
    log, ends = log_of(3)
    batches, damages, _ = scan_all(log + log[ends[0] :])
    assert [batch.sequence for batch in batches] == [1, 2, 3] and damages == []


def test_a_scan_notices_that_what_it_read_was_written_anew() -> None:
    log, ends = log_of(3)
    shown = log
    scan = LogScan(lambda offset, length: shown[offset : offset + length])
    while scan.next() is not None:
        pass
    assert scan.stands()
    shown = log[: ends[1]]
    assert not scan.stands()
    shown += frame(7, 4, 14, pack([Lost(4, 14, "full")]))
    assert not scan.stands()


def test_a_log_of_another_version_is_refused_not_guessed() -> None:
    said = b"\x89mbrec\x00\x02" + IDENTITY
    newer = said + zlib.crc32(said).to_bytes(4, "little") + bytes(12)
    with pytest.raises(BadLog, match="another version"):
        LogScan(bytes_of(newer)).next()
    strange = opening(IDENTITY) + frame(1, 0, 1, msgspec.msgpack.encode([["NoSuchRecord", 1]]))
    found = LogScan(bytes_of(strange)).next()
    assert isinstance(found, Batch)
    with pytest.raises(BadLog, match="another version"):
        found.records()


# --- where a log ends ---


def test_a_tail_behind_trusted_batches_ends_at_the_first_damage() -> None:
    log, ends = log_of(6)
    harmed = bytearray(log)
    harmed[ends[3] + HEAD_BYTES + 5] ^= 1  # the fifth
    read, size = bytes_of(bytes(harmed)), len(log)
    assert find_tail(read, size, trusted=3).sequence == 4
    assert find_tail(read, size, trusted=3).offset == ends[3]
    assert find_tail(read, size, trusted=6).offset == ends[5]  # a disk's fault: what follows was on the disk
    assert find_tail(read, size).offset == ends[5]


def test_a_tail_is_found_without_reading_what_cannot_be_harmed() -> None:
    log, ends = log_of(400)
    asked = 0

    def read(offset: int, length: int) -> bytes:
        nonlocal asked
        given = log[offset : offset + length]
        asked += len(given)
        return given

    tail = find_tail(read, len(log), checked_bytes=2000)
    assert (tail.offset, tail.sequence, tail.until) == (ends[-1], 400, 800)
    assert asked < len(log) // 2


def test_a_damaged_opening_does_not_hide_the_log() -> None:
    log, ends = log_of(3)
    harmed = bytes(8) + log[8:]
    assert find_tail(bytes_of(harmed), len(log)).offset == ends[2]
    assert find_tail(bytes_of(harmed), len(log), trusted=0).offset == 0  # nothing is lost by beginning anew


@pytest.mark.parametrize("count", [0, 1, 100])
def test_the_end_of_a_stretch_is_seen_from_its_last_bytes(count: int) -> None:
    log, _ = log_of(count, ended=True)
    assert ended_at(bytes_of(log), len(log)) == Ended(2 * count, "stopped")
    assert ended_at(bytes_of(log[:-1]), len(log) - 1) is None
    assert ended_at(bytes_of(log + b"x"), len(log) + 1) is None
    going_on, _ = log_of(count)
    assert ended_at(bytes_of(going_on), len(going_on)) is None


def test_events_survive_their_way_through_the_log() -> None:
    said: list[Record] = [Talked(3, "p", True), Lost(4, 9, "full"), Ended(9, "died")]
    found = LogScan(bytes_of(opening(IDENTITY) + frame(1, 3, 9, pack(said)))).next()
    assert isinstance(found, Batch) and found.records() == said
