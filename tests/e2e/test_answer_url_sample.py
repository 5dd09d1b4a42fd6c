"""The sample behind an answer URL, tested by the command as its author would."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.running_bridge import PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN, ROOT

pytestmark = pytest.mark.e2e

SCENARIO = """\
name: Ends the call by a key
steps:
  - wait_for_speech: 3s
  - wait_for_silence: 500ms
  - digits: "#"
  - wait_for_hang_up: 5s
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("token", [PLIVO_AUTH_TOKEN, ""])
async def test_the_sample_is_called_by_its_answer_url_and_hangs_up_by_rest(
    tmp_path: Path, token: str
) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(SCENARIO)
    port = free_port()
    account = {"PLIVO_AUTH_ID": PLIVO_AUTH_ID, "PLIVO_AUTH_TOKEN": token}
    environment = {**os.environ, **(account if token else {})}
    bot = await asyncio.create_subprocess_exec(
        sys.executable, "-u", str(ROOT / "samples" / "answer_url_bot.py"), "--port", str(port),
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert bot.stdout is not None
    try:
        async with asyncio.timeout(40):
            while b"listening" not in await bot.stdout.readline():
                pass
            await reachable(port)
            test = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bridge", "test", "--answer-url", f"http://127.0.0.1:{port}/answer",
                "--hangup-url", f"http://127.0.0.1:{port}/hangup", "--scenario", str(scenario),
                "--report", str(tmp_path / "report"),
                env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            said, _ = await test.communicate()
    finally:
        bot.terminate()
    assert (tmp_path / "report" / "report.json").is_file(), said.decode()
    told = (await bot.stdout.read()).decode()
    await bot.wait()
    (call,) = json.loads((tmp_path / "report" / "report.json").read_text())["calls"]
    assert (call["end"], call["end_detail"], call["failures"]) == ("bot hung up", "by REST", []), (
        said.decode()
    )
    assert "hung up: 204" in told
    assert "ended: Normal Hangup, API Request, " in told


async def reachable(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.1)  # another process has to begin
        else:
            writer.close()
            return
