"""Recordings get onto the disk, whatever becomes of the scribe and the disk; with real child processes."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.outputs.back_off import BackOff
from bridge.outputs.child_limits import ChildLimits
from bridge.outputs.record import Begun, Ended, Joined, Lost
from bridge.outputs.record_reader import RecordReader, log_path
from bridge.outputs.record_writer import RecordWriter, WriterSettings
from tests.kit.coded_sound import heard_ticks, lost_ticks
from tests.kit.spoken_record import Notices, SpokenRecord

pytestmark = pytest.mark.e2e

SETTINGS = WriterSettings(back_off=BackOff(first_s=0.02, most_s=0.1))


@pytest.fixture
def notices() -> Notices:
    return Notices()


@pytest.fixture
async def writer(tmp_path: Path, notices: Notices) -> AsyncIterator[RecordWriter]:
    made = notices.writer(tmp_path, SETTINGS)
    await made.start()
    yield made
    await made.close(2.0)


def scribe_of(writer: RecordWriter) -> int:
    child = writer._scribe.child
    assert child is not None and child.pid is not None
    return child.pid


async def test_what_was_told_is_in_the_log_when_the_stretch_has_ended(
    tmp_path: Path, writer: RecordWriter, notices: Notices
) -> None:
    record = SpokenRecord(writer, tmp_path)
    record.say(20)
    assert await record.end() == 0
    records = record.records()
    assert isinstance(records[0], Begun) and records[1] == Joined(0, "p1", "Ann")
    assert records[-1] == Ended(200, "stopped")
    assert heard_ticks(records) == list(range(200)) and lost_ticks(records) == []
    figures = record.figures
    assert figures.bytes == log_path(tmp_path / "r1", 0).stat().st_size
    assert (figures.ticks, figures.durable_ticks, figures.lag_ms, figures.queue_bytes) == (200, 200, 0, 0)
    assert (figures.holes, figures.trouble, notices.said) == (0, None, [])


async def test_files_are_for_the_server_alone(tmp_path: Path, writer: RecordWriter) -> None:
    record = SpokenRecord(writer, tmp_path)
    assert await record.end() == 0
    path = log_path(tmp_path / "r1", 0)
    assert [entry.stat().st_mode & 0o777 for entry in (path, path.parent, path.parent.parent)] == [
        0o600, 0o700, 0o700,
    ]  # fmt: skip


async def test_sound_is_durable_within_a_second(tmp_path: Path, writer: RecordWriter) -> None:
    record = SpokenRecord(writer, tmp_path)
    await record.on_disk()  # the scribe is there
    worst = 0
    for _ in range(8):
        record.say()
        await asyncio.sleep(0.2)
        worst = max(worst, record.figures.lag_ms)
    assert worst <= 1000
    began = time.monotonic()
    record.say()
    await record.on_disk()
    assert time.monotonic() - began < 1.0


async def test_several_recordings_and_stretches_do_not_mix(tmp_path: Path, writer: RecordWriter) -> None:
    records = [SpokenRecord(writer, tmp_path, name) for name in ("a", "b", "c")]
    for length, record in enumerate(records, 1):
        record.say(length)
    assert await asyncio.gather(*(record.end() for record in records)) == [0, 0, 0]
    second = SpokenRecord(writer, tmp_path, "a", stretch=1)
    second.say(7)
    assert await second.end() == 0
    assert [len(heard_ticks(record.records())) for record in [*records, second]] == [10, 20, 30, 70]
    assert RecordReader(tmp_path / "a").stretches() == [0, 1]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_scribe_that_is_killed_again_and_again_costs_nothing(
    tmp_path: Path, writer: RecordWriter, notices: Notices, seed: int
) -> None:
    chance = random.Random(seed)
    record = SpokenRecord(writer, tmp_path)
    await record.on_disk()
    killed = 0

    async def kill() -> None:
        nonlocal killed
        while killed < 4:
            await asyncio.sleep(chance.uniform(0.05, 0.45))
            if writer._scribe.child is not None and writer._scribe.child.alive:
                os.kill(scribe_of(writer), signal.SIGKILL)
                killed += 1
                durable = record.figures.durable_ticks
                # What was said to be on the disk is in the log, there and then.
                assert heard_ticks(record.records())[:durable] == list(range(durable))

    async with asyncio.TaskGroup() as group:
        group.create_task(kill())
        group.create_task(record.say_for(80, 0.02))
    assert await record.end() == 0
    records = record.records()
    assert heard_ticks(records) == list(range(800))
    assert lost_ticks(records) == []
    assert sum(isinstance(one, Begun) for one in records) == 1
    assert writer.restarts == 4 and record.figures.holes == 0
    assert ("r1", "the writing process ended (-9) and is begun again") in notices.said
    assert notices.said[-1] == ("r1", "resumed")


async def test_a_frozen_scribe_blocks_nobody_and_costs_what_did_not_fit(
    tmp_path: Path, notices: Notices
) -> None:
    settings = replace(
        SETTINGS, queue_s=4.0, stall_s=0.3, window_bytes=300_000, limits=ChildLimits(hang_s=0.8, farewell_s=1)
    )
    writer = notices.writer(tmp_path, settings)
    await writer.start()
    record = SpokenRecord(writer, tmp_path)
    record.say(5)
    await record.on_disk()
    os.kill(scribe_of(writer), signal.SIGSTOP)
    worst = 0.0
    for _ in range(60):  # 12 s of sound
        began = time.monotonic()
        record.say()
        worst = max(worst, time.monotonic() - began)
        assert record.figures.queue_bytes <= 4.2 * 96_000
        await asyncio.sleep(0.005)
    assert worst < 0.5
    await notices.wait_for("r1", "nothing could be written")
    await notices.wait_for("r1", "ended (-9)")
    assert await record.end() == 0
    await writer.close(2.0)
    records = record.records()
    heard, lost = heard_ticks(records), lost_ticks(records)
    assert sorted(heard + lost) == list(range(650))
    assert lost and lost == list(range(lost[0], lost[-1] + 1))  # one hole, where the oldest were
    assert heard[-200:] == list(range(450, 650))
    assert record.figures.holes == 1 and record.figures.lost_ticks == len(lost)
    writer.forget("r1")
    assert (writer.totals().holes, writer.totals().lost_ticks) == (1, len(lost))
    assert Joined(0, "p1", "Ann") in records


async def test_a_scribe_that_was_only_asleep_loses_nothing(tmp_path: Path, writer: RecordWriter) -> None:
    record = SpokenRecord(writer, tmp_path)
    record.say(3)
    await record.on_disk()
    os.kill(scribe_of(writer), signal.SIGSTOP)
    await record.say_for(50, 0.005)
    os.kill(scribe_of(writer), signal.SIGCONT)
    assert await record.end() == 0
    assert heard_ticks(record.records()) == list(range(530))
    assert writer.restarts == 0


async def test_a_vanished_log_is_told_and_begun_anew_with_its_hole(
    tmp_path: Path, writer: RecordWriter, notices: Notices
) -> None:
    record, other = SpokenRecord(writer, tmp_path, "r1"), SpokenRecord(writer, tmp_path, "r2")
    record.say(10)
    other.say(10)
    await record.on_disk()
    (tmp_path / "r1").rename(tmp_path / "away")
    record.say(5)
    other.say(5)
    await notices.wait_for("r1", "vanished")
    await notices.wait_for("r1", "resumed")
    record.say(5)
    assert await record.end() == 0 and await other.end() == 0
    records = record.records()
    assert isinstance(records[0], Begun) and Joined(0, "p1", "Ann") in records
    assert lost_ticks(records) == list(range(100))  # they are in the log that was taken away
    assert heard_ticks(records) == list(range(100, 200))
    assert heard_ticks(RecordReader(tmp_path / "away").read(0))[:100] == list(range(100))
    assert heard_ticks(other.records()) == list(range(150))
    assert all(name == "r1" for name, _ in notices.said)


async def test_where_the_whole_root_vanished_nothing_is_made_until_it_is_back(
    tmp_path: Path, notices: Notices
) -> None:
    root = tmp_path / "mounted"
    root.mkdir()
    writer = notices.writer(root, SETTINGS)
    await writer.start()
    record = SpokenRecord(writer, root)
    record.say(3)
    await record.on_disk()
    root.rename(tmp_path / "unmounted")
    record.say(3)
    await notices.wait_for("r1", "vanished")
    await asyncio.sleep(1.1)
    assert not root.exists()
    (tmp_path / "unmounted").rename(root)
    assert await record.end() == 0
    await writer.close(2.0)
    assert heard_ticks(record.records()) == list(range(60))
    assert lost_ticks(record.records()) == []


async def test_a_file_that_may_not_grow_is_told_at_once_and_the_others_go_on(
    tmp_path: Path, notices: Notices
) -> None:
    limits = ChildLimits(file_bytes=300_000, farewell_s=1.0)
    writer = notices.writer(tmp_path, replace(SETTINGS, limits=limits))
    await writer.start()
    large, small = SpokenRecord(writer, tmp_path, "large"), SpokenRecord(writer, tmp_path, "small")
    large.say(20)
    small.say(3)
    await notices.wait_for("large", "the file may not grow further", 3.0)
    small.say(3)
    assert await small.end() == 0
    assert await large.end(0.3) > 0
    assert large.figures.trouble == "the file may not grow further"
    await writer.close(2.0)
    assert heard_ticks(small.records()) == list(range(60))
    there = heard_ticks(large.records())
    assert len(there) >= 120 and there == list(range(len(there)))
    assert all(name == "large" for name, _ in notices.said)


async def test_what_was_told_before_the_server_stops_is_written_though_nobody_waits(
    tmp_path: Path, notices: Notices
) -> None:
    writer = notices.writer(tmp_path, SETTINGS)
    await writer.start()
    record = SpokenRecord(writer, tmp_path)
    await record.on_disk()
    record.say(15)
    await writer.close(5.0)
    assert heard_ticks(record.records()) == list(range(150))
    assert notices.said == []


async def test_a_log_that_is_there_already_is_not_written_into(
    tmp_path: Path, writer: RecordWriter, notices: Notices
) -> None:
    first = SpokenRecord(writer, tmp_path)
    first.say(2)
    assert await first.end() == 0
    SpokenRecord(writer, tmp_path)
    await notices.wait_for("r1", "another log of that name")
    assert heard_ticks(first.records()) == list(range(20))
    writer.forget("r1")
    assert writer.figures("r1") is None


async def test_who_had_nothing_to_write_for_long_is_not_taken_to_be_stuck(
    tmp_path: Path, notices: Notices
) -> None:
    writer = notices.writer(tmp_path, replace(SETTINGS, stall_s=0.6))
    await writer.start()
    record = SpokenRecord(writer, tmp_path)
    await record.on_disk()
    await asyncio.sleep(0.8)
    assert await record.end() == 0
    await writer.close(2.0)
    assert notices.said == []


async def test_all_recordings_together_keep_no_more_than_they_may(tmp_path: Path, notices: Notices) -> None:
    root = tmp_path / "later"
    writer = notices.writer(root, replace(SETTINGS, total_bytes=500_000))
    await writer.start()
    records = [SpokenRecord(writer, root, name) for name in ("a", "b", "c")]
    for length, record in zip((30, 5, 15), records, strict=True):
        for _ in range(length):
            record.say()
            assert sum(one.figures.queue_bytes for one in records) <= 500_000
    root.mkdir()
    assert [await record.end() for record in records] == [0, 0, 0]
    await writer.close(2.0)
    holes = [lost_ticks(record.records()) for record in records]
    assert holes[0] == list(range(len(holes[0]))) and len(holes[0]) > 100
    assert holes[1] == []  # the small one was left alone
    for record, hole in zip(records, holes, strict=True):
        assert heard_ticks(record.records()) == list(range(len(hole), record.tick))


async def test_events_reach_the_log_though_their_sound_had_to_be_dropped(
    tmp_path: Path, notices: Notices
) -> None:
    root = tmp_path / "later"
    writer = notices.writer(root, replace(SETTINGS, queue_s=1.0))
    await writer.start()
    record = SpokenRecord(writer, root)
    await notices.wait_for("r1", "vanished")
    writer.put("r1", [Joined(0, "p2", "Bob")], 0)
    record.say(20)
    root.mkdir()
    assert await record.end() == 0
    await writer.close(2.0)
    records = record.records()
    assert isinstance(records[0], Begun)
    assert [one for one in records if isinstance(one, Joined)] == [
        Joined(0, "p1", "Ann"),
        Joined(0, "p2", "Bob"),
    ]
    assert [one for one in records if isinstance(one, Lost)] == [Lost(0, 150, "it could not be written")]
    assert heard_ticks(records) == list(range(150, 200))


async def test_what_all_recordings_wrote_is_counted_also_when_they_are_over(
    tmp_path: Path, writer: RecordWriter
) -> None:
    assert (writer.totals().bytes, writer.totals().lag_ms) == (0, 0)
    first, second = SpokenRecord(writer, tmp_path, "r1"), SpokenRecord(writer, tmp_path, "r2")
    first.say(20)
    second.say(10)
    await first.on_disk()
    await second.on_disk()
    os.kill(scribe_of(writer), signal.SIGSTOP)
    first.say(30)
    totals = writer.totals()
    assert totals.lag_ms >= 30 * 10 * 20, "of the one that is behind the most"
    assert totals.queue_bytes > 0
    os.kill(scribe_of(writer), signal.SIGCONT)
    assert await first.end() == await second.end() == 0
    on_disk = sum(log_path(tmp_path / name, 0).stat().st_size for name in ("r1", "r2"))
    assert writer.totals().bytes == on_disk
    assert (writer.totals().lag_ms, writer.totals().queue_bytes) == (0, 0)
    writer.forget("r1")
    assert writer.totals().bytes == on_disk
