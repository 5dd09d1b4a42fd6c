from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import BadInput
from bridge.outputs.storage import Storage, StorageFailed
from bridge.outputs.storage_open import Opening
from tests.kit.object_storage import SECRET_KEY, ObjectStorage

pytestmark = pytest.mark.wire


async def test_files_small_and_large_arrive_as_they_are(there: ObjectStorage, tmp_path: Path) -> None:
    storage = Storage(there.place(prefix="calls/2026"))
    contents = {"r/small.wav": b"sound", "r/empty.txt": b"", "r/large.mp4": os.urandom(20 << 20)}
    for key, content in contents.items():
        file = tmp_path / "file"
        file.write_bytes(content)
        await storage.put(file, key, "video/mp4" if key.endswith("mp4") else "audio/wav")
    stored = there.contents()
    assert {key: stored[f"calls/2026/{key}"] for key in contents} == contents
    assert there.media_type("calls/2026/r/large.mp4") == "video/mp4"


async def test_the_same_key_is_overwritten_and_removed_once_or_twice(
    there: ObjectStorage, tmp_path: Path
) -> None:
    storage = Storage(there.place())
    file = tmp_path / "file"
    for content in (b"first", b"second"):
        file.write_bytes(content)
        await storage.put(file, "twice/file", "audio/wav")
    assert there.contents()["twice/file"] == b"second"
    await storage.remove("twice/file")
    await storage.remove("twice/file")
    assert "twice/file" not in there.contents()


async def test_what_goes_wrong_is_said_without_keys(there: ObjectStorage, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"sound")
    said = []
    for place in (
        there.place(bucket="nobodys"),
        replace(there.place(), endpoint="http://127.0.0.1:9"),
    ):
        assert SECRET_KEY not in repr(place)
        with pytest.raises(StorageFailed) as failed:
            await Storage(place, Opening(timeout_s=2)).put(file, "a/file", "audio/wav")
        said.append(str(failed.value))
    assert said[0] == "main: there is no such bucket or file"
    assert said[1].startswith("main: it ")
    assert not any(SECRET_KEY in text or "127.0.0.1" in text for text in said)


async def test_a_local_file_that_is_gone_is_another_matter(there: ObjectStorage, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await Storage(there.place()).put(tmp_path / "never", "a/never", "audio/wav")


async def test_whoever_gives_up_a_storage_that_hangs_is_free_at_once_and_so_is_the_connection() -> None:
    gone = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            await reader.read()
        gone.set()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        storage = Storage(replace(ObjectStorage(endpoint, None).place()))
        for attempt in (storage.put_content(b"sound", "a/file", "audio/wav"), storage.remove("a/file")):
            gone.clear()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await attempt
            async with asyncio.timeout(10):
                await gone.wait()


def test_a_place_that_cannot_be_is_refused() -> None:
    with pytest.raises(BadInput):
        Storage(replace(ObjectStorage("ftp://x", None).place()))
