"""Recordings while servers and writers are killed, disks run full and storage is away: nothing is lost.

Callers speak noise, of which every moment is unlike every other, so that what is missing or has moved shows.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from bridge.harness.plivo_caller import CallFailed, PlivoCaller
from tests.kit.needs import missing
from tests.kit.object_storage import ACCESS_KEY, BUCKET, SECRET_KEY, object_storage
from tests.kit.recorded import Children, lag_ms, noise, read_wav, sounding_s
from tests.kit.running_bridge import RunningBridge

pytestmark = pytest.mark.e2e

PEOPLE = 3
WISHES = {"formats": ["wav"], "participants": True}


class Meeting:
    """A conference on a server that is recorded, with callers who speak as long as they are in it."""

    def __init__(self, bridge: RunningBridge, conference: str) -> None:
        self.bridge = bridge
        self.conference = conference
        self.base = f"/{bridge.application}/{conference}"

    @classmethod
    async def open(cls, bridge: RunningBridge) -> Meeting:
        return cls(bridge, await bridge.open_conference("Chaos"))

    async def start(self) -> None:
        answer = await self.bridge.call("POST", f"{self.base}/recording/start", json=WISHES)
        assert answer.status_code == 200, answer.text

    async def stop(self) -> None:
        async with httpx.AsyncClient(base_url=self.bridge.base, timeout=30) as http:
            answer = await http.post(f"{self.base}/recording/stop", headers=self._headers(), json={})
        assert answer.status_code == 200, answer.text

    async def is_recorded(self) -> bool:
        answer = await self.bridge.call("GET", self.base)
        return bool(answer.json()["recording"]["started"])

    async def until_recorded(self, wanted: bool) -> None:
        async with asyncio.timeout(20):
            while await self.is_recorded() is not wanted:  # noqa: ASYNC110 - another process's state
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def callers(self, seed: int) -> AsyncIterator[list[PlivoCaller]]:
        """Everybody speaks at once, in a different noise."""
        async with AsyncExitStack() as stack:
            callers = []
            for number in range(PEOPLE):
                url = f"{self.bridge.ws_base}{self.base}/plivo?access_token={self.bridge.token}"
                caller = PlivoCaller(url, noise(100 * seed + number, 40))
                with suppress(CallFailed):
                    callers.append(await stack.enter_async_context(caller))
            yield callers

    async def fetch(self, below: str) -> bytes:
        """A file, once it is whole."""
        async with asyncio.timeout(60), httpx.AsyncClient(base_url=self.bridge.base, timeout=30) as http:
            while True:
                answer = await http.get(f"{self.base}/recording/{below}", headers=self._headers())
                if answer.status_code != 503:
                    assert answer.status_code == 200, (below, answer.text)
                    return answer.content
                await asyncio.sleep(0.2)

    async def manifest(self, stretches: int) -> dict[str, Any]:
        """As it is once that many stretches are in it."""
        async with asyncio.timeout(60), httpx.AsyncClient(base_url=self.bridge.base, timeout=30) as http:
            while True:
                answer = await http.get(f"{self.base}/recording/manifest", headers=self._headers())
                if answer.status_code == 200:
                    read: dict[str, Any] = answer.json()
                    if len(read["stretches"]) >= stretches:
                        return read
                await asyncio.sleep(0.2)

    async def check_step(self, manifest: dict[str, Any]) -> None:
        """Every participant's file is as long as the program's, and lies in it where it was said."""
        program = read_wav(await self.fetch("files/program.wav"))
        people = [one for one in manifest["participants"] if one["has_sound"]]
        assert people
        total = np.zeros_like(program)
        for person in people:
            alone = read_wav(await self.fetch(f"files/{person['id']}.wav"))
            assert len(alone) == len(program)
            total += alone
            where = np.flatnonzero(sounding_s(alone))
            for at in where[2::20]:
                begin = at * 4800
                window = slice(begin, begin + 24_000)
                if sounding_s(alone[window]).all():
                    assert abs(lag_ms(alone[window], program[window])) <= 20, (person["name"], at / 10)
        # The program is what all said together, but for what is limited and for the edges of the gate.
        heard = sounding_s(total)
        alike = np.abs(total - program).reshape(-1)[: len(heard) * 4800].reshape(-1, 4800).mean(axis=1) < 400
        assert alike[heard].mean() > 0.9

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.bridge.token}"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m,mode=700", "tmpfs", str(folder)],
        capture_output=True, text=True,
    )  # fmt: skip
    if mounted.returncode:
        missing(f"a small disk cannot be made here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Callable[[], None]:
    """Leave no room on that disk; gives what makes room again."""
    filler = folder / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
    return filler.unlink


async def test_dead_writers_and_a_full_disk_cost_nothing(tmp_path: Path, small_disk: Path) -> None:
    lots = random.Random(20261121)
    environment = {"MEDIABRIDGE_RECORDINGS_DIRECTORY": str(small_disk / "recordings")}
    async with RunningBridge(tmp_path / "server", environment) as bridge:
        meeting = await Meeting.open(bridge)
        assert bridge.process is not None
        children = Children(bridge.process.pid)
        await meeting.start()
        async with meeting.callers(1):
            for _ in range(3):
                await asyncio.sleep(lots.uniform(0.8, 1.8))
                assert children.kill("scribe") == 1
                await asyncio.sleep(lots.uniform(0.2, 0.8))
                children.kill("follower")
            make_room = await asyncio.to_thread(fill, small_disk)
            await meeting.until_recorded(False)
            await asyncio.sleep(1.5)
            make_room()
            await meeting.until_recorded(True)
            await asyncio.sleep(1.5)
        await meeting.stop()
        manifest = await meeting.manifest(1)
        assert manifest["holes"] == []
        await meeting.check_step(manifest)
        program = sounding_s(read_wav(await meeting.fetch("files/program.wav")))
        began, ended = np.flatnonzero(program)[[0, -1]]
        assert program[began:ended].all()  # somebody spoke all the time
        assert ended - began > 70


async def test_a_killed_server_loses_at_most_the_last_second_and_goes_on(tmp_path: Path) -> None:
    lots = random.Random(7)
    bridge = RunningBridge(tmp_path / "server")
    killed_at = []
    async with bridge:
        meeting = await Meeting.open(bridge)
        await meeting.start()
        for round_number in range(2):
            async with meeting.callers(round_number):
                await asyncio.sleep(lots.uniform(2.0, 4.0))
                killed_at.append(time.time())
                await bridge.kill()
            await bridge.start()
            await meeting.until_recorded(True)  # by itself
        async with meeting.callers(9):
            await asyncio.sleep(2.0)
        await meeting.stop()
        manifest = await meeting.manifest(3)
        ends = [stretch["ended_unix_ms"] / 1000 for stretch in manifest["stretches"]]
        assert [stretch["ended_by"] for stretch in manifest["stretches"]] == ["died", "died", "paused"]
        for ended, killed in zip(ends, killed_at, strict=False):
            assert killed - 1.0 <= ended <= killed + 0.1
        await meeting.check_step(manifest)
        video = await meeting.fetch("files/program.wav")
        sound = sounding_s(read_wav(video))
        for stretch in manifest["stretches"]:  # to its very end somebody was speaking
            end = (stretch["at_ms"] + stretch["duration_ms"]) // 100
            if stretch["ended_by"] == "died":
                assert sound[end - 3 : end - 1].all()


async def test_the_last_words_before_an_orderly_end_are_kept(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path / "server") as bridge:
        meeting = await Meeting.open(bridge)
        await meeting.start()
        async with meeting.callers(3):
            await asyncio.sleep(2.0)
            stopped_at = time.time()
            await bridge.stop()
        await bridge.start()
        await meeting.until_recorded(True)
        await meeting.stop()
        manifest = await meeting.manifest(2)
        first = manifest["stretches"][0]
        assert first["ended_by"] == "restart"
        assert first["ended_unix_ms"] / 1000 >= stopped_at
        await meeting.check_step(manifest)


async def test_every_upload_arrives_once_over_broken_storage_and_a_kill(tmp_path: Path) -> None:
    with object_storage() as storage:
        settings = tmp_path / "bridge.toml"
        settings.write_text(
            f"""
[[storage]]
name = "main"
bucket = "{BUCKET}"
prefix = "calls"
endpoint = "{storage.endpoint}"
access_key = "{ACCESS_KEY}"
secret_key = "{SECRET_KEY}"
"""
        )
        bridge = RunningBridge(tmp_path / "server", arguments=["--config", str(settings)])
        async with bridge:
            meeting = await Meeting.open(bridge)
            await meeting.start()
            async with meeting.callers(5):
                await asyncio.sleep(2.0)
            storage.refuse()
            await meeting.stop()
            await asyncio.sleep(3.0)
            assert storage.contents() == {}
            await bridge.kill()
            storage.take()
            await bridge.start()
            manifest = await meeting.manifest(1)
            wanted = {one["name"].removeprefix("files/"): one["sha256"] for one in manifest["files"]}
            async with asyncio.timeout(60):
                while len(there := await asyncio.to_thread(storage.contents)) <= len(wanted):  # noqa: ASYNC110
                    await asyncio.sleep(0.3)
            recording = manifest["recording"]
            found = {
                key.removeprefix(f"calls/{recording}/"): hashlib.sha256(content).hexdigest()
                for key, content in there.items()
            }
            assert found.pop("manifest.json")
            assert found == wanted
            assert SECRET_KEY not in bridge.log


async def test_what_is_deleted_with_its_conference_leaves_nothing_even_over_a_kill(tmp_path: Path) -> None:
    bridge = RunningBridge(tmp_path / "server")
    async with bridge:
        meeting = await Meeting.open(bridge)
        await meeting.start()
        async with meeting.callers(6):
            await asyncio.sleep(1.0)
            assert (await bridge.call("DELETE", meeting.base)).status_code == 200
            await bridge.kill()
        await bridge.start()
        left = [path for path in (tmp_path / "server" / "data" / "recordings").rglob("*") if path.is_file()]
        assert left == []
        assert not os.listdir(tmp_path / "server" / "data" / "uploads")


def test_the_kit_finds_what_is_out_of_step() -> None:
    sound = noise(1, 3.0, 48_000).astype(np.float32)
    assert lag_ms(sound, sound) == 0
    assert lag_ms(sound[4800:52_800], sound[:48_000]) == pytest.approx(100, abs=1)
    assert shutil.which("mount")
