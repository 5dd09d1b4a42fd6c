"""A server that is killed at each step of a removal, one after the other: the next start leaves nothing."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.core.ports import OWN_STORAGE, GivenStorage, OutputPort, OutputSpec, RecordingSpec
from bridge.directory import Directory
from bridge.output_desk import OutputDesk
from bridge.outputs.own_storages import OwnStorages
from bridge.outputs.record_shelf import RecordShelf
from bridge.outputs.record_writer import RecordWriter
from bridge.outputs.shelf_storage import ShelfStorage
from bridge.outputs.storage_open import Opening
from bridge.outputs.uploads import Uploads
from bridge.recordings import Recordings
from bridge.records import KeptRecording
from tests.kit.buckets import Bucket
from tests.kit.notes import Notes, Rooms
from tests.kit.records import MemoryRecordings, MemoryRecords

pytestmark = pytest.mark.unit

ID, OTHER = "recording-1", "recording-2"
GIVEN = GivenStorage("s3", "calls", access_key="an-id", secret_key="a-very-secret-key")
STEPS = ("unlink", "rmdir", "replace", "rename", "fsync", "open", "mkdir")


class Killed(BaseException):
    """The server is not there any more."""


class Life:
    """After `steps` more steps on the disk it is over; nothing happens on the disk afterwards."""

    def __init__(self, patch: pytest.MonkeyPatch, steps: int) -> None:
        self.left, self.taken = steps, 0
        for name in STEPS:
            patch.setattr(os, name, self._counted(getattr(os, name)))

    def step(self) -> None:
        if self.taken >= self.left:
            raise Killed
        self.taken += 1

    def _counted(self, really: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **more: Any) -> Any:
            changes = really.__name__ != "open" or (len(given) > 1 and given[1] & os.O_CREAT)
            if changes:
                self.step()
            return really(*given, **more)

        return counted


class Rows(MemoryRecordings):
    """Rows in a database; forgetting one is a step, too."""

    life: Life | None = None

    async def forget_recording(self, recording_id: str) -> None:
        if self.life is not None:
            self.life.step()
        await super().forget_recording(recording_id)


class Server:
    """What it takes to remove a recording, on what an earlier one has left."""

    def __init__(self, folder: Path, rows: Rows, bucket: Bucket) -> None:
        self.root, self.queue = folder / "recordings", folder / "uploads"
        self.uploads = Uploads(self.queue, {"main": bucket}, own=self._open_own)
        self.own = OwnStorages(self.root, self._judge, self._opening)
        storage = ShelfStorage(self.root, self.uploads, ("main",), own=self.own)
        self.shelf = RecordShelf(self.root, RecordWriter(self.root), storage=storage)
        self.bucket = bucket
        rooms = Rooms()
        self.directory = Directory(MemoryRecords(), rooms)
        self.desk = OutputDesk(rooms, self.directory, {RecordingSpec: self._make}, lambda: 0, lambda: 0)
        self.recordings = Recordings(rows, self.directory, self.desk, self.shelf)

    async def start(self) -> None:
        await self.uploads.load(begin=False)
        await self.recordings.load()
        self.uploads.begin()

    async def stop(self) -> None:
        """As a kill does it: nobody says goodbye to the disk."""
        await self.recordings.close()
        await self.shelf.close()
        await self.uploads.close()

    async def _open_own(self, recording: str) -> Bucket:
        await self.own.open(recording)
        return self.bucket

    async def _judge(self, endpoint: str, named: bool) -> None:
        return None

    async def _opening(self) -> Opening:
        return Opening(proxy="http://a:b@127.0.0.1:9", apart=True)

    def _make(self, port: OutputPort, spec: OutputSpec) -> Notes:
        return Notes(port, spec)


async def furnish(folder: Path, rows: Rows) -> None:
    """A recording with files, a log, keys, uploads through and waiting; and another one that is to stay."""
    bucket = Bucket()
    for recording in (ID, OTHER):
        directory = folder / "recordings" / recording
        for name in ("log/000000.rec", "log/000001.rec", "files/program.mp4", "files/hls/0.ts"):
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(name.encode())
        (directory / "manifest.json").write_text(json.dumps({"files": []}))
    server = Server(folder, rows, bucket)
    await server.own.keep(ID, GIVEN)
    server.uploads.begin()
    for recording in (ID, OTHER):
        place = OWN_STORAGE if recording == ID else "main"
        path = folder / "recordings" / recording / "files" / "program.mp4"
        await server.uploads.put(recording, path, place, f"{recording}/program.mp4", "video/mp4")
        await server.uploads.done(recording)
    bucket.open.clear()
    path = folder / "recordings" / ID / "files" / "hls" / "0.ts"
    await server.uploads.put(ID, path, OWN_STORAGE, f"{ID}/hls/0.ts", "video/mp2t")
    await server.stop()


def left_of(folder: Path, recording: str) -> list[str]:
    """Files and orders."""
    files = [str(path) for path in (folder / "recordings").glob(f"{recording}*")]
    orders = [str(file) for file in (folder / "uploads").iterdir() if recording in file.read_text()]
    return files + orders


@pytest.mark.parametrize("how", ["deleted", "found"])
async def test_whatever_a_kill_leaves_of_a_removal_is_gone_after_the_next_start(
    tmp_path: Path, how: str
) -> None:
    """`deleted`: killed while the conference is deleted; `found`: killed again in the start after that."""
    finished, step = False, 0
    while not finished:
        folder, rows = tmp_path / str(step), Rows()
        rows.kept = {ID: KeptRecording(ID, "gone", "app", 1.0, 1, wishes={"storage": OWN_STORAGE})}
        if how == "found":
            rows.kept[OTHER] = KeptRecording(OTHER, "gone-too", "app", 2.0, 1)
        await furnish(folder, rows)
        with pytest.MonkeyPatch.context() as patch:
            rows.life = life = Life(patch, step)
            bucket = Bucket()
            bucket.open.clear()
            killed = Server(folder, rows, bucket)
            try:
                if how == "deleted":
                    await killed.uploads.load()
                    await killed.recordings._ends.remove(rows.kept[ID])
                else:
                    await killed.start()
                finished = True
            except Killed:
                pass
            await asyncio.gather(killed.stop(), return_exceptions=True)
        rows.life = None
        assert life.taken == step or finished
        last = Server(folder, rows, Bucket())
        await last.start()
        await last.stop()
        assert ID not in rows.kept
        assert left_of(folder, ID) == [], f"killed at step {step}"
        if how == "deleted":
            # Nobody has a row for this one either: what lies there is not touched on a mere suspicion.
            assert (folder / "recordings" / OTHER / "files" / "program.mp4").exists()
        step += 1
    assert step > 12


async def test_what_has_no_row_is_not_deleted_but_nothing_of_it_is_sent(tmp_path: Path) -> None:
    """Whoever starts with another database by mistake finds the recordings again afterwards."""
    rows = Rows()
    await furnish(tmp_path, rows)
    bucket = Bucket()
    server = Server(tmp_path, rows, bucket)
    await server.start()
    await server.stop()
    assert (tmp_path / "recordings" / ID / "files" / "program.mp4").exists()
    assert list((tmp_path / "uploads").iterdir()) == []
    assert bucket.arrived == []
