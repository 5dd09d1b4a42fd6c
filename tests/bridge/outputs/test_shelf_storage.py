"""What of a recording goes to a storage, when, and what becomes of it at the end."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.buckets import until
from tests.kit.shelf_place import ID, Place, settled

pytestmark = pytest.mark.unit


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    await place.start()
    yield place
    await place.stop()


async def test_segments_go_as_they_come_and_the_playlist_after_them(place: Place) -> None:
    place.storage.begin(ID, "")
    folder = "files/program-hls-ts"
    for number in range(3):
        place.write(f"{folder}/{number:06}.ts", bytes([number]))
        place.write(f"{folder}/{number + 1:06}.ts.part", b"grows")
        named = "".join(f"{one:06}.ts\n" for one in range(number + 1))
        place.write(f"{folder}/media.m3u8", f"#EXTM3U\n{named}".encode())
        place.write(f"{folder}/index.m3u8", b"#EXTM3U\nmedia.m3u8\n")
        for _ in range(3):
            place.storage.progressed(ID)
            await settled()
        await until(lambda: place.keys.count("program-hls-ts/media.m3u8") > number)  # noqa: B023 - at once
        await place.storage.done(ID)
    short = [key.removeprefix("program-hls-ts/") for key in place.keys]
    assert short == [
        "000000.ts", "media.m3u8", "index.m3u8", "000001.ts", "media.m3u8", "000002.ts", "media.m3u8",
    ]  # fmt: skip


async def test_a_segment_that_was_made_longer_goes_once_more(place: Place) -> None:
    place.storage.begin(ID, "")
    for content in (b"short", b"longer"):
        place.write("files/hls/0.ts", content)
        place.write("files/hls/media.m3u8", b"#EXTM3U\n#" + content + b"\n0.ts\n")
        place.storage.progressed(ID)
        await settled()
        await place.storage.done(ID)
    assert [content for key, content in place.bucket.arrived if key.endswith("0.ts")] == [b"short", b"longer"]


async def test_files_go_as_they_are_whole_and_none_goes_twice(place: Place) -> None:
    place.storage.begin(ID, "")
    names = place.make("a.wav", "program.mp4")
    place.storage.made(ID, "files/a.wav")
    await until(lambda: place.keys == ["a.wav"])
    await place.storage.done(ID)
    place.write("files/a.wav", b"content of a.wav")  # its maker died, and another one made it again
    await place.storage.send(ID, names)
    await place.storage.done(ID)
    assert place.keys[0] == "a.wav" and sorted(place.keys[1:]) == ["manifest.json", "program.mp4"]


async def test_after_a_restart_what_was_not_ordered_is(place: Place) -> None:
    place.storage.begin(ID, "")
    names = place.make("a.wav", "b.wav")
    place.write("files/c.wav.part", b"grows")
    await place.storage.send(ID, names[:1])
    await place.storage.done(ID)
    await place.again()
    place.storage.begin(ID, "main")
    await place.storage.send_all(ID)
    await place.storage.done(ID)
    assert sorted(place.keys) == ["a.wav", "b.wav", "manifest.json"]


async def test_a_full_disk_only_puts_off_what_is_to_be_sent(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, full = place.uploads.put, [True, True]

    async def fails(*given: str) -> None:
        if full and full.pop():
            raise OSError(errno.ENOSPC, "No space left on device")
        await put(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(place.uploads, "put", fails)
    place.storage.begin(ID, "")
    sending = asyncio.ensure_future(place.storage.send(ID, place.make("a.wav")))
    for _ in range(3):
        await place.pass_time(60)
    await sending
    await place.storage.done(ID)
    assert place.keys == ["a.wav", "manifest.json"]


async def test_one_whose_storage_is_not_configured_any_more_stays_and_never_counts_as_sent(
    place: Place,
) -> None:
    place.storage.begin(ID, "of-last-year")
    await place.storage.send(ID, place.make("a.wav"))
    assert not place.storage.is_sent(ID)
    waiting = asyncio.ensure_future(place.storage.done(ID))
    await settled()
    assert not waiting.done()
    waiting.cancel()


async def test_nothing_is_left_of_one_that_is_forgotten_whatever_went_on(place: Place) -> None:
    for hangs in (False, True):
        if hangs:
            place.bucket.open.clear()
        place.storage.begin(ID, "")
        names = place.make("a.wav", "b.wav")
        place.storage.made(ID, names[0])
        sending = asyncio.ensure_future(place.storage.send(ID, names))
        await asyncio.sleep(0.005 if hangs else 0)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await place.storage.forget(ID)
        assert not place.storage.is_sent(ID)
        async with asyncio.timeout(5):  # what a thread was writing is taken back after it
            while list(place.queue.iterdir()):
                await settled()


async def test_what_nobody_knows_any_more_is_taken_back(place: Place) -> None:
    place.bucket.open.clear()
    place.storage.begin(ID, "")
    await place.storage.send(ID, place.make("a.wav"))
    await place.again()
    await place.storage.forget_others(["another"])
    assert list(place.queue.iterdir()) == []
