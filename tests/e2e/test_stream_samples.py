"""The samples about streams run as they are."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from bridge.core.ports import L16_16K
from bridge.harness.plivo_caller import PlivoCaller, new_call
from tests.kit.ears import until
from tests.kit.forking import all_online, forking_bridge
from tests.kit.running_bridge import PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN, ROOT, RunningBridge, free_port
from tests.kit.words import vocabulary, voice

pytestmark = pytest.mark.e2e

SAMPLES = ROOT / "samples"


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[RunningBridge]:
    async with forking_bridge(tmp_path / "bridge") as running:
        yield running


async def test_a_conference_is_forked_to_the_caption_feed(bridge: RunningBridge) -> None:
    if shutil.which("curl") is None:
        if os.environ.get("CI"):
            pytest.fail("curl is missing: apt-get install curl")
        pytest.skip("curl is not installed")
    conference = await bridge.open_conference()
    people = {"low_voice": "Ann", "high_voice": "Bo; B."}
    callers = []
    for name, called in people.items():
        person = await bridge.invite(conference, called)
        sound = np.concatenate((np.zeros(32_000, np.int16), voice(name).samples))
        callers.append(PlivoCaller(person.stream_url, sound, new_call(L16_16K)))
    port = free_port()
    feed = await asyncio.create_subprocess_exec(
        sys.executable, "-u", str(SAMPLES / "caption_feed.py"),
        "--port", str(port), "--words", ",".join(vocabulary()),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed = ""
    try:
        assert feed.stdout is not None
        async with asyncio.timeout(20):
            assert b"listening" in await feed.stdout.readline()
        async with callers[0], callers[1]:
            await until(lambda: all_online(bridge, conference, 2))
            fork = await asyncio.create_subprocess_exec(
                "sh", str(SAMPLES / "fork_call.sh"), conference, f"ws://127.0.0.1:{port}",
                "participants", "8", bridge.base,
                cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                env={
                    **os.environ,
                    "MEDIABRIDGE_PLIVO_AUTH_ID": PLIVO_AUTH_ID,
                    "MEDIABRIDGE_PLIVO_AUTH_TOKEN": PLIVO_AUTH_TOKEN,
                },
            )  # fmt: skip
            async with asyncio.timeout(40):
                forked = (await fork.communicate())[0].decode()
        assert fork.returncode == 0 and forked.rstrip().endswith("done"), forked
        assert PLIVO_AUTH_TOKEN not in forked
        async with asyncio.timeout(10):  # the last ones may still be on their way
            while not all(f"{called} is gone" in printed for called in people.values()):
                printed += (await feed.stdout.readline()).decode()
    finally:
        feed.terminate()
        printed += (await feed.communicate())[0].decode()
    for name, called in people.items():
        assert f"{called} is here" in printed and f"{called} is gone" in printed
        said = re.findall(rf"[0-9:.]+–[0-9:.]+ {re.escape(called)} \(speaker\): (.*)", printed)
        assert " ".join(said).split() == voice(name).texts, printed
