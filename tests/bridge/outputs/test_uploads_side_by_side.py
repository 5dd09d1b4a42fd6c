"""Uploads that meet: one storage hangs while others work, one file is ordered twice, disks fill up."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.outputs.upload_orders import Order
from bridge.outputs.uploads import Uploads
from tests.kit.buckets import Bucket, until
from tests.kit.upload_yard import Yard

pytestmark = pytest.mark.unit

WAV = "audio/wav"


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    yard = Yard(tmp_path)
    await yard.start()
    yield yard
    await yard.uploads.close()


async def test_a_storage_that_hangs_delays_no_other_one(yard: Yard) -> None:
    yard.main.open.clear()
    for number in range(5):
        await yard.put(f"r/{number}")
    await yard.uploads.put("q", yard.file, "spare", "q/1", WAV)
    await yard.until_done("q")
    assert yard.spare.arrived == [("q/1", b"sound")]
    await until(lambda: yard.uploads.stages() == {"uploading": 2, "waiting": 3})


async def test_one_file_that_hangs_does_not_hold_up_the_others(yard: Yard) -> None:
    yard.main.stuck.add("r/0")
    for number in range(8):
        await yard.put(f"r/{number}")
    await until(lambda: yard.uploads.stages() == {"uploading": 1})
    assert len(yard.main.arrived) == 7


async def test_storages_that_requests_name_wait_for_themselves_only(yard: Yard) -> None:
    hung = Bucket()
    hung.open.clear()
    yard.own = {"slow": hung, "quick": yard.spare}
    for number in range(4):
        await yard.uploads.put("slow", yard.file, "@own", f"slow/{number}", WAV)
    for number in range(4):
        await yard.uploads.put("quick", yard.file, "@own", f"quick/{number}", WAV)
    await yard.until_done("quick")
    assert sorted(key for key, _ in yard.spare.arrived) == [f"quick/{number}" for number in range(4)]
    await until(lambda: yard.uploads.stages() == {"uploading": 1, "waiting": 3})


async def test_all_storages_that_requests_name_take_so_much_together_and_no_configured_one_waits(
    yard: Yard,
) -> None:
    for number in range(6):
        hung = yard.own[f"own-{number}"] = Bucket()
        hung.open.clear()
        await yard.uploads.put(f"own-{number}", yard.file, "@own", f"own-{number}/1", WAV)
    await until(lambda: yard.uploads.stages() == {"uploading": 3, "waiting": 3})
    await yard.put()
    await yard.until_done()


async def test_a_file_that_is_ordered_twice_at_once_goes_once(yard: Yard) -> None:
    await asyncio.gather(*(yard.put() for _ in range(4)))
    await yard.until_done()
    await yard.uploads.forget("r")
    assert yard.main.arrived == [("r/sound.wav", b"sound")]
    assert list((yard.folder / "queue").iterdir()) == [], "nobody writes after it was forgotten"


async def test_whoever_waits_for_one_that_is_forgotten_waits_no_longer(yard: Yard) -> None:
    yard.main.open.clear()
    await yard.put()
    waiting = asyncio.ensure_future(yard.uploads.done("r"))
    await asyncio.sleep(0)
    await yard.uploads.forget("r")
    async with asyncio.timeout(5):
        await waiting


async def test_what_nobody_foresaw_is_said_and_goes_on_when_it_is_ordered_again(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def breaks(path: Path, key: str, media_type: str) -> str:
        raise RuntimeError("a fault")

    with monkeypatch.context() as patched:
        patched.setattr(yard.main, "put", breaks)
        await yard.put()
        await until(lambda: yard.uploads.looks("r")[0].stage == "failing")
    assert "an upload broke off" in caplog.text and "a fault" in caplog.text
    await yard.put()
    await yard.until_done()
    assert len(yard.main.arrived) == 1


async def test_a_full_disk_just_as_a_file_has_to_go_once_more_loses_nothing(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, full, was_full = Uploads._write, asyncio.Event(), asyncio.Event()

    async def on_a_disk_that_fills(self: Uploads, file: Path, order: Order) -> None:
        if order.done_at and yard.file.read_bytes() == b"sound":
            yard.file.write_bytes(b"newer!")
            await self.put("r", yard.file, "main", "r/sound.wav", WAV)
            full.set()
        elif full.is_set() and not was_full.is_set():
            was_full.set()
            raise OSError(errno.ENOSPC, "No space left on device")
        await write(self, file, order)

    monkeypatch.setattr(Uploads, "_write", on_a_disk_that_fills)
    await yard.put()
    await until(lambda: len(yard.main.arrived) == 2)
    await yard.until_done()
    assert was_full.is_set() and yard.main.arrived[1] == ("r/sound.wav", b"newer!")
