"""The command line, as a user meets it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import soundfile

from bridge.harness.plivo_caller import PlivoCaller
from tests.kit.browser_peer import BrowserPeer, ask_over_http
from tests.kit.ears import Sound, listen, phone, until
from tests.kit.running_bridge import (
    ROOT,
    Invited,
    RunningBridge,
    free_port,
)

pytestmark = pytest.mark.e2e

CALLER, GUEST = 440, 1000
FILE_AMPLITUDE = 8192
"""Of the tone in `samples/`, which has the caller's frequency."""


@asynccontextmanager
async def command(*arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`mediabridge …` as a process; ended at the latest when the block is left."""
    inherited = {name: one for name, one in os.environ.items() if not name.startswith("MEDIABRIDGE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=ROOT,
        env=inherited | environment,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_call_streams_a_file_and_records_the_other_side(tmp_path: Path) -> None:
    record = tmp_path / "heard.wav"
    async with RunningBridge(tmp_path) as bridge:
        conference = await bridge.open_conference()
        caller, other = await bridge.invite(conference), await bridge.invite(conference)
        async with phone(other.stream_url, GUEST) as call:
            async with command(
                "call", caller.stream_url, "--wav", "samples/tone_440_16k.wav",
                "--codec", "mulaw-8k", "--record", str(record), "--loop", "--seconds", "4",
            ) as process:  # fmt: skip
                await until(lambda: online(bridge, caller))
                await until(lambda: hears_the_file(call))
                async with asyncio.timeout(20):
                    said = await process.communicate()
            assert process.returncode == 0, said
            assert caller.token not in (said[0] + said[1]).decode()
            heard, rate_hz = soundfile.read(record, dtype="int16")
            assert rate_hz == 8_000 and 3.5 < len(heard) / rate_hz < 5.0
            assert Sound.of(heard[rate_hz:], rate_hz).missing([GUEST], [CALLER]) == {}


async def hears_the_file(ear: PlivoCaller) -> bool:
    return abs((await listen(ear, 0.8, 0.2)).level_db(CALLER, against=FILE_AMPLITUDE)) < 1.5


async def online(bridge: RunningBridge, person: Invited) -> bool:
    return bool((await bridge.participants(person.conference))[person.id]["online"])


async def test_call_tells_why_it_failed(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path) as bridge:
        conference = await bridge.open_conference()
        url = f"{bridge.ws_base}/{bridge.application}/{conference}/plivo?access_token=none-of-mine"
        async with command("call", url, "--wav", "samples/tone_440_16k.wav") as process:
            _, said = await process.communicate()
    assert process.returncode == 1
    assert b"401" in said and b"none-of-mine" not in said and b"Traceback" not in said


async def test_demo_prints_the_link_keeps_a_caller_in_and_ends_with_0(tmp_path: Path) -> None:
    port = free_port()
    async with command("demo", "--port", str(port), "--data", str(tmp_path / "data")) as process:
        assert process.stdout is not None
        link = ""
        async with asyncio.timeout(30):
            while not link:
                line = (await process.stdout.readline()).decode()
                assert line, "the demo ended"
                found = re.fullmatch(
                    rf"Join here: (http://127\.0\.0\.1:{port})/join#/(\S+)/(\S+)/(\S+)\n", line
                )
                link = found[0] if found else ""
        assert found is not None
        base, application, conference, token = found.groups()
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http:

            async def caller_talks() -> bool:
                people = (await http.get(f"{base}/{application}/{conference}/participants")).json()
                return any(one["name"] == "Sample caller" and one["media"]["audio"] for one in people)

            await until(caller_talks)
        async with BrowserPeer(ask_over_http(f"{base}/{application}/{conference}", token)) as peer:
            heard = peer.heard[await peer.join_plain(direction="recvonly")]
            sound = await heard.next(2.0, skip=0.5)
            assert abs(sound).max() > 500
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(15):
            _, said = await process.communicate()
        assert process.returncode == 0, said
        assert b"Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "COMMAND"),
        (["serv"], "serv"),
        (["serve", "--prot", "1"], "--prot"),
        (["serve", "--port", "99999"], "port"),
        (["serve", "--config", "/nowhere/x.toml"], "/nowhere/x.toml"),
        (["serve", "--log-level", "loud"], "log"),
        (["call"], "URL"),
        (["call", "http://127.0.0.1/x", "--wav", "samples/tone_440_16k.wav"], "ws://"),
        (["call", "ws://127.0.0.1:1/x", "--wav", "/nowhere.wav"], "/nowhere.wav"),
        (["call", "ws://127.0.0.1:1/x", "--wav", "samples/tone_440_16k.wav", "--codec", "g729"], "g729"),
        (["call", "ws://127.0.0.1:1/x", "--wav", "samples/tone_440_16k.wav", "--seconds", "-1"], "-1"),
    ],
    ids=lambda one: " ".join(one[:3]) if isinstance(one, list) else "",
)
async def test_wrong_arguments_are_one_line_and_code_2(arguments: list[str], complaint: str) -> None:
    async with command(*arguments) as process, asyncio.timeout(15):
        said = (await process.communicate())[1].decode()
    assert process.returncode == 2
    assert complaint in said and said.count("\n") == 1, said


async def test_an_unknown_setting_is_refused_with_the_nearest_known_name() -> None:
    async with command("serve", MEDIABRIDGE_DRAIN_SECOND="1") as process, asyncio.timeout(15):
        said = (await process.communicate())[1].decode()
    assert process.returncode == 2
    assert "MEDIABRIDGE_DRAIN_SECONDS" in said
