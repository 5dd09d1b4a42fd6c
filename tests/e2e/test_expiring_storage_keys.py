"""Temporary keys of a request's storage that expire while it is recorded: files wait, and nothing is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.kit.object_storage import BUCKET, ObjectStorage
from tests.kit.recorded_meeting import STORAGES_HERE, Meeting, sums, until, wanted_of
from tests.kit.running_bridge import RunningBridge

pytestmark = pytest.mark.e2e

OLD, NEW = "the-token-of-the-morning", "the-token-of-the-afternoon"


async def test_files_wait_for_new_keys_over_a_kill_and_arrive_encrypted_and_tagged(
    tmp_path: Path, there: ObjectStorage
) -> None:
    own = {
        "kind": "s3", "bucket": BUCKET, "prefix": "theirs", "endpoint": there.endpoint,
        "accessKey": "own-access-key", "secretKey": "own-secret-key", "sessionToken": OLD,
        "encryption": "aes256", "tags": {"team": "calls"},
    }  # fmt: skip
    bridge = RunningBridge(tmp_path / "server", STORAGES_HERE)
    async with bridge:
        meeting = await Meeting.open(bridge)
        wrong = await meeting.start(storage=own | {"tags": {"aws:mine": "1"}})
        assert wrong.status_code == 400 and "`storage.tags`" in wrong.json()["error"]
        assert (await meeting.start(formats=["wav", "hls"], storage=own)).status_code == 200
        await asyncio.sleep(1)
        there.gate.expired = OLD
        await meeting.stop()
        page = f"/operator/api/{meeting.conference}/recording/files"
        for again in (False, True):
            if again:
                await bridge.kill()
                await bridge.start()
            async with asyncio.timeout(20):
                while "failing" not in (files := await bridge.call("GET", page)).text:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert "the session token has expired" in files.text and OLD not in files.text
        assert sums(there) == {}
        fresh = await meeting.start(formats=["wav", "hls"], storage=own | {"sessionToken": NEW})
        assert fresh.status_code == 200
        await asyncio.sleep(0.5)
        await meeting.stop()

        async def arrived() -> bool:
            return await asyncio.to_thread(sums, there) == wanted_of(await meeting.manifest(), "theirs")

        async with asyncio.timeout(90):
            while not await arrived():  # noqa: ASYNC110 - another process's state
                await asyncio.sleep(0.2)
        assert {there.encryption(key) for key in sums(there)} == {"AES256"}
        assert {tuple(there.tags(key).items()) for key in sums(there)} == {(("team", "calls"),)}
        assert OLD not in bridge.log and NEW not in bridge.log
        await until(lambda: not [*(bridge.folder / "data" / "uploads").glob("*.part")])
