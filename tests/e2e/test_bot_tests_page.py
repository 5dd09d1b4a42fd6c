"""docs/bot_tests.md: each of its examples is run as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.harness import BotProcess, LiveCall, front_door
from tests.kit.running_bridge import ROOT

pytestmark = pytest.mark.e2e

PAGE = (ROOT / "docs" / "bot_tests.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SETTINGS = [text for kind, text in BLOCKS if kind == "ini"]
TESTS = [text for kind, text in BLOCKS if kind == "python" and "def test_" in text]
PROGRAMS = [text for kind, text in BLOCKS if kind == "python" and "asyncio.run" in text]
(EXCHANGE,) = [text for kind, text in BLOCKS if kind == "python" and "def bot_exchange" in text]
ANSWERED = """
async def test_it_is_found_by_its_answer_url(simulated_call):
    async with simulated_call() as call:
        await call.say("hello.wav")
        await call.expect(response_within=1.5)
        await call.press("#")
        assert (await call.ended()).end == "bot hung up"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bot, and a second and a half of somebody's voice."""
    shutil.copy(ROOT / "samples" / "plivo_bot.py", tmp_path / "bot.py")
    words, rate_hz = soundfile.read(ROOT / "samples" / "caller_16k.wav", dtype="int16", stop=24_000)
    soundfile.write(tmp_path / "hello.wav", np.asarray(words), rate_hz)
    return tmp_path


def run(folder: Path, *words: str) -> str:
    ran = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )
    assert ran.returncode == 0, ran.stdout[-6_000:] + ran.stderr[-2_000:]
    return ran.stdout


def test_the_tests_of_the_page_pass(folder: Path) -> None:
    assert (len(SETTINGS), len(TESTS), len(PROGRAMS)) == (1, 2, 1)
    (folder / "pytest.ini").write_text(SETTINGS[0])
    for number, text in enumerate(TESTS):
        (folder / f"test_{number}.py").write_text(text)
    # This may be a slow machine; the page says how to tell.
    assert "5 passed" in run(folder, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--bot-late", "2000")


def test_the_answer_url_of_the_page_is_called(folder: Path) -> None:
    account = {"PLIVO_AUTH_ID": "MAXXXXXXXXXXXXXXXXXX", "PLIVO_AUTH_TOKEN": "its auth token"}
    bot = BotProcess(
        "python samples/answer_url_bot.py --port {port}", folder=ROOT, environment={**os.environ, **account}
    )
    (folder / "pytest.ini").write_text(SETTINGS[0])
    (folder / "test_answered.py").write_text(ANSWERED)
    with bot:
        (folder / "conftest.py").write_text(EXCHANGE.replace("127.0.0.1:9001", f"127.0.0.1:{bot.port}"))
        run(folder, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--bot-late", "2000")


def test_the_program_of_the_page_runs(folder: Path) -> None:
    easy = "limits=LateLimits(worst_s=2, late_share=1)"
    program = (
        PROGRAMS[0].replace("calling(url)", f"calling(url, {easy})").replace("calls=3", f"calls=3, {easy}")
    )
    assert program.count(easy) == 2
    (folder / "program.py").write_text("from bridge.harness import LateLimits\n" + program)
    printed = run(folder, "program.py")
    assert re.match(r"caller hung up \[\d+\]", printed)
    assert "PASSED" in printed
    assert (folder / "report" / "index.html").is_file()


def test_the_page_names_what_there_is() -> None:
    for name in re.findall(r"`(?:\w+ = )?await call\.(\w+)\(", PAGE) + re.findall(r"`call\.(\w+)`", PAGE):
        assert hasattr(LiveCall, name), name
    verbs = {name for name, what in vars(LiveCall).items() if callable(what) and not name.startswith("_")}
    told = set(re.findall(r"await call\.(\w+)\(", PAGE))
    assert verbs <= told, verbs - told
    for name in re.findall(r"`([A-Z]\w+)`", PAGE):
        assert name in {*front_door.names(), "DIR", "URL", "COMMAND"}, name
