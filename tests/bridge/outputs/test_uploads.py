from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bridge.outputs.storage import StorageFailed
from bridge.outputs.uploads import Order, Uploads, UploadSettings

pytestmark = pytest.mark.unit


class Bucket:
    """Remembers what arrived; refuses while `refuses` says why, hangs while `open` is not set."""

    def __init__(self) -> None:
        self.arrived: list[tuple[str, bytes]] = []
        self.refuses = ""
        self.open = asyncio.Event()
        self.open.set()

    async def put(self, path: Path, key: str, media_type: str) -> None:
        content = await asyncio.to_thread(path.read_bytes)
        await self.open.wait()
        if self.refuses:
            raise StorageFailed(self.refuses)
        self.arrived.append((key, content))


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not happened():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.001)


class Yard:
    """A queue on a disk, with a clock that only pauses move; `again` is a restart without a goodbye."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.main, self.spare = Bucket(), Bucket()
        self.time = 1_000.0
        self.pauses: list[float] = []
        self.done: list[Order] = []
        self.file = folder / "sound.wav"
        self.file.write_bytes(b"sound")

    async def start(self) -> None:
        self.uploads = Uploads(
            self.folder / "queue",
            {"main": self.main, "spare": self.spare},
            {"main": "spare"},
            UploadSettings(at_a_time=2),
            sleep=self._sleep,
            now=lambda: self.time,
        )
        self.uploads.on_done = self.done.append
        await self.uploads.load()

    async def again(self) -> None:
        await self.uploads.close()
        await self.start()

    async def put(self, key: str = "r/sound.wav", recording: str = "r", path: Path | None = None) -> None:
        await self.uploads.put(recording, path or self.file, "main", key, "audio/wav")

    async def until_done(self, recording: str = "r") -> None:
        await until(lambda: self.uploads.is_done(recording))

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    yard = Yard(tmp_path)
    await yard.start()
    yield yard
    await yard.uploads.close()


async def test_a_file_arrives_once_and_is_remembered_over_a_restart(yard: Yard) -> None:
    await yard.put()
    await yard.until_done()
    await yard.again()
    await asyncio.sleep(0.01)
    assert yard.main.arrived == [("r/sound.wav", b"sound")]
    [look] = yard.uploads.looks("r")
    assert (look.stage, look.place) == ("uploaded", "main")
    assert [order.key for order in yard.done] == ["r/sound.wav"]


async def test_what_was_cut_off_by_a_restart_goes_on(yard: Yard) -> None:
    yard.main.open.clear()
    await yard.put()
    await asyncio.sleep(0.01)
    assert yard.uploads.looks("r")[0].stage == "uploading"
    await yard.again()
    yard.main.open.set()
    await yard.until_done()
    assert len(yard.main.arrived) == 1


async def test_an_order_is_private_and_on_the_disk_before_put_returns(yard: Yard) -> None:
    yard.main.open.clear()
    await yard.put()
    [order] = (yard.folder / "queue").iterdir()
    assert stat.S_IMODE(order.stat().st_mode) == 0o600
    assert stat.S_IMODE(order.parent.stat().st_mode) == 0o700
    yard.main.open.set()


async def test_a_place_that_fails_is_tried_again_ever_more_slowly(yard: Yard) -> None:
    yard.main.refuses = yard.spare.refuses = "main: it answered 503"
    await yard.put()
    await until(lambda: len(yard.pauses) >= 9)
    [look] = yard.uploads.looks("r")
    assert look.attempts >= 8
    assert look.problem == "main: it answered 503"
    for number, pause in enumerate(yard.pauses[:9]):
        assert pause == pytest.approx(min(2.0**number, 60.0), rel=0.21)
    yard.main.refuses = ""
    await yard.until_done()
    assert yard.uploads.looks("r")[0].problem == ""


async def test_a_place_that_keeps_failing_gives_way_to_its_backup(yard: Yard) -> None:
    yard.main.refuses = "main: out of reach"
    await yard.put()
    await yard.until_done()
    assert (yard.main.arrived, yard.spare.arrived) == ([], [("r/sound.wav", b"sound")])
    assert yard.time - 1_000 >= 300
    assert (yard.done[0].place, yard.done[0].done_place) == ("main", "spare")


async def test_a_slow_upload_holds_up_no_more_than_its_share(yard: Yard) -> None:
    yard.main.open.clear()
    for number in range(5):
        await yard.put(f"r/{number}")
    await asyncio.sleep(0.02)
    stages = sorted(look.stage for look in yard.uploads.looks("r"))
    assert stages == ["uploading"] * 2 + ["waiting"] * 3
    assert yard.uploads.waiting == 5
    yard.main.open.set()
    await yard.until_done()
    assert sorted(key for key, _ in yard.main.arrived) == [f"r/{number}" for number in range(5)]


async def test_the_same_key_ordered_again_is_uploaded_as_it_is_then(yard: Yard) -> None:
    yard.main.open.clear()
    await yard.put()
    yard.file.write_bytes(b"newer")
    await yard.put()
    yard.main.open.set()
    await yard.until_done()
    assert yard.main.arrived == [("r/sound.wav", b"newer")]
    assert len(list((yard.folder / "queue").iterdir())) == 1


async def test_a_file_that_is_gone_is_said_and_not_tried_for_ever(yard: Yard) -> None:
    await yard.put(path=yard.folder / "never.wav")
    await asyncio.sleep(0.02)
    [look] = yard.uploads.looks("r")
    assert (look.stage, look.attempts) == ("missing", 0)


async def test_what_is_forgotten_leaves_nothing_behind_and_others_go_on(yard: Yard) -> None:
    yard.main.open.clear()
    await yard.put("r/1")
    await yard.put("q/1", "q")
    await yard.uploads.forget("r")
    yard.main.open.set()
    await yard.until_done("q")
    assert yard.main.arrived == [("q/1", b"sound")]
    assert yard.uploads.looks("r") == []
    await yard.again()
    assert yard.uploads.looks("r") == []


async def test_a_place_that_is_not_configured_is_refused_and_one_that_was_is_waited_for(yard: Yard) -> None:
    with pytest.raises(KeyError):
        await yard.uploads.put("r", yard.file, "other", "r/x", "audio/wav")
    yard.main.open.clear()
    await yard.put()
    await yard.uploads.close()
    yard.uploads = Uploads(yard.folder / "queue", {}, sleep=yard._sleep, now=lambda: yard.time)
    await yard.uploads.load()
    await asyncio.sleep(0.02)
    assert yard.uploads.looks("r")[0].problem == "the place is not configured any more"
    await yard.uploads.close()
    yard.main.open.set()
    await yard.start()
    await yard.until_done()
    assert len(yard.main.arrived) == 1


async def test_an_order_that_cannot_be_read_is_left_alone_and_hinders_nobody(yard: Yard) -> None:
    (yard.folder / "queue" / "broken.order").write_bytes(b"{")
    (yard.folder / "queue" / "cut.part").write_bytes(b"")
    await yard.again()
    await yard.put()
    await yard.until_done()
    assert (yard.folder / "queue" / "broken.order").exists()


async def test_an_order_that_cannot_be_written_is_refused(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        await yard.put()
    assert yard.uploads.looks("r") == []
