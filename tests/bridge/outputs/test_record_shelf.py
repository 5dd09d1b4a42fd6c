from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from bridge.core.ports import WantedFiles
from bridge.errors import BadInput
from bridge.outputs import record_shelf
from bridge.outputs.codec_wishes import NO_HE_AAC
from bridge.outputs.follow_wire import FileSize, Finished, FollowPlan
from bridge.outputs.made_plan import PLAN
from bridge.outputs.record_shelf import RecordShelf, ShelfSettings
from bridge.outputs.record_writer import RecordWriter
from bridge.outputs.shelf_storage import ShelfStorage
from bridge.outputs.uploads import Uploads

pytestmark = pytest.mark.unit

ID = "recording-1"
MP4 = WantedFiles()


class Making:
    """A follower that does what a test says."""

    def __init__(
        self,
        recording: str,
        plan: FollowPlan,
        *,
        on_finished: Callable[[Finished], None],
        on_progress: Callable[[], None],
        on_whole: Callable[[str], None],
    ) -> None:
        self.plan = plan
        self.restarts, self.trouble = 0, ""
        self.finishing = self.begun = self.stopped = False
        self.finished: Finished | None = None
        self.may_stop = asyncio.Event()
        self.may_stop.set()
        self._on_finished = on_finished
        MADE.append(self)

    def go_on(self) -> None:
        assert not any(other.begun and not other.stopped for other in MADE), "two at once"
        self.begun = True

    def finish(self) -> None:
        self.finishing = True

    def is_through(self, stretches: int) -> None:
        self.finishing = True
        self._on_finished(Finished(1_000, (FileSize("files/program.mp4", 4),), (), stretches))

    async def stop(self) -> None:
        await self.may_stop.wait()
        self.stopped = True


MADE: list[Making] = []


class Orders:
    """Uploads that are only written down."""

    def __init__(self, directory: Path) -> None:
        self.told: list[tuple[str, bool]] = []
        self._directory = directory

    async def put(self, recording: str, path: Path, place: str, key: str, media_type: str) -> None:
        self.told.append((key, (self._directory / PLAN).exists()))

    def looks(self, recording: str) -> list[Any]:
        return []

    async def forget(self, recording: str) -> None:
        self.told.append(("forgotten", False))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / ID / "log").mkdir(parents=True)
    return tmp_path / ID


@pytest.fixture
async def shelf(
    tmp_path: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RecordShelf]:
    monkeypatch.setattr(record_shelf, "FileMaking", Making)
    MADE.clear()
    shelf = RecordShelf(tmp_path, RecordWriter(tmp_path), ShelfSettings(finish_after_s=0.0))
    yield shelf
    await shelf.close()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def is_there(path: Path) -> bool:
    return path.exists()


async def until_whole(directory: Path) -> dict[str, Any]:
    async with asyncio.timeout(5):
        while not is_there(directory / PLAN):  # noqa: ASYNC110 - a thread writes it
            await asyncio.sleep(0.002)
    told: dict[str, Any] = msgspec.json.decode((directory / PLAN).read_bytes())
    return told


async def test_what_goes_on_before_its_files_are_whole_has_them_made_by_the_same(shelf: RecordShelf) -> None:
    shelf.follow(ID, MP4)
    shelf.rest(ID)
    shelf.follow(ID, MP4)
    await settle()
    assert len(MADE) == 1 and not MADE[0].finishing


async def test_what_goes_on_after_the_word_to_finish_is_read_by_another_one(shelf: RecordShelf) -> None:
    shelf.follow(ID, MP4)
    shelf.rest(ID)
    await settle()
    assert MADE[0].finishing
    MADE[0].may_stop.clear()
    shelf.follow(ID, MP4)
    await settle()
    assert not MADE[1].begun, "the first one still holds the files"
    MADE[0].may_stop.set()
    await settle()
    assert MADE[1].begun


async def test_one_that_is_removed_while_another_takes_over_is_not_begun_again(
    shelf: RecordShelf, directory: Path
) -> None:
    shelf.follow(ID, MP4)
    MADE[0].may_stop.clear()
    shelf.follow(ID, WantedFiles(("wav",)))
    removing = asyncio.create_task(shelf.remove(ID))
    await settle()
    assert is_there(directory)
    MADE[0].may_stop.set()
    await removing
    assert [one.stopped for one in MADE] == [True, True] and not MADE[1].begun
    assert not is_there(directory)


async def test_what_is_whole_says_how_much_is_in_it(shelf: RecordShelf, directory: Path) -> None:
    shelf.follow(ID, MP4)
    for stretch in range(3):  # one of them came too late for the files
        (directory / "log" / f"{stretch:06}.rec").touch()
    MADE[0].is_through(2)
    assert (await until_whole(directory))["stretches"] == 2
    await shelf.resume(ID, MP4)
    assert len(MADE) == 2


async def test_while_it_goes_on_the_manifest_is_the_one_so_far(shelf: RecordShelf, tmp_path: Path) -> None:
    assert shelf.manifest(ID) is None
    (tmp_path / ID).mkdir(exist_ok=True)
    (tmp_path / ID / "manifest.json").write_bytes(b"of the last pause")
    assert shelf.manifest(ID) == b"of the last pause"
    (tmp_path / ID / "manifest.so-far.json").write_bytes(b"of now")
    assert shelf.manifest(ID) == b"of now"


async def test_he_aac_is_aac_and_the_manifest_is_to_say_so(shelf: RecordShelf) -> None:
    shelf.follow(ID, WantedFiles(codec="he-aac", bitrate=32_000))
    shelf.follow(ID, MP4)
    assert (MADE[0].plan.notes, MADE[0].plan.bitrate) == ((NO_HE_AAC,), 32_000)
    assert MADE[1].plan.notes == ()


async def test_a_picture_alone_is_refused_where_there_is_no_h264(tmp_path: Path) -> None:
    def with_h264(h264: bool) -> RecordShelf:
        return RecordShelf(tmp_path, RecordWriter(tmp_path), ShelfSettings(h264=h264))

    silent = WantedFiles(sound=False)
    await with_h264(True).check(silent, "")
    await with_h264(False).check(MP4, "")
    with pytest.raises(BadInput, match=r"H\.264 is switched off"):
        await with_h264(False).check(silent, "")


async def test_files_are_ordered_before_they_are_said_to_be_whole(
    tmp_path: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_shelf, "FileMaking", Making)
    MADE.clear()
    orders = Orders(directory)
    shelf = RecordShelf(
        tmp_path,
        RecordWriter(tmp_path),
        storage=ShelfStorage(tmp_path, cast(Uploads, orders), ("bucket",)),
    )
    shelf.follow(ID, MP4)
    MADE[0].is_through(1)
    await until_whole(directory)
    assert orders.told == [(f"{ID}/program.mp4", False), (f"{ID}/manifest.json", False)]
    MADE[0].is_through(1)
    await shelf.remove(ID)
    assert orders.told[-1] == ("forgotten", False), "nothing is ordered behind that"
    assert not is_there(directory)
