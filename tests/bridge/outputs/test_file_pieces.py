"""Uploads in parts that end early: the storage is left with no parts that nobody will ever put together."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.outputs import file_pieces
from bridge.outputs.file_pieces import FilePieces, GivenUp
from bridge.outputs.storage import Storage, StorageFailed
from bridge.outputs.storage_open import Opening
from tests.kit.object_storage import ObjectStorage

pytestmark = pytest.mark.wire

LARGE = os.urandom(60 << 20)
OPENING = Opening(apart=True, timeout_s=20)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "large.mp4"
    file.write_bytes(LARGE)
    return file


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(happened):  # noqa: ASYNC110 - a server that tells nobody
            await asyncio.sleep(0.02)


async def test_pieces_are_all_of_the_file_in_order(file: Path) -> None:
    pieces = [piece async for piece in FilePieces(file, 8 << 20)]
    assert [len(piece) for piece in pieces] == [8 << 20] * 7 + [4 << 20]
    assert b"".join(pieces) == LARGE


async def test_an_upload_that_fails_leaves_no_parts(there: ObjectStorage, file: Path) -> None:
    there.gate.refused_part = 2
    try:
        with pytest.raises(StorageFailed, match="access is denied"):
            await Storage(there.place(), OPENING).put(file, "o/refused", "video/mp4")
    finally:
        there.gate.refused_part = 0
    assert there.unfinished() == []


async def test_an_upload_that_is_given_up_leaves_no_parts(there: ObjectStorage, file: Path) -> None:
    there.gate.delay_s = 0.2
    try:
        sending = asyncio.create_task(Storage(there.place(), OPENING).put(file, "o/given-up", "video/mp4"))
        await until(lambda: there.unfinished() == ["o/given-up"])
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await until(lambda: there.unfinished() == [])
    finally:
        there.gate.delay_s = 0.0
    assert "o/given-up" not in there.keys()


async def test_whoever_gives_up_is_not_held_up_by_a_storage_that_hangs(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_pieces, "ABORT_WITHIN_S", 0.02)
    hangs = asyncio.get_running_loop().create_future()
    pieces = FilePieces(file, 8 << 20)
    waiting = asyncio.create_task(pieces.sent_by(hangs))
    await asyncio.sleep(0)
    waiting.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert hangs.cancelled()
    with pytest.raises(GivenUp):
        await anext(aiter(pieces))
