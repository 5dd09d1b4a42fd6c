"""Reading a recording's log: every tick once and in order, whatever became of the log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.outputs.record import Begun, Ended, Lost, Record, Sound
from bridge.outputs.record_log import OPENING_BYTES, frame, opening, pack
from bridge.outputs.record_reader import RecordReader, Told, log_path
from tests.kit.coded_sound import coded, heard_ticks, lost_ticks

pytestmark = pytest.mark.unit

BEGUN = Begun("r", "room", 0, 1_700_000_000_000)


def chunk(sequence: int) -> bytes:
    """Ten ticks of the program; the first says that it began."""
    since = 10 * (sequence - 1)
    records: list[Record] = [Sound("program", since, coded(since, 10))]
    return frame(sequence, since, since + 10, pack([BEGUN, *records] if sequence == 1 else records))


def ended(sequence: int) -> bytes:
    tick = 10 * (sequence - 1)
    return frame(sequence, tick, tick, pack([Ended(tick, "stopped")]))


def hole(sequence: int, since: int, until: int, *events: Record) -> bytes:
    return frame(sequence, since, until, pack([*events, Lost(since, until, "the disk was full")]))


def write(directory: Path, *pieces: bytes, stretch: int = 0) -> Path:
    path = log_path(directory, stretch)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(opening(b"identity") + b"".join(pieces))
    return path


def append(path: Path, *pieces: bytes) -> None:
    with path.open("ab") as file:
        file.write(b"".join(pieces))


class Doing:
    """A `follow` that does one thing after another to the log, and fails when there is none left."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self._steps = list(steps)

    def __call__(self) -> None:
        self._steps.pop(0)()


def pieces_are_in_line(pieces: list[Told]) -> bool:
    ends = [piece.until for piece in pieces]
    return [piece.since for piece in pieces] == [0, *ends[:-1]]


def test_stretches_are_read_in_order_each_by_itself(tmp_path: Path) -> None:
    for stretch in (2, 0, 1_000_000):
        write(tmp_path, chunk(1), ended(2), stretch=stretch)
    (tmp_path / "log" / "000007.torn").touch()
    reader = RecordReader(tmp_path)
    assert reader.stretches() == [0, 2, 1_000_000]
    records = list(reader.read(2))
    assert records[0] == BEGUN and records[-1] == Ended(10, "stopped")
    assert heard_ticks(records) == list(range(10))


def test_a_recording_without_a_log_has_no_stretches(tmp_path: Path) -> None:
    reader = RecordReader(tmp_path / "nowhere")
    assert reader.stretches() == []
    assert list(reader.read(0)) == []


def test_what_is_there_is_given_though_the_stretch_goes_on(tmp_path: Path) -> None:
    write(tmp_path, chunk(1), chunk(2), chunk(3)[:100])
    reader = RecordReader(tmp_path)
    records = list(reader.read(0))
    assert heard_ticks(records) == list(range(20))
    assert not any(isinstance(record, Ended) for record in records)


def test_silence_is_told_too(tmp_path: Path) -> None:
    write(tmp_path, chunk(1), frame(2, 10, 500, pack([])), frame(3, 500, 500, pack([Ended(500, "paused")])))
    pieces = list(RecordReader(tmp_path).told(0))
    assert [(piece.since, piece.until) for piece in pieces] == [(0, 10), (10, 500), (500, 500)]
    assert pieces[1].records == ()


def test_a_damaged_batch_is_lost_and_the_rest_is_in_its_place(tmp_path: Path) -> None:
    harmed = bytearray(chunk(3))
    harmed[500] ^= 0xFF
    write(tmp_path, chunk(1), chunk(2), bytes(harmed), chunk(4), ended(5))
    pieces = list(RecordReader(tmp_path).told(0))
    records = [record for piece in pieces for record in piece.records]
    assert heard_ticks(records) == [*range(20), *range(30, 40)]
    assert [record for record in records if isinstance(record, Lost)] == [Lost(20, 30, "the log is damaged")]
    assert pieces_are_in_line(pieces)


def test_ticks_that_no_batch_tells_of_are_lost(tmp_path: Path) -> None:
    write(tmp_path, chunk(1), chunk(4), ended(5))
    assert lost_ticks(RecordReader(tmp_path).read(0)) == list(range(10, 30))


def test_a_follower_gets_a_growing_log_piece_by_piece_to_its_end(tmp_path: Path) -> None:
    path = log_path(tmp_path, 0)
    second = chunk(2)
    follow = Doing(
        lambda: write(tmp_path),
        lambda: append(path, chunk(1)),
        lambda: append(path, second[:1000]),
        lambda: append(path, second[1000:], chunk(3)),
        lambda: append(path, ended(4)),
    )
    records = list(RecordReader(tmp_path).read(0, follow))
    assert heard_ticks(records) == list(range(30))
    assert isinstance(records[-1], Ended)


def test_a_follower_ends_when_its_waiting_raises(tmp_path: Path) -> None:
    write(tmp_path, chunk(1))

    class Enough(Exception):
        pass

    def enough() -> None:
        raise Enough

    heard: list[Record] = []
    with pytest.raises(Enough):
        heard.extend(RecordReader(tmp_path).read(0, enough))


def test_a_follower_does_not_keep_what_the_writer_could_not_finish(tmp_path: Path) -> None:
    path = write(tmp_path, chunk(1))
    sound = path.stat().st_size

    def cut_and_go_on() -> None:
        with path.open("r+b") as file:
            file.truncate(sound)
        append(path, hole(3, 10, 30), chunk(4), ended(5))

    follow = Doing(lambda: append(path, chunk(2)[:9000]), cut_and_go_on)
    records = list(RecordReader(tmp_path).read(0, follow))
    assert heard_ticks(records) == [*range(10), *range(30, 40)]
    assert lost_ticks(records) == list(range(10, 30))


def test_a_follower_that_read_what_was_then_cut_off_reads_each_tick_once(tmp_path: Path) -> None:
    path = write(tmp_path, chunk(1), chunk(2), chunk(3))
    sound = OPENING_BYTES + len(chunk(1))

    def cut(*anew: bytes) -> None:
        with path.open("r+b") as file:
            file.truncate(sound)
        append(path, *anew)

    follow = Doing(lambda: cut(), lambda: cut(chunk(2), chunk(3), chunk(4)), lambda: append(path, ended(5)))
    records = list(RecordReader(tmp_path).read(0, follow))
    assert heard_ticks(records) == list(range(40))
    # The same, but what was sent again had been dropped meanwhile: we heard more than the log says now.
    path = write(tmp_path, chunk(1), chunk(2), chunk(3), stretch=1)
    follow = Doing(lambda: cut(hole(6, 10, 60), chunk(7), ended(8)))
    pieces = list(RecordReader(tmp_path).told(1, follow))
    records = [record for piece in pieces for record in piece.records]
    assert heard_ticks(records) == [*range(30), *range(60, 70)]
    assert lost_ticks(records) == list(range(30, 60))
    assert pieces_are_in_line(pieces)


def test_a_follower_goes_over_to_a_new_file_where_the_old_one_vanished(tmp_path: Path) -> None:
    path = write(tmp_path, chunk(1), chunk(2))

    def vanish() -> None:
        path.unlink()

    def anew() -> None:
        write(tmp_path, hole(3, 0, 30, BEGUN), chunk(4), ended(5))

    pieces = list(RecordReader(tmp_path).told(0, Doing(vanish, anew)))
    records = [record for piece in pieces for record in piece.records]
    assert heard_ticks(records) == [*range(20), *range(30, 40)]
    assert lost_ticks(records) == list(range(20, 30))
    assert pieces_are_in_line(pieces)


def test_readers_leave_no_file_open(tmp_path: Path) -> None:
    write(tmp_path, chunk(1), ended(2))

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    reader = RecordReader(tmp_path)
    for _ in range(20):
        list(reader.read(0))
        next(reader.told(0))
    assert open_files() <= before + 1
