"""The tests of the sample bot run as the README says, and find what is wrong with a bot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from bridge.harness import BotProcess, play
from bridge.harness.sound import SAMPLE
from tests.kit.running_bridge import ROOT

pytestmark = pytest.mark.e2e

COMMAND = "pytest samples/bot_tests"
EASY = ("-p", "no:cacheprovider", "--bot-late", "2000")
"""The tests of the project share their machine with others."""


def run(*more: str) -> subprocess.CompletedProcess[str]:
    words = [*COMMAND.split()[1:], *EASY, *more]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip


def test_the_sample_bot_passes_its_tests(tmp_path: Path) -> None:
    ran = run("--bot-report", str(tmp_path / "report"))
    assert ran.returncode == 0, ran.stdout[-6_000:]
    written = json.loads((tmp_path / "report" / "report.json").read_bytes())
    assert len(written["calls"]) == 14
    assert "test_a_conversation_goes_as_it_should: Asks twice" in {
        call["scenario"] for call in written["calls"]
    }


def test_a_bot_that_greets_nobody_fails_them() -> None:
    with BotProcess("python samples/plivo_bot.py --port {port}", folder=ROOT) as silent:
        ran = run("--bot-url", silent.url, "-k", "greets")
    assert ran.returncode == 1
    assert "NotMet: the bot did not talk within 1s" in ran.stdout
    assert silent.url.removesuffix("/") not in ran.stdout


async def test_callers_without_a_file_say_what_comes_with_the_package() -> None:
    with BotProcess("python samples/plivo_bot.py --port {port}", folder=ROOT) as bot:
        run = await play(bot.url, hold_s=1.5)
    assert run.settings["sound"] == SAMPLE.name
    sample, of_package = (
        soundfile.read(ROOT / "samples" / "caller_16k.wav", dtype="int16"),
        soundfile.read(SAMPLE, dtype="int16"),
    )
    assert (sample[0] == of_package[0]).all() and sample[1] == of_package[1]
