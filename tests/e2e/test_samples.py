"""The samples run as they are: a sample that breaks is a broken build."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.harness import BotProcess
from tests.kit.running_bridge import ROOT, RunningBridge
from tests.kit.tones import level_of

pytestmark = pytest.mark.e2e

SAMPLES = ROOT / "samples"


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[RunningBridge]:
    async with RunningBridge(tmp_path / "bridge") as running:
        yield running


async def finish(*command: str, seconds: float = 40, environment: dict[str, str] | None = None) -> str:
    """What a program printed; it must end well and in time."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env={**os.environ, **(environment or {})},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            printed, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    text = printed.decode()
    assert process.returncode == 0, text
    return text


def loudest_second(file: Path, frequency_hz: int) -> float:
    """The tone's amplitude in the second in which it is loudest, at int16 scale."""
    samples, rate_hz = soundfile.read(file, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1) * 32768
    seconds = [mono[start : start + rate_hz] for start in range(0, len(mono) - rate_hz, rate_hz // 2)]
    return max(level_of(second.astype(np.float32), rate_hz, frequency_hz) for second in seconds)


async def test_python_client_and_simulated_caller_hear_each_other(
    bridge: RunningBridge, tmp_path: Path
) -> None:
    conference = await bridge.open_conference()
    browser, phone = await bridge.invite(conference, "Python"), await bridge.invite(conference, "Phone")
    heard_there, heard_here = tmp_path / "there.wav", tmp_path / "here.wav"
    url = phone.stream_url
    await asyncio.gather(
        finish(
            sys.executable, str(SAMPLES / "join_with_aiortc.py"), browser.uri, browser.token,
            "--play", str(SAMPLES / "tone_440_16k.wav"), "--record", str(heard_there), "--seconds", "6",
        ),
        finish(
            sys.executable, "-m", "bridge", "call", url, "--wav", str(SAMPLES / "tone_1000_8k.wav"),
            "--codec", "mulaw-8k", "--loop", "--record", str(heard_here), "--seconds", "6",
        ),
    )  # fmt: skip
    assert loudest_second(heard_there, 1000) == pytest.approx(0.25 * 32767, rel=0.2)
    assert loudest_second(heard_there, 440) < 100
    # aiortc sends stereo, and FFmpeg makes it of mono sound 3 dB softer.
    assert loudest_second(heard_here, 440) == pytest.approx(0.25 * 32767 / 2**0.5, rel=0.2)
    assert loudest_second(heard_here, 1000) < 100


async def test_bot_says_back_what_the_caller_said(tmp_path: Path) -> None:
    answer, question = tmp_path / "answer.wav", tmp_path / "question.wav"
    speech, rate_hz = soundfile.read(SAMPLES / "caller_16k.wav", dtype="int16", stop=2 * 16_000)
    soundfile.write(question, np.concatenate((speech, np.zeros(6 * rate_hz, np.int16))), rate_hz)
    with BotProcess("python -u samples/plivo_bot.py --port {port}", folder=ROOT) as bot:
        await finish(
            sys.executable, "-m", "bridge", "call", bot.url,
            "--wav", str(question), "--record", str(answer),
        )  # fmt: skip
    said = bot.printed
    assert "audio/x-l16 at 16000 Hz" in said
    assert "has heard answer 1" in said
    samples, _ = soundfile.read(answer, dtype="float32")
    assert np.abs(samples).max() > 0.1


async def test_walk_through_the_api_goes_all_the_way(bridge: RunningBridge) -> None:
    if shutil.which("curl") is None:
        if os.environ.get("CI"):
            pytest.fail("curl is missing: apt-get install curl")
        pytest.skip("curl is not installed")
    printed = await finish(
        "sh", str(SAMPLES / "walk.sh"), bridge.base,
        environment={
            "MEDIABRIDGE_APPLICATION_ID": bridge.application,
            "MEDIABRIDGE_APPLICATION_TOKEN": bridge.token,
        },
    )  # fmt: skip
    assert printed.rstrip().endswith("done")
    assert "A longer walk" in printed
    assert '"text":"Welcome"' in printed.replace('": "', '":"')
    assert bridge.token not in printed
