"""Runs of several calls, on real sockets: what is told, what is written, and with which exit code."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from bridge.errors import ConfigError
from bridge.harness.bot_test import BotTest, Part, without_query
from bridge.harness.lateness import LateLimits
from bridge.harness.run_command import FAILED, INVALID, PASSED, plan_run, run_test
from bridge.harness.run_report import ReportFolder
from bridge.harness.thresholds import read_threshold
from tests.kit import bots
from tests.kit.tones import tone

pytestmark = pytest.mark.e2e

PATIENT = LateLimits(late_s=1.0, worst_s=10.0)
"""Other tests' load is no reason to call a run of this one invalid."""


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "question.wav"
    sound = np.concatenate((tone(bots.CALLER_HZ, 0.3, 16_000), np.zeros(800, np.float32)))
    soundfile.write(path, sound.astype(np.int16), 16_000)
    return path


@pytest.fixture
async def good_bot() -> AsyncIterator[str]:
    async with bots.listening(bots.Bot) as url:
        yield url


async def test_a_good_bot_passes_and_the_report_says_so(
    wav: Path, tmp_path: Path, good_bot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_run(
        good_bot + "/?token=s3cret", calls=3, ramp_per_s=10, wav=wav, seed=4, limits=PATIENT,
        thresholds=[read_threshold("response_p95<2s"), read_threshold("failed<1")],
    )  # fmt: skip
    folder = tmp_path / "report"
    assert await run_test(plan, report=folder, progress=False) == PASSED
    told = capsys.readouterr()
    assert "PASSED" in told.out.splitlines()
    assert "3 calls" in told.out and "met     response_p95<2s: " in told.out
    assert "ended: caller hung up 3" in told.out
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    assert report["passed"] is True and report["valid"] is True and report["seed"] == 4
    assert [call["number"] for call in report["calls"]] == [1, 2, 3]
    assert report["calls"][0]["responses"][0]["heard_ms"] >= 250
    for call in report["calls"]:
        assert soundfile.info(folder / call["wav"]).channels == 2
        assert len(call["caller_levels"]) > 50
    suite = ElementTree.parse(folder / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("6", "0", "0")
    written = [file.read_text() for file in folder.iterdir() if file.is_file()]
    assert len(written) == 3
    assert not any("s3cret" in text for text in [*written, told.out, told.err])


async def test_calls_begin_when_they_should_and_each_at_its_own_phase(wav: Path, good_bot: str) -> None:
    plan = plan_run(good_bot, calls=4, ramp_per_s=10, wav=wav, hold_s=0.5, limits=PATIENT)
    began = time.time()
    run = await BotTest(plan).run()
    starts = [call.started_at - began for call in run.calls]
    assert starts == pytest.approx([0.0, 0.1, 0.2, 0.3], abs=0.08)
    # The last phase is later by up to 20 ms than the handshake.
    assert all(500 <= call.duration_ms < 700 for call in run.calls)


async def test_bots_that_do_one_thing_wrong_fail(wav: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with bots.listening(bots.saying("}{")) as url:
        assert (
            await run_test(plan_run(url, calls=2, wav=wav, hold_s=0.3, limits=PATIENT), progress=False)
            == FAILED
        )
    told = capsys.readouterr().out
    assert "FAILED  not_json × 2: A message is not JSON" in told
    assert "call 1: not_json: A message is not JSON" in told
    assert told.endswith("FAILED: 2 of 2 calls failed\n")
    assert await run_test(plan_run(url, wav=wav, limits=PATIENT), progress=False) == FAILED
    assert "call 1: connect failed: cannot connect" in capsys.readouterr().out


async def test_a_threshold_that_is_not_met_fails_and_so_does_one_without_anything_to_measure(
    wav: Path, good_bot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [read_threshold("response_p95<100ms"), read_threshold("barge_in_p95<1s")]
    plan = plan_run(good_bot, wav=wav, hold_s=0.9, limits=PATIENT, thresholds=asked)
    assert await run_test(plan, progress=False) == FAILED
    told = capsys.readouterr().out
    assert "FAILED  response_p95<100ms: 2" in told
    assert "FAILED  barge_in_p95<1s: there was nothing to measure" in told
    assert told.endswith("FAILED: 2 of 2 thresholds were not met\n")


async def test_a_run_in_which_the_harness_itself_stalled_is_invalid(
    wav: Path, tmp_path: Path, good_bot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def stall() -> None:
        await asyncio.sleep(0.3)
        time.sleep(0.15)  # noqa: ASYNC251 - the very thing

    plan = plan_run(good_bot, wav=wav, hold_s=0.8)
    code, _ = await asyncio.gather(run_test(plan, report=tmp_path / "report", progress=False), stall())
    assert code == INVALID
    assert "INVALID: The harness itself was" in capsys.readouterr().out
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert (report["valid"], report["passed"]) == (False, False)
    assert ElementTree.parse(tmp_path / "report" / "junit.xml").getroot().get("errors") == "1"


async def test_the_same_seed_gives_the_same_bytes_on_the_caller_s_side(wav: Path) -> None:
    class Listening(bots.Bot):
        async def converse(self) -> None:
            said: list[bytes] = []
            calls.append(said)
            async for message in self.socket:
                event = json.loads(message)
                event.get("media", {}).pop("timestamp", None)  # the time of day
                said.append(json.dumps(event).encode())

    async def run(seed: int) -> list[list[bytes]]:
        calls.clear()
        async with bots.listening(Listening) as url:
            plan = plan_run(url, calls=2, arrivals_per_s=20, wav=wav, hold_s=0.5, seed=seed, limits=PATIENT)
            await BotTest(plan).run()
        return [list(said) for said in calls]

    calls: list[list[bytes]] = []
    first, again, other = await run(1), await run(1), await run(2)
    assert [len(said) for said in first] == [26, 26]
    assert first == again
    assert first[0] != first[1] and first != other


async def test_a_cancelled_run_hangs_up_and_still_writes_its_report(
    wav: Path, tmp_path: Path, good_bot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_run(good_bot, calls=50, ramp_per_s=10, wav=wav, hold_s=30, limits=PATIENT)
    running = asyncio.create_task(run_test(plan, report=tmp_path / "report", progress=False))
    await asyncio.sleep(1.0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert {call["end"] for call in report["calls"]} == {"cancelled"}
    assert 2 <= len(report["calls"]) < 50
    assert (report["interrupted"], report["passed"]) == (True, False)
    assert capsys.readouterr().out.splitlines()[-2] == "FAILED: the run was interrupted"


async def test_a_call_that_was_just_made_when_the_run_is_stopped_ends_too(wav: Path, good_bot: str) -> None:
    plan = plan_run(good_bot, calls=3, wav=wav, hold_s=30, limits=PATIENT)

    def stop_meanwhile(number: int) -> Part:
        test.stop()
        return plan.cast(number)

    test = BotTest(replace(plan, cast=stop_meanwhile))
    async with asyncio.timeout(10):
        run = await test.run()
    assert [call.end for call in run.calls] == ["cancelled"]


async def test_progress_is_a_live_line_on_a_terminal(
    wav: Path, good_bot: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    plan = plan_run(good_bot + "/?token=s3cret", wav=wav, hold_s=0.9, limits=PATIENT)
    assert await run_test(plan) == PASSED
    shown = capsys.readouterr().err
    assert "\r00:00  active 1  done 0/1  failed 0  response p50/p95 –" in shown
    assert "s3cret" not in shown


def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="is not empty, and holds no earlier report"):
        ReportFolder(tmp_path)
    with pytest.raises(ConfigError, match="is no folder"):
        ReportFolder(tmp_path / "thesis.txt")
    folder = tmp_path / "new"
    ReportFolder(folder)
    (folder / "calls" / "call-0007.wav").write_bytes(b"")
    ReportFolder(folder)  # that one is its own
    assert list((folder / "calls").iterdir()) == []


def test_addresses_are_shown_without_secrets() -> None:
    assert without_query("wss://user:pass@bot.example/x?token=1#f") == "wss://bot.example/x"


async def test_the_command_ends_with_130_and_a_report_when_interrupted(wav: Path, tmp_path: Path) -> None:
    begun = asyncio.Event()

    class Telling(bots.Bot):
        async def greet(self) -> None:
            begun.set()

    async with bots.listening(Telling) as url, asyncio.timeout(20):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bridge", "test", url, "--wav", str(wav), "--hold", "30s",
            "--report", str(tmp_path / "report"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        await begun.wait()
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, err) == (130, b"")
    assert b"the run was interrupted" in out
    assert json.loads((tmp_path / "report" / "report.json").read_text())["interrupted"] is True
