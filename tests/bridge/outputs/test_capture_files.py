"""Captures on the disk: private, bounded in every direction, and never in anybody's way."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.core.ports import CaptureOrder
from bridge.errors import ConfigError
from bridge.legs.capture_file_wire import CaptureReader
from bridge.legs.capture_wire import VERSION, End, Frame, Head, Hole, Record, Tick
from bridge.outputs.capture_files import CaptureFile, CaptureFiles
from bridge.outputs.capture_shelf import DAY_S, CaptureLimits, CaptureShelf

pytestmark = pytest.mark.unit

HEAD = Head(VERSION, "stream", "s", "c", "l16", 16_000, ("inbound",), 0, 0)
OWNER = "11111111-2222-3333-4444-555555555555"
NOW = time.time()


class Disk:
    """Takes bytes when it is let, and breaks when it is told to."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.breaks = False

    def write(self, descriptor: int, data: bytes) -> int:
        self.free.wait()
        if self.breaks:
            raise OSError(28, "No space left on device")
        return os.write(descriptor, data[:1000])  # never all of it at once


def read(path: Path) -> list[Record]:
    return list(CaptureReader().feed(path.read_bytes()))


def say(capture: CaptureFile, ticks: int, first: int = 1) -> None:
    for number in range(first, first + ticks):
        capture.put(Tick(number, number * 20_000_000))
        capture.put(Frame("own", bytes(640)))


class Desk:
    """Capture files on a disk of the test's."""

    def __init__(self, folder: Path, *, waiting_bytes: int = 1 << 20, **limits: float) -> None:
        self.disk = Disk()
        self.shelf = CaptureShelf(folder / "captures", CaptureLimits(**limits))  # type: ignore[arg-type]
        self.files = CaptureFiles(
            self.shelf, waiting_bytes=waiting_bytes, write=self.disk.write, wall=lambda: NOW
        )
        self.files.start()

    def open(self, name: str = "a") -> CaptureFile:
        capture = self.files.open(CaptureOrder(name, OWNER), HEAD)
        assert capture is not None
        return capture

    def path(self, name: str = "a") -> Path:
        return self.shelf.directory / f"{OWNER}_{name}.mbcapture"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.disk.free.set()
    made.files.close()


def test_a_capture_is_written_and_nobody_else_may_read_it(desk: Desk) -> None:
    capture = desk.open()
    say(capture, 30)
    capture.end(700_000_000, "closed", "", {"x": 1.0})
    capture.end(0, "again", "", {})
    capture.put(Tick(99, 0))
    desk.files.close()
    found = read(desk.path())
    assert len(found) == 1 + 60 + 1 and isinstance(found[-1], End) and found[-1].reason == "closed"
    assert desk.path().stat().st_mode & 0o777 == 0o600
    assert desk.shelf.directory.stat().st_mode & 0o777 == 0o700
    figures = desk.files.figures()
    assert (figures.files, figures.live, figures.missing, figures.failed) == (1, 0, 0, 0)
    assert figures.bytes == desk.path().stat().st_size


def test_a_slow_disk_makes_a_hole_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    desk = Desk(tmp_path, waiting_bytes=50_000)
    desk.disk.free.clear()
    capture = desk.open()
    began = time.perf_counter()
    say(capture, 1000)
    assert time.perf_counter() - began < 1.0
    desk.disk.free.set()
    while desk.files.figures().bytes < 40_000:
        time.sleep(0.001)  # what the disk has done is known by asking only
    while not desk.files.room_for(1_000, after_hole=True):
        time.sleep(0.001)
    say(capture, 5, first=1001)
    capture.end(0, "closed", "", {})
    desk.files.close()
    found = read(desk.path())
    holes = [record for record in found if isinstance(record, Hole)]
    assert len(holes) == 1 and holes[0].records > 1500 and holes[0].frames - holes[0].records // 2 in (0, 1)
    ticks = [record.number for record in found if isinstance(record, Tick)]
    assert ticks[-5:] == [1001, 1002, 1003, 1004, 1005]
    assert len(ticks) - sum(isinstance(record, Frame) for record in found) in (0, 1)
    assert desk.files.figures().missing == holes[0].records == found[-1].holes  # type: ignore[union-attr]


def test_a_disk_that_breaks_ends_the_capture_alone(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    broken, later = desk.open("broken"), None
    desk.disk.breaks = True
    say(broken, 30)
    while not broken.broken:
        time.sleep(0.001)
    desk.disk.breaks = False
    say(broken, 30, first=31)
    later = desk.open("later")
    say(later, 3)
    later.end(0, "closed", "", {})
    desk.files.close()
    assert isinstance(read(desk.path("later"))[-1], End)
    figures = desk.files.figures()
    assert (figures.failed, figures.full, figures.live) == (1, 0, 0)
    assert caplog.text.count("cannot be written: No space left") == 1


def test_a_capture_that_has_become_too_long_ends(tmp_path: Path) -> None:
    desk = Desk(tmp_path, bytes_each=50_000)
    capture = desk.open()
    say(capture, 200)
    desk.files.close()
    found = read(desk.path())
    assert isinstance(found[-1], End) and found[-1].reason == "full"
    assert desk.path().stat().st_size <= 50_000
    assert desk.files.figures().full == 1 and desk.files.figures().live == 0


def test_the_oldest_go_when_there_is_no_room_for_all(tmp_path: Path) -> None:
    folder = tmp_path / "captures"
    folder.mkdir(mode=0o700)
    for age, name in enumerate(("new", "old", "older")):
        file = folder / f"{OWNER}_{name}.mbcapture"
        file.write_bytes(bytes(40_000))
        os.utime(file, (NOW - 60 * age, NOW - 60 * age))
    desk = Desk(tmp_path, bytes_each=60_000, bytes_total=100_000)
    capture = desk.open("live")
    say(capture, 40)
    capture.end(0, "closed", "", {})
    desk.files.close()
    assert {one.id for one in desk.shelf.entries()} == {"new", "live"}
    assert desk.files.figures().deleted == 2


def test_what_is_too_old_goes_and_what_lives_stays(tmp_path: Path) -> None:
    shelf = CaptureShelf(tmp_path / "captures", CaptureLimits(days=2))
    for name, days in (("a", 1), ("b", 3), ("c", 4)):
        os.close(shelf.create(OWNER, name))
        os.utime(shelf.directory / f"{OWNER}_{name}.mbcapture", (0, NOW - days * DAY_S))
    (shelf.directory / "notes.txt").write_text("not ours")
    os.utime(shelf.directory / "notes.txt", (0, 0))
    assert shelf.sweep(NOW, {"c"}).deleted == 1
    assert {one.id for one in shelf.entries()} == {"a", "c"}
    assert (shelf.directory / "notes.txt").exists()


def test_no_capture_is_begun_while_those_that_live_fill_the_disk(tmp_path: Path) -> None:
    desk = Desk(tmp_path, bytes_each=100_000, bytes_total=100_000)
    first = desk.open("first")
    say(first, 100)
    second = desk.open("second")
    say(second, 140)
    while not desk.files.full:
        time.sleep(0.001)
    assert desk.files.open(CaptureOrder("third", OWNER), HEAD) is None
    first.put(Tick(500, 1))
    second.put(Tick(500, 1))
    desk.files.close()
    assert desk.files.figures().full == 2


def test_owners_do_not_see_each_others(tmp_path: Path) -> None:
    shelf = CaptureShelf(tmp_path / "captures", CaptureLimits())
    for owner, name in (("anna", "a"), ("ben", "b")):
        os.close(shelf.create(owner, name))
    assert [one.id for one in shelf.entries("anna")] == ["a"]
    assert shelf.find("anna", "b") is None and not shelf.delete("anna", "b")
    assert shelf.delete("ben", "b") and len(shelf.entries()) == 1


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a" * 65, "a_b", "x\0"])
def test_names_that_are_no_ids_are_refused(name: str, tmp_path: Path) -> None:
    shelf = CaptureShelf(tmp_path / "captures", CaptureLimits())
    with pytest.raises(ValueError, match="named by ids"):
        shelf.create(OWNER, name)


def test_a_folder_that_others_can_look_into_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(ConfigError, match="chmod 700"):
        CaptureShelf(folder, CaptureLimits())
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"captures.directory cannot be used"):
        CaptureShelf(tmp_path / "file", CaptureLimits())
