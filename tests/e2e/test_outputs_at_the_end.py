"""What becomes of recordings, live streams and their processes when a server is ended, or killed."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import httpx
import pytest

from bridge.harness.plivo_caller import PlivoCaller
from tests.kit.hls_reader import read
from tests.kit.running_bridge import RunningBridge
from tests.kit.tones import tone

pytestmark = pytest.mark.e2e

GONE_WITHIN_S = 9.0
"""The scribe lives on for six seconds to write what it has."""


def descendants(pid: int) -> set[int]:
    """Of a process, with theirs."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found |= {int(child), *descendants(int(child))}
    return found


def alive(pids: set[int]) -> set[int]:
    def lives(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
        except OSError:
            return False

    return {pid for pid in pids if lives(pid)}


def command_of(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


class Busy:
    """A server that records a call, follows it, and streams it live."""

    def __init__(self, bridge: RunningBridge) -> None:
        self.bridge = bridge
        self.stream = ""

    async def begin(self) -> set[int]:
        """Back when there is something of everything; gives the server's processes."""
        bridge = self.bridge
        conference = await bridge.open_conference("The end")
        base = f"/{bridge.application}/{conference}"
        started = await bridge.call("POST", f"{base}/recording/start", json={"formats": ["mp4", "wav"]})
        assert started.status_code == 200
        wishes = {"segmentSeconds": 2, "partSeconds": 0.5}
        made = await bridge.call("POST", f"{base}/streamings", json={"picture": None, "hls": wishes})
        self.stream = made.json()["url"].removesuffix("index.m3u8")
        url = f"{bridge.ws_base}/{bridge.application}/{conference}/plivo?access_token={bridge.token}"
        self._caller = PlivoCaller(url, tone(440, 60.0, 16_000).astype("<i2"))
        await self._caller.__aenter__()
        async with asyncio.timeout(20), httpx.AsyncClient() as http:
            while (await http.get(self.stream + "media.m3u8")).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert bridge.process is not None
        processes = descendants(bridge.process.pid)
        assert len(processes) >= 3, "scribe, follower, live encoder"
        return processes

    async def reload(self) -> asyncio.Task[httpx.Response]:
        """A player's, on its way: it is answered when there are two more segments, or an end."""
        playlist = read((await self._get()).text)
        return asyncio.create_task(self._get(_HLS_msn=str(playlist.last_sequence + 2)))

    async def _get(self, **query: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=30) as http:
            return await http.get(self.stream + "media.m3u8", params=query)


async def until_gone(pids: set[int], within_s: float = GONE_WITHIN_S) -> None:
    try:
        async with asyncio.timeout(within_s):
            while alive(pids):  # noqa: ASYNC110 - the system tells nobody but their parent
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"they live on: {[command_of(pid) for pid in alive(pids)]}") from None


async def test_an_end_in_order_keeps_nobody_waiting_and_leaves_no_process(tmp_path: Path) -> None:
    busy = Busy(bridge := RunningBridge(tmp_path, {"MEDIABRIDGE_DRAIN_SECONDS": "0"}))
    await bridge.start()
    processes = await busy.begin()
    waiting = await busy.reload()
    await asyncio.sleep(0.3)
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await bridge.stop() == 0
    assert loop.time() - began < 6.0
    answer = await waiting
    assert answer.status_code == 503, "it was answered, and not that the stream is over"
    await until_gone(processes, 1.0)
    assert "Traceback" not in bridge.log and "not everything closed" not in bridge.log
    log = next((tmp_path / "data" / "recordings").glob("*/log/000000.rec"))
    assert b"restart" in log.read_bytes()[-200:], "the stretch has an end"


async def test_a_second_signal_cuts_the_drain_short_and_leaves_no_process(tmp_path: Path) -> None:
    busy = Busy(bridge := RunningBridge(tmp_path, {"MEDIABRIDGE_DRAIN_SECONDS": "60"}))
    await bridge.start()
    processes = await busy.begin()
    process = bridge.process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(5):
        while "draining" not in bridge.log:  # noqa: ASYNC110 - what another process writes
            await asyncio.sleep(0.05)
    began = asyncio.get_running_loop().time()
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert asyncio.get_running_loop().time() - began < 6.0
    await until_gone(processes, 1.0)
    assert "Traceback" not in bridge.log


async def test_a_killed_server_leaves_no_process(tmp_path: Path) -> None:
    busy = Busy(bridge := RunningBridge(tmp_path))
    await bridge.start()
    processes = await busy.begin()
    assert bridge.process is not None
    os.kill(bridge.process.pid, signal.SIGKILL)
    await bridge.process.wait()
    await until_gone(processes)
