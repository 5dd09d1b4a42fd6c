"""Live HLS at a storage on a real server: nothing is named that is not there, and nothing stays for good."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.kit.object_storage import SECRET_KEY, ObjectStorage
from tests.kit.recorded_meeting import Meeting, settings, until
from tests.kit.running_bridge import RunningBridge

pytestmark = pytest.mark.e2e


def named_in(content: bytes) -> set[str]:
    """What a playlist names; the last line may have been cut off on its way."""
    lines = content.decode().rpartition("\n")[0].splitlines()
    return {line for line in lines if line and not line.startswith("#")}


async def stream(meeting: Meeting, **hls: object) -> str:
    wishes = {"picture": None, "hls": {"segmentSeconds": 1, "storage": "main", **hls}}
    answer = await meeting.bridge.call("POST", f"{meeting.base}/streamings", json=wishes)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


async def test_live_hls_is_published_to_a_storage_where_nothing_is_named_that_is_not_there(
    tmp_path: Path, there: ObjectStorage
) -> None:
    bridge = RunningBridge(tmp_path / "server", arguments=settings(tmp_path, there))
    async with bridge:
        meeting = await Meeting.open(bridge)
        await stream(meeting)
        there.gate.lots = random.Random(3)
        named: set[str] = set()
        async with asyncio.timeout(60):
            while len(named) < 5:
                await asyncio.sleep(0.3)
                for key, content in (await asyncio.to_thread(there.contents)).items():
                    if not key.endswith("media.m3u8"):
                        continue
                    seen = {f"{key.rpartition('/')[0]}/{name}" for name in named_in(content)}
                    assert seen <= set(await asyncio.to_thread(there.keys))
                    named |= seen
        there.gate.lots = None
        await until(lambda: any(key.endswith("index.m3u8") for key in there.keys()))
        assert SECRET_KEY not in bridge.log


async def test_what_players_need_no_more_goes_from_the_storage_over_a_kill_and_at_the_end_everything(
    tmp_path: Path, there: ObjectStorage
) -> None:
    def keys(stream_id: str) -> set[str]:
        return {key for key in there.keys() if f"/hls/{stream_id}/" in key}

    def is_published(stream_id: str, segments: int) -> bool:
        return len([key for key in keys(stream_id) if key.endswith(".ts")]) >= segments

    bridge = RunningBridge(tmp_path / "server", arguments=settings(tmp_path, there))
    async with bridge:
        meeting = await Meeting.open(bridge)
        slides = await stream(meeting, container="ts", window=3)
        whole = await stream(meeting, container="ts", whole=True)
        await until(lambda: is_published(slides, 3) and is_published(whole, 3))
        before = keys(slides)
        await bridge.kill()
        await bridge.start()
        early = {key for key in before if key.endswith(".ts")}
        await until(lambda: is_published(slides, 1) and not early & keys(slides), 60)
        [playlist] = [
            content for key, content in there.contents().items() if key.endswith(f"{slides}/media.m3u8")
        ]
        assert named_in(playlist) <= {key.rpartition("/")[2] for key in keys(slides)}
        assert {key for key in keys(whole) if key.endswith(".ts")}
        await bridge.call("DELETE", f"{meeting.base}/streamings/{slides}")
        await bridge.call("DELETE", f"{meeting.base}/streamings/{whole}")
        await bridge.kill()  # long before it would have been removed
        assert keys(slides)
        stays = keys(whole)
        await bridge.start()
        await until(lambda: not keys(slides))
        assert keys(whole) == stays
        await until(lambda: [*(bridge.folder / "data" / "published").iterdir()] == [])
