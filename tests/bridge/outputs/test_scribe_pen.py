"""One log and its pen on a disk that fails: told at once, tried again, nothing torn and nothing twice."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from bridge.outputs.log_file import LogFile
from bridge.outputs.record import Sound
from bridge.outputs.record_log import opening, pack
from bridge.outputs.record_reader import RecordReader, log_path
from bridge.outputs.scribe_pen import RETRY_S, SYNC_BYTES, SYNC_S, Pen
from bridge.outputs.scribe_wire import Answer, Append, Durable, Opened, Troubled
from tests.kit.clock import ManualClock
from tests.kit.coded_sound import coded, heard_ticks, lost_ticks
from tests.kit.faulty_disk import FaultyDisk

pytestmark = pytest.mark.unit

IDENTITY = b"12345678"


class Desk:
    """A pen on a faulty disk; `say` gives it the next ten ticks, in the opening that it last told of."""

    def __init__(self, root: Path, disk: FaultyDisk | None = None) -> None:
        self.root = root
        self.disk = disk or FaultyDisk()
        self.clock = ManualClock()
        self.answers: list[Answer] = []
        self.file = LogFile(self.disk, str(root), "r1", 0, IDENTITY)
        self.pen = Pen(1, self.file, 0, self.answers.append)
        self.sequence = 0

    def tend(self, later_s: float = 0.0) -> None:
        self.clock.advance(later_s + 1e-6)  # a hair, since seconds are not exact
        self.pen.tend(self.clock.now)

    def say(self, count: int = 1) -> None:
        for _ in range(count):
            self.sequence += 1
            self.give(self.sequence)

    def give(self, sequence: int, opening: int | None = None) -> None:
        since = 10 * (sequence - 1)
        payload = pack([Sound("program", since, coded(since, 10))])
        number = self.opened.opening if opening is None else opening
        self.pen.take(Append(1, number, sequence, since, since + 10, payload), self.clock.now)

    def say_again(self) -> None:
        """What a server does when the log is open again."""
        for sequence in range(self.opened.sequence + 1, self.sequence + 1):
            self.give(sequence)

    @property
    def opened(self) -> Opened:
        return [answer for answer in self.answers if isinstance(answer, Opened)][-1]

    @property
    def troubles(self) -> list[str]:
        return [answer.text for answer in self.answers if isinstance(answer, Troubled)]

    @property
    def durable(self) -> list[int]:
        return [answer.sequence for answer in self.answers if isinstance(answer, Durable)]

    @property
    def ticks(self) -> list[int]:
        records = list(RecordReader(self.root / "r1").read(0))
        assert lost_ticks(records) == []
        return heard_ticks(records)


def test_a_log_is_made_and_all_that_names_it_is_durable_before_anything_is_acknowledged(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    desk.tend()
    assert desk.answers == [Opened(1, 1, 0, 0, 32)]
    assert set(desk.disk.synced) == {str(tmp_path), str(tmp_path / "r1"), str(tmp_path / "r1" / "log")}
    assert desk.disk.calls["sync"] == 1


def test_what_is_taken_is_durable_after_the_promised_time(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.tend()
    desk.say(2)
    desk.tend(SYNC_S / 2)
    assert desk.durable == []
    desk.say()
    desk.tend(SYNC_S / 2)
    assert desk.durable == [3]
    assert desk.pen.due_at() is None
    assert desk.ticks == list(range(30))


def test_much_is_made_durable_at_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.tend()
    desk.say(SYNC_BYTES // 19_200 + 1)
    desk.tend()
    assert desk.durable == [desk.sequence]


def test_a_full_disk_is_told_once_and_what_was_torn_is_cut_off(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.tend()
    desk.say(2)
    desk.tend(SYNC_S)
    size = log_path(tmp_path / "r1", 0).stat().st_size
    desk.disk.room = 5000
    desk.say(3)
    assert desk.troubles == ["the disk is full"]
    assert log_path(tmp_path / "r1", 0).stat().st_size == size
    for _ in range(5):
        desk.tend(RETRY_S)
    assert desk.troubles == ["the disk is full"]
    assert desk.opened.opening == 1
    desk.disk.room = None
    desk.tend(RETRY_S)
    assert desk.opened == Opened(1, 2, 2, 20, size)
    desk.say_again()
    desk.tend(SYNC_S)
    assert desk.durable == [2, 5]
    assert desk.ticks == list(range(50))


def test_a_disk_with_hardly_any_room_is_not_said_to_be_well_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.tend()
    desk.disk.room = 0
    desk.say()
    desk.disk.room = 30_000  # a chunk would fit, for a moment
    for _ in range(3):
        desk.tend(RETRY_S)
    assert desk.opened.opening == 1 and desk.troubles == ["the disk is full"]


@pytest.mark.parametrize("call", ["write", "sync", "open", "cut"])
def test_an_input_output_error_costs_nothing_that_the_server_still_has(tmp_path: Path, call: str) -> None:
    desk = Desk(tmp_path)
    desk.tend()
    desk.say(2)
    desk.tend(SYNC_S)
    desk.disk.fail = {call: errno.EIO, "sync": errno.EIO}
    desk.say(2)
    desk.tend(SYNC_S)
    desk.tend(RETRY_S)
    assert desk.troubles == ["the disk reports an input/output error"]
    assert desk.durable == [2]
    desk.disk.fail = {}
    desk.tend(RETRY_S)
    desk.say_again()
    desk.tend(SYNC_S)
    assert desk.durable == [2, 4]
    assert desk.ticks == list(range(40))


def test_after_a_failed_sync_nothing_that_was_in_doubt_is_relied_on(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.tend()
    desk.say(2)
    desk.tend(SYNC_S)
    desk.say(2)
    desk.disk.fail["sync"] = errno.EIO
    desk.tend(SYNC_S)
    del desk.disk.fail["sync"]
    desk.tend(RETRY_S)
    assert desk.opened.sequence == 2  # though a reader would find 3 and 4 in the system's memory


def test_another_trouble_is_told_too(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.disk.fail["make_directory"] = errno.EACCES
    desk.tend()
    desk.disk.fail["make_directory"] = errno.EROFS
    desk.tend(RETRY_S)
    assert desk.troubles == ["the directory may not be written to", "the disk is read-only"]


def test_a_directory_renamed_away_is_noticed_at_the_next_sync(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.tend()
    desk.say()
    desk.tend(SYNC_S)
    (tmp_path / "r1").rename(tmp_path / "away")
    desk.say()
    desk.tend(SYNC_S)
    assert desk.troubles == ["the directory or the log has vanished"]
    assert desk.durable == [1]  # what went into a file without a name is not acknowledged
    desk.tend(RETRY_S)
    assert desk.opened.sequence == 0 and log_path(tmp_path / "r1", 0).exists()


def test_the_root_is_never_made(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "volume")
    desk.tend()
    desk.tend(RETRY_S)
    assert desk.troubles == ["the directory or the log has vanished"]
    assert not (tmp_path / "volume").exists()


def test_doubles_are_ignored_and_acknowledged(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.tend()
    desk.say(3)
    desk.tend(SYNC_S)
    for sequence in (1, 2, 3, 2):
        desk.give(sequence)
    desk.tend(SYNC_S)
    assert desk.durable == [3, 3]
    assert desk.ticks == list(range(30))


def test_what_was_on_its_way_while_the_log_was_opened_again_is_not_taken_out_of_order(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.tend()
    desk.say(2)
    desk.disk.fail["sync"] = errno.EIO
    desk.tend(SYNC_S)
    del desk.disk.fail["sync"]
    desk.tend(RETRY_S)
    desk.give(3, opening=1)  # sent before the server heard that 1 and 2 are wanted again
    desk.sequence = 3
    desk.say_again()
    desk.tend(SYNC_S)
    assert desk.ticks == list(range(30))


def test_a_new_scribe_goes_on_behind_what_reached_the_log_without_being_acknowledged(tmp_path: Path) -> None:
    first = Desk(tmp_path)
    first.tend()
    first.say(5)
    first.file.close()  # it died before its sync
    path = log_path(tmp_path / "r1", 0)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 100)  # in the middle of the fifth
    second = Desk(tmp_path)
    second.sequence = 5
    second.tend()
    assert (second.opened.sequence, second.opened.until) == (4, 40)
    second.say_again()
    second.tend(SYNC_S)
    assert second.ticks == list(range(50))


def test_two_never_write_one_log(tmp_path: Path) -> None:
    first, second = Desk(tmp_path), Desk(tmp_path)
    first.tend()
    second.tend()
    assert second.troubles == ["another process still writes the log"]
    first.pen.close(first.clock.now)
    second.tend(RETRY_S)
    assert second.opened.opening == 1


def test_the_log_of_another_recording_or_version_is_left_alone(tmp_path: Path) -> None:
    path = log_path(tmp_path / "r1", 0)
    path.parent.mkdir(parents=True)
    for content in (opening(b"somebody"), b"not a log, but a text that somebody put there"):
        path.write_bytes(content)
        desk = Desk(tmp_path)
        desk.tend()
        assert desk.troubles == ["there is another log of that name"]
        assert path.read_bytes() == content


def test_a_log_whose_making_was_cut_short_is_made_again(tmp_path: Path) -> None:
    path = log_path(tmp_path / "r1", 0)
    path.parent.mkdir(parents=True)
    path.write_bytes(opening(IDENTITY)[:11])
    desk = Desk(tmp_path)
    desk.tend()
    desk.say()
    desk.tend(SYNC_S)
    assert desk.ticks == list(range(10))


def test_closing_makes_durable_what_was_taken(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.tend()
    desk.say(2)
    desk.pen.close(desk.clock.now)
    assert desk.durable == [2]
    desk.say()
    assert desk.pen.due_at() is None
    assert desk.ticks == list(range(20))
