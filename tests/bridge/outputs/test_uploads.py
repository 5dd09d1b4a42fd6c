from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.outputs.upload_orders import Order
from bridge.outputs.uploads import Uploads
from tests.kit.buckets import until
from tests.kit.upload_yard import Yard

pytestmark = pytest.mark.unit


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
    assert [order.key for order in yard.uploads.arrived("r")] == ["r/sound.wav"]


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
    [order] = yard.uploads.arrived("r")
    assert (order.place, order.done_place) == ("main", "spare")


async def test_a_slow_upload_holds_up_no_more_than_its_share(yard: Yard) -> None:
    yard.main.open.clear()
    for number in range(5):
        await yard.put(f"r/{number}")
    await asyncio.sleep(0.02)
    stages = sorted(look.stage for look in yard.uploads.looks("r"))
    assert stages == ["uploading"] * 2 + ["waiting"] * 3
    assert yard.uploads.stages() == {"uploading": 2, "waiting": 3}
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
    # What was there first may have been read already; it is sent again then.
    assert yard.main.arrived[-1] == ("r/sound.wav", b"newer") and len(yard.main.arrived) <= 2
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


# --- what was ordered before, what changes, what waits for others ---


async def test_what_has_arrived_is_not_sent_again_when_it_is_ordered_again(yard: Yard) -> None:
    await yard.put()
    await yard.until_done()
    await yard.put()
    yard.file.with_suffix(".new").write_bytes(b"sound")  # made again, as it was
    yard.file.with_suffix(".new").replace(yard.file)
    await yard.again()
    await yard.put()
    await yard.until_done()
    assert len(yard.main.arrived) == 1
    yard.file.write_bytes(b"other")
    await yard.put()
    await until(lambda: len(yard.main.arrived) == 2)
    await yard.until_done()
    assert yard.main.arrived[1] == ("r/sound.wav", b"other")


async def test_a_file_that_changes_while_it_is_uploaded_goes_once_more(yard: Yard) -> None:
    yard.main.open.clear()
    await yard.put()
    await asyncio.sleep(0.02)
    yard.file.write_bytes(b"longer than it was")
    yard.main.open.set()
    await yard.until_done()
    assert yard.main.arrived[-1] == ("r/sound.wav", b"longer than it was")
    assert yard.uploads.looks("r")[0].attempts == 1


async def test_a_file_ordered_again_just_as_it_is_confirmed_goes_as_it_is_then(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Uploads._write

    async def slowly(self: Uploads, file: Path, order: Order) -> None:
        if order.done_at and yard.file.read_bytes() == b"sound":
            yard.file.write_bytes(b"newer!")
            await self.put("r", yard.file, "main", "r/sound.wav", "audio/wav")
        await write(self, file, order)

    monkeypatch.setattr(Uploads, "_write", slowly)
    await yard.put()
    await until(lambda: len(yard.main.arrived) == 2 and yard.uploads.is_done("r"))
    assert yard.main.arrived[1] == ("r/sound.wav", b"newer!")
    assert yard.uploads.uploaded == 1


async def test_a_playlist_goes_when_everything_that_it_names_is_there(yard: Yard) -> None:
    def make(name: str, content: bytes) -> Path:
        (yard.folder / name).write_bytes(content)
        return yard.folder / name

    kind = "application/vnd.apple.mpegurl"
    media = make("media.m3u8", b'#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:6,\n0.m4s\n')
    master = make("index.m3u8", b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nmedia.m3u8\n")
    await yard.uploads.put("r", master, "main", "r/hls/index.m3u8", kind)
    await yard.uploads.put("r", media, "main", "r/hls/media.m3u8", kind)
    await asyncio.sleep(0.02)
    assert yard.main.arrived == []
    await yard.put("r/hls/0.m4s")
    await asyncio.sleep(0.02)
    assert [key for key, _ in yard.main.arrived] == ["r/hls/0.m4s"]
    await yard.again()
    await yard.put("r/hls/init.mp4")
    await yard.until_done()
    assert [key for key, _ in yard.main.arrived][1:] == [
        "r/hls/init.mp4", "r/hls/media.m3u8", "r/hls/index.m3u8",
    ]  # fmt: skip


async def test_a_playlist_that_grew_goes_once_more_but_never_ahead_of_its_segments(yard: Yard) -> None:
    playlist = yard.folder / "media.m3u8"
    kind = "application/vnd.apple.mpegurl"
    for number in range(4):
        playlist.write_text("".join(f"{one}.ts\n" for one in range(number + 1)))
        await yard.uploads.put("r", playlist, "main", "r/media.m3u8", kind)
        await asyncio.sleep(0.005)
        await yard.put(f"r/{number}.ts")
        if number != 2:  # the next one comes while this one is on its way
            await yard.until_done()
    there: set[bytes] = set()
    for key, content in yard.main.arrived:
        there.add(key.removeprefix("r/").encode())
        if key == "r/media.m3u8":
            assert set(content.split()) <= there
    assert yard.main.arrived[-1] == ("r/media.m3u8", b"0.ts\n1.ts\n2.ts\n3.ts\n")


async def test_a_recordings_own_storage_is_opened_when_it_is_used(yard: Yard) -> None:
    await yard.uploads.put("r", yard.file, "@own", "r/sound.wav", "audio/wav")
    await until(lambda: yard.uploads.looks("r")[0].stage == "failing")
    assert yard.uploads.looks("r")[0].problem == "the keys of the recording's own storage are gone"
    yard.own["r"] = yard.spare
    await yard.until_done()
    assert yard.spare.arrived == [("r/sound.wav", b"sound")]
    [order] = yard.uploads.arrived("r")
    assert await yard.uploads.target(order) is yard.spare


async def test_orders_of_recordings_that_are_gone_are_taken_back(yard: Yard) -> None:
    yard.main.open.clear()
    await yard.put("r/1")
    await yard.put("q/1", "q")
    await yard.again()
    await yard.uploads.forget_others(["q"])
    yard.main.open.set()
    await yard.until_done("q")
    assert yard.main.arrived == [("q/1", b"sound")]
    assert len(list((yard.folder / "queue").iterdir())) == 1


async def test_what_is_forgotten_while_it_is_written_down_is_not_there_afterwards(yard: Yard) -> None:
    for wait in (0, 1, 3, 10):
        putting = asyncio.ensure_future(yard.put())
        for _ in range(wait):
            await asyncio.sleep(0)
        await yard.uploads.forget("r")
        await putting
        await yard.uploads.forget("r")
        assert list((yard.folder / "queue").iterdir()) == []


async def test_whoever_waits_for_everything_is_told_when_it_is_there(yard: Yard) -> None:
    yard.main.open.clear()
    await yard.put("r/1")
    await yard.put("r/2")
    waiting = asyncio.ensure_future(yard.uploads.done("r"))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    yard.main.open.set()
    async with asyncio.timeout(5):
        await waiting
    assert len(yard.main.arrived) == 2


async def test_those_that_are_not_through_are_counted_by_stage(yard: Yard) -> None:
    assert not yard.uploads.stages()
    await yard.put("r/a.wav")
    await yard.until_done()
    assert not yard.uploads.stages()
    yard.main.open.clear()
    for name in "bcd":
        await yard.put(f"r/{name}.wav")
    await until(lambda: yard.uploads.stages() == {"uploading": 2, "waiting": 1})
    yard.main.refuses = "HTTP 403"
    yard.main.open.set()
    await until(lambda: yard.uploads.stages()["failing"] == 3 or yard.uploads.failed_attempts > 5)
    yard.main.refuses = ""
    await yard.until_done()
    assert not yard.uploads.stages()
