"""Recordings and object storage on a real server: kills, broken storage, hidden keys, and no orphans."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import time
from pathlib import Path

import httpx
import pytest

from tests.kit.object_storage import BUCKET, ObjectStorage
from tests.kit.recorded_meeting import STORAGES_HERE, Meeting, left_in, settings, sums, until, wanted_of
from tests.kit.running_bridge import RunningBridge

pytestmark = pytest.mark.e2e

OWN_SECRET = "own-secret-key-that-nobody-sees"


async def test_a_storage_that_a_request_names_gets_the_files_over_a_kill_and_its_keys_are_seen_nowhere(
    tmp_path: Path, there: ObjectStorage
) -> None:
    own = {
        "kind": "s3", "bucket": BUCKET, "prefix": "theirs", "endpoint": there.endpoint,
        "accessKey": "own-access-key", "secretKey": OWN_SECRET, "sessionToken": f"{OWN_SECRET}-token",
    }  # fmt: skip
    there.refuse()
    bridge = RunningBridge(tmp_path / "server", STORAGES_HERE, ["--log-level", "trace"])
    async with bridge:
        meeting = await Meeting.open(bridge)
        for wrong in (
            {"endpoint": "http://localhost:9"},
            {"endpoint": "http://10.0.0.1"},
            {"bucket": "../x"},
        ):
            answer = await meeting.start(storage=own | wrong)
            assert answer.status_code == 400
            assert f"`storage.{next(iter(wrong))}`" in answer.json()["error"]
            assert OWN_SECRET not in answer.text
        manifest = await meeting.record(1.0, formats=["wav", "mp4"], participants=True, storage=own)
        page = f"/operator/api/{meeting.conference}/recording/files"
        async with asyncio.timeout(20):
            while "failing" not in (files := await bridge.call("GET", page)).text:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.1)
        assert "503" in files.text and OWN_SECRET not in files.text
        await bridge.kill()
        keys = tmp_path / "server" / "data" / "recordings" / manifest["recording"] / "storage.json"
        assert keys.stat().st_mode & 0o777 == 0o600
        elsewhere = [path for path in (tmp_path / "server").rglob("*") if path.is_file() and path != keys]
        assert len(elsewhere) > 5
        assert [path for path in elsewhere if OWN_SECRET.encode() in path.read_bytes()] == []
        there.take()
        await bridge.start()
        await until(lambda: sums(there) == wanted_of(manifest, "theirs"))
        assert OWN_SECRET not in bridge.log
        assert (await bridge.call("DELETE", meeting.base)).status_code == 200
        await until(lambda: left_in(bridge.folder) == [])
    assert len(there.contents()) == len(manifest["files"]) + 1  # what has arrived is theirs


async def test_segments_arrive_while_it_is_recorded_whatever_goes_wrong_on_the_way(
    tmp_path: Path, there: ObjectStorage
) -> None:
    bridge = RunningBridge(tmp_path / "server", arguments=settings(tmp_path, there))
    async with bridge:
        meeting = await Meeting.open(bridge)
        assert (await meeting.start(formats=["hls"])).status_code == 200
        there.gate.lots = random.Random(20261122)
        began, seen = time.monotonic(), set()
        while time.monotonic() - began < 60 and len(seen) < 3:
            await asyncio.sleep(0.5)
            contents = await asyncio.to_thread(there.contents)
            for key, content in contents.items():
                if not key.endswith("media.m3u8"):
                    continue
                lines = content.decode().rpartition("\n")[0].splitlines()  # it may have been cut off, too
                named = [line for line in lines if line and not line.startswith("#")]
                folder = key.rpartition("/")[0]
                there_by_now = await asyncio.to_thread(there.contents)
                assert {f"{folder}/{name}" for name in named} <= set(there_by_now)
                seen.update(named)
        assert len(seen) >= 2, seen  # long before the end
        assert len(there.gate.drawn) >= 4, there.gate.drawn
        there.gate.lots = None
        await meeting.stop()
        manifest = await meeting.manifest()
        await until(lambda: sums(there) == wanted_of(manifest, "calls"), 60)


async def test_what_is_safe_leaves_the_disk_and_is_given_out_from_the_storage(
    tmp_path: Path, there: ObjectStorage
) -> None:
    arguments = settings(tmp_path, there, "[recordings]\nkeep_uploaded_hours = 0\nfinish_minutes = 0\n")
    bridge = RunningBridge(tmp_path / "server", arguments=arguments)
    async with bridge:
        meeting = await Meeting.open(bridge)
        manifest = await meeting.record(1.0, formats=["mp4", "hls"])
        folder = bridge.folder / "data" / "recordings" / manifest["recording"]
        await until(lambda: not (folder / "log").exists() and not (folder / "log.away").exists())
        assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "plan.json"]
        for again in (False, True):
            if again:
                await bridge.kill()
                await bridge.start()
            for name, wanted in wanted_of(manifest, "").items():
                answer = await meeting.get(f"/files/{name.split('/', 2)[2]}")
                if name.endswith(".m3u8"):
                    content = answer.content
                else:
                    assert answer.status_code == 302, name
                    async with httpx.AsyncClient() as http:
                        content = (await http.get(answer.headers["location"])).content
                assert hashlib.sha256(content).hexdigest() == wanted
            answer = await meeting.get("", Range="bytes=4-7")
            async with httpx.AsyncClient() as http:
                part = await http.get(answer.headers["location"], headers={"Range": "bytes=4-7"})
            assert (part.status_code, part.content) == (206, b"ftyp")
            assert (await meeting.get("", Accept="image/jpeg")).status_code == 302
        second = await meeting.record(1.0, formats=["mp4"])
        assert second["recording"] != manifest["recording"]
        await until(lambda: len(sums(there)) == len(manifest["files"]) + len(second["files"]))
        assert sums(there) == wanted_of(manifest, "calls") | wanted_of(second, "calls")
        assert (await bridge.call("DELETE", meeting.base)).status_code == 200
        await until(lambda: left_in(bridge.folder) == [])


async def test_the_recording_of_a_conference_that_expires_arrives_over_a_kill_and_then_goes(
    tmp_path: Path, there: ObjectStorage
) -> None:
    there.refuse()
    arguments = settings(tmp_path, there, f"[limits]\nconference_hours = {8 / 3600}\n")
    bridge = RunningBridge(tmp_path / "server", arguments=arguments)
    async with bridge:
        meeting = await Meeting.open(bridge)
        assert (await meeting.start(formats=["wav"])).status_code == 200
        async with asyncio.timeout(20):
            while (await bridge.call("GET", meeting.base)).status_code == 200:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.1)
        await bridge.kill()
        await bridge.start()
        await asyncio.sleep(2)
        assert left_in(bridge.folder) != []
        there.take()
        await until(lambda: left_in(bridge.folder) == [])
    [manifest] = [json.loads(content) for key, content in there.contents().items() if "manifest" in key]
    assert sums(there) == wanted_of(manifest, "calls")
    assert manifest["duration_ms"] > 5_000


async def test_a_conference_that_is_deleted_in_the_middle_of_uploads_leaves_nothing_however_it_is_killed(
    tmp_path: Path, there: ObjectStorage
) -> None:
    lots = random.Random(5)
    bridge = RunningBridge(tmp_path / "server", arguments=settings(tmp_path, there))
    async with bridge:
        for _ in range(5):
            meeting = await Meeting.open(bridge)
            there.gate.lots = random.Random(lots.random())
            await meeting.record(0.5, formats=["mp4", "wav", "flac", "hls"])
            await asyncio.sleep(lots.uniform(0, 1.0))
            deleting = asyncio.create_task(bridge.call("DELETE", meeting.base))
            await asyncio.sleep(lots.uniform(0, 0.1))
            await bridge.kill()
            deleted = not isinstance((await asyncio.gather(deleting, return_exceptions=True))[0], Exception)
            await until(lambda: not there.gate.underway)  # what was sent before the kill arrives after it
            arrived = len(there.contents())
            await bridge.start()
            if not deleted and (await bridge.call("GET", meeting.base)).status_code == 200:
                await bridge.call("DELETE", meeting.base)
            elif not deleted or left_in(bridge.folder):
                assert len(there.contents()) == arrived  # nothing is sent of what is gone
            await until(lambda: left_in(bridge.folder) == [])
