from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from bridge.outputs.read_files import ReadFiles

pytestmark = pytest.mark.unit


async def test_the_ones_asked_for_last_are_kept_and_no_more_than_so_much(tmp_path: Path) -> None:
    files, paths = ReadFiles(10), [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_bytes(path.name.encode() * 4)
    for path in (*paths[:2], paths[0], paths[2]):
        await files.content(path)
    assert files.bytes == 8
    for path in paths:
        path.unlink()
    assert (await files.content(paths[0]), await files.content(paths[2])) == (b"aaaa", b"cccc")
    with pytest.raises(FileNotFoundError):
        await files.content(paths[1])


async def test_what_is_deleted_while_it_is_read_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, path, may_read = ReadFiles(), tmp_path / "a", threading.Event()
    path.write_bytes(b"old")
    original = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: may_read.wait(10) and original(path))
    reading = [asyncio.create_task(files.content(path)) for _ in range(2)]
    await asyncio.sleep(0)
    files.forget_all(tmp_path)
    may_read.set()
    assert await asyncio.gather(*reading) == [b"old", b"old"]
    assert files.bytes == 0
    path.write_bytes(b"new")
    assert await files.content(path) == b"new"
    files.forget(path)
    assert files.bytes == 0
