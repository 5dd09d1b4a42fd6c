"""What a dead server left open is closed at the next start, once, whenever that is interrupted."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from bridge.outputs.adoption import Adopted, NotAdopted, adopt
from bridge.outputs.disk import Disk
from bridge.outputs.record import Begun, Ended, Lost, Record, Sound
from bridge.outputs.record_log import OPENING_BYTES, frame, opening, pack
from bridge.outputs.record_reader import RecordReader, log_path
from tests.kit.coded_sound import coded, heard_ticks, lost_ticks
from tests.kit.faulty_disk import FaultyDisk

pytestmark = pytest.mark.unit

BEGUN = Begun("r1", "room", 0, 1_700_000_000_000)


def log_of(chunks: int, *last: Record) -> bytes:
    """A stretch of so many chunks of ten ticks."""
    log = opening(b"identity") + frame(1, 0, 0, pack([BEGUN]))
    for number in range(chunks):
        since = 10 * number
        log += frame(number + 2, since, since + 10, pack([Sound("program", since, coded(since, 10))]))
    if last:
        log += frame(chunks + 2, 10 * chunks, 10 * chunks, pack(last))
    return log


def write(root: Path, content: bytes, recording: str = "r1", stretch: int = 0) -> Path:
    path = log_path(root / recording, stretch)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def read(root: Path, recording: str = "r1", stretch: int = 0) -> list[Record]:
    return list(RecordReader(root / recording).read(stretch))


def test_an_open_stretch_is_closed_and_marked(tmp_path: Path) -> None:
    write(tmp_path, log_of(5))
    assert list(adopt(tmp_path)) == [Adopted("r1", 0, BEGUN, 50, 0)]
    records = read(tmp_path)
    assert records[-2:] == [Lost(50, 50, "the server died"), Ended(50, "died")]
    assert heard_ticks(records) == list(range(50)) and lost_ticks(records) == []


def test_doing_it_again_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, log_of(5))
    assert len(list(adopt(tmp_path))) == 1
    content = path.read_bytes()
    assert list(adopt(tmp_path)) == []
    assert path.read_bytes() == content


def test_what_ended_well_is_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path, log_of(5, Ended(50, "stopped")))
    content = path.read_bytes()
    assert list(adopt(tmp_path)) == []
    assert path.read_bytes() == content


def test_a_log_torn_at_any_byte_is_closed_behind_its_last_whole_batch(tmp_path: Path) -> None:
    whole = log_of(2)
    last = len(log_of(1))
    for cut in [*range(last, last + 60), *range(last + 60, len(whole), 997), len(whole) - 1]:
        write(tmp_path, whole[:cut])
        assert list(adopt(tmp_path)) == [Adopted("r1", 0, BEGUN, 10, cut - last)]
        records = read(tmp_path)
        assert heard_ticks(records) == list(range(10))
        assert records[-1] == Ended(10, "died") and lost_ticks(records) == []


def test_a_damage_before_the_end_stays_a_hole_of_its_own(tmp_path: Path) -> None:
    harmed = bytearray(log_of(5))
    harmed[len(log_of(2)) + 100] ^= 1
    write(tmp_path, bytes(harmed))
    assert list(adopt(tmp_path)) == [Adopted("r1", 0, BEGUN, 50, 0)]
    records = read(tmp_path)
    assert lost_ticks(records) == list(range(20, 30))
    assert heard_ticks(records) == [*range(20), *range(30, 50)]


def test_every_stretch_of_every_recording_is_looked_at(tmp_path: Path) -> None:
    write(tmp_path, log_of(1, Ended(10, "paused")), "a", 0)
    write(tmp_path, log_of(2), "a", 1)
    write(tmp_path, log_of(3), "b", 0)
    write(tmp_path, log_of(4), "b", 1)
    (tmp_path / "b" / "files").mkdir()
    (tmp_path / "not a recording").mkdir()
    (tmp_path / "a file").touch()
    found = [(one.recording, one.stretch, one.ticks) for one in adopt(tmp_path) if isinstance(one, Adopted)]
    assert found == [("a", 1, 20), ("b", 0, 30), ("b", 1, 40)]


def test_without_recordings_there_is_nothing_to_adopt(tmp_path: Path) -> None:
    assert list(adopt(tmp_path / "nowhere")) == []


@pytest.mark.parametrize("length", [0, 5, OPENING_BYTES, OPENING_BYTES + 20])
def test_a_log_of_which_nothing_reached_the_disk_is_set_aside_not_deleted(
    tmp_path: Path, length: int
) -> None:
    path = write(tmp_path, log_of(1)[:length])
    assert list(adopt(tmp_path)) == [Adopted("r1", 0, None, 0, length)]
    assert not path.exists() and path.with_suffix(".torn").stat().st_size == length
    assert list(adopt(tmp_path)) == []


class DyingDisk(FaultyDisk):
    """Every call that changes something is the last one: the process is gone in the middle of it."""

    class Died(BaseException):
        pass

    def __init__(self, calls: int, written: int) -> None:
        super().__init__()
        self._left = calls
        self._written = written

    def _may(self, call: str) -> None:
        if call in ("write", "cut", "sync"):
            self._left -= 1

    def write(self, descriptor: int, piece: bytes | memoryview, offset: int) -> int:
        self._may("write")
        if self._left < 0:
            Disk.write(self, descriptor, piece[: self._written], offset)
            raise DyingDisk.Died
        return Disk.write(self, descriptor, piece, offset)

    def cut(self, descriptor: int, size: int) -> None:
        self._may("cut")
        if self._left < 0:
            raise DyingDisk.Died
        Disk.cut(self, descriptor, size)

    def sync(self, descriptor: int) -> None:
        self._may("sync")
        if self._left < 0:
            raise DyingDisk.Died
        Disk.sync(self, descriptor)


@pytest.mark.parametrize("calls", [0, 1, 2])
@pytest.mark.parametrize("written", [0, 1, 43, 44, 60])
def test_one_that_is_killed_in_the_middle_is_taken_up_by_the_next(
    tmp_path: Path, calls: int, written: int
) -> None:
    write(tmp_path, log_of(3)[:-7])
    with pytest.raises(DyingDisk.Died):
        list(adopt(tmp_path, disk=DyingDisk(calls, written)))
    list(adopt(tmp_path))
    assert list(adopt(tmp_path)) == []
    records = read(tmp_path)
    assert heard_ticks(records) == list(range(20))
    assert [record for record in records if isinstance(record, Ended)] == [Ended(20, "died")]
    assert [record for record in records if isinstance(record, Lost)] == [Lost(20, 20, "the server died")]


def test_a_full_disk_leaves_one_open_for_the_next_time_and_closes_the_others(tmp_path: Path) -> None:
    write(tmp_path, log_of(2)[:-5], "a")
    disk = FaultyDisk()
    disk.room = 10
    assert list(adopt(tmp_path, disk=disk)) == [NotAdopted("a", 0, "the disk is full")]
    assert heard_ticks(read(tmp_path, "a")) == list(range(10))
    disk.room = None
    assert list(adopt(tmp_path, disk=disk)) == [Adopted("a", 0, BEGUN, 10, 0)]
    disk.fail["sync"] = errno.EIO
    write(tmp_path, log_of(2), "b")
    assert list(adopt(tmp_path, disk=disk)) == [NotAdopted("b", 0, "the disk reports an input/output error")]


def test_a_scribe_that_still_writes_is_waited_for(tmp_path: Path) -> None:
    path = write(tmp_path, log_of(2))
    disk = Disk()
    scribe = disk.open(str(path), make=False)
    disk.lock(scribe)
    slept = 0

    def sleep(seconds: float) -> None:
        nonlocal slept
        slept += 1
        if slept == 3:  # it writes what it still has, and ends
            disk.write(scribe, log_of(3)[len(log_of(2)) :], len(log_of(2)))
            disk.close(scribe)

    assert list(adopt(tmp_path, sleep=sleep)) == [Adopted("r1", 0, BEGUN, 30, 0)]
    assert heard_ticks(read(tmp_path)) == list(range(30))


def test_a_scribe_that_does_not_end_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    disk = Disk()
    held = []
    for name in ("a", "b"):
        held.append(disk.open(str(write(tmp_path, log_of(1), name)), make=False))
        disk.lock(held[-1])
    slept: list[float] = []
    assert list(adopt(tmp_path, wait_s=1.0, sleep=slept.append)) == [
        NotAdopted("a", 0, "another process still writes the log"),
        NotAdopted("b", 0, "another process still writes the log"),
    ]
    assert 0.9 < sum(slept) < 1.2
    for descriptor in held:
        disk.close(descriptor)
