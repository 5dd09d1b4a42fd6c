"""A search for capacity, step by step: with runs that are made up, and with real calls to a weak bot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bridge.errors import ConfigError
from bridge.harness.bot_test import RunLook, RunPlan
from bridge.harness.capacity import CapacitySearch
from bridge.harness.capacity_command import exit_code, find_capacity, step_plans
from bridge.harness.capacity_run import CapacityRun, StepPlan
from bridge.harness.lateness import LateLimits
from bridge.harness.results import CallResult, RunResult
from bridge.harness.run_command import FAILED, INVALID, PASSED, plan_run
from bridge.harness.thresholds import read_threshold
from bridge.spread import Spread
from tests.kit import bots
from tests.kit.tones import tone

pytestmark = pytest.mark.e2e

URL = "ws://bot.example/stream?token=s3cret"
PATIENT = LateLimits(late_s=1.0, worst_s=10.0)


class MadeUp:
    """A run whose calls fail above a number of them; an endless one goes on until it is stopped."""

    def __init__(
        self, plan: RunPlan, most: int, late_from: int | None, endless: asyncio.Event | None
    ) -> None:
        """`endless` is set when it has begun."""
        self.problems = [f"problem of {len(plan.starts)}"]
        self._plan = plan
        self._broken = len(plan.starts) > most
        self._late = late_from is not None and len(plan.starts) >= late_from
        self._endless = endless
        self._stopped = asyncio.Event()

    async def run(self) -> RunResult:
        if self._endless is not None:
            self._endless.set()
            await self._stopped.wait()
        failures = ["unanswered: nobody answered"] if self._broken else []
        calls = [
            CallResult(n, f"{n}", "", 1_000.0, 500, "caller hung up", connect_ms=1.0, failures=failures)
            for n, _ in enumerate(self._plan.starts, 1)
        ]
        late = "late" if self._late else ""
        return RunResult(
            URL, 1_000.0, 500, calls, valid=not late, invalid_because=late, interrupted=self._stopped.is_set()
        )

    def stop(self) -> None:
        self._stopped.set()

    def look(self) -> RunLook:
        return RunLook(1.0, 2, 3, 0, len(self._plan.starts), Spread().summary(), 0.4)


def made_up(
    most: int, late_from: int | None = None, endless_from: int = 1_000, endless: asyncio.Event | None = None
) -> Callable[[RunPlan], MadeUp]:
    def make(plan: RunPlan) -> MadeUp:
        return MadeUp(plan, most, late_from, endless if len(plan.starts) >= endless_from else None)

    return make


def plan(calls: int) -> StepPlan:
    run = plan_run(URL, calls=calls, ramp_per_s=5, hold_s=1)
    return StepPlan(run, 1.0)


def searching(search: CapacitySearch, folder: Path | None = None, **how: Any) -> CapacityRun:
    return CapacityRun(search, plan, folder, make=made_up(**how), pause_s=0)


async def test_a_search_is_steps_one_after_another_each_with_a_report(tmp_path: Path) -> None:
    run = searching(CapacitySearch(2), tmp_path, most=5)
    found = await run.run()
    assert [(step.calls, step.verdict) for step in found.steps] == [
        (2, "held"), (4, "held"), (8, "broke"), (6, "broke"), (5, "held"),
    ]  # fmt: skip
    assert (found.held, found.broke, found.ended, found.passed, found.valid) == (5, 6, "found", True, True)
    assert found.target == "ws://bot.example/stream"
    assert found.settings["codec"] == "l16-16k" and "calls" not in found.settings
    assert run.problems == [f"problem of {calls}" for calls in (2, 4, 8, 6, 5)]
    for step in found.steps:
        assert step.report is not None
        assert len(json.loads((tmp_path / step.report / "report.json").read_text())["calls"]) == step.calls
    assert exit_code(found) == PASSED
    assert exit_code(await searching(CapacitySearch(2, at_least=5), most=5).run()) == PASSED
    assert exit_code(await searching(CapacitySearch(2, at_least=6), most=5).run()) == FAILED


async def test_a_harness_that_is_late_leaves_a_lower_bound_or_nothing() -> None:
    found = await searching(CapacitySearch(2), most=100, late_from=8).run()
    assert (found.held, found.broke, found.harness_late_at, found.ended) == (7, None, 8, "harness late")
    assert exit_code(found) == PASSED
    assert exit_code(await searching(CapacitySearch(2, at_least=7), most=100, late_from=8).run()) == PASSED
    assert exit_code(await searching(CapacitySearch(2, at_least=9), most=100, late_from=8).run()) == INVALID
    assert exit_code(await searching(CapacitySearch(1), most=100, late_from=1).run()) == INVALID


async def test_a_search_that_is_stopped_tells_what_is_known_so_far() -> None:
    begun = asyncio.Event()
    run = searching(CapacitySearch(2), most=100, endless_from=8, endless=begun)
    going = asyncio.create_task(run.run())
    async with asyncio.timeout(5):
        await begun.wait()
        assert "step 3: 8 calls" in run.line() and "active 2  done 3/8" in run.line()
        run.stop()
        found = await going
    assert [(step.calls, step.verdict) for step in found.steps] == [
        (2, "held"), (4, "held"), (8, "interrupted"),
    ]  # fmt: skip
    assert (found.ended, found.held, found.broke) == ("interrupted", 4, None)


async def test_all_calls_of_a_step_are_there_at_once_for_the_time_asked_for() -> None:
    made: list[tuple[int, float, float]] = []

    def keep(calls: int, per_s: float, hold_s: float) -> RunPlan:
        made.append((calls, per_s, hold_s))
        return plan_run(URL, calls=calls, ramp_per_s=per_s, hold_s=hold_s)

    assert step_plans(keep, 20.0, None)(10).hold_s == 20.0
    step_plans(keep, None, None)(400)
    step_plans(keep, 20.0, 2.0)(5)
    assert made == [(10, 5.0, 20 + 9 / 5), (400, 40.0, 30 + 399 / 40), (5, 2.0, 22.0)]


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "question.wav"
    sound = np.concatenate((tone(bots.CALLER_HZ, 0.3, 16_000), np.zeros(800, np.float32)))
    soundfile.write(path, sound.astype(np.int16), 16_000)
    return path


async def test_the_limit_of_a_real_bot_is_found_and_reported(
    wav: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def planned(calls: int, per_s: float, hold_s: float) -> RunPlan:
        return plan_run(
            url, calls=calls, ramp_per_s=per_s, hold_s=hold_s, wav=wav, limits=PATIENT,
            thresholds=[read_threshold("response_p50<900ms")],
        )  # fmt: skip

    async with bots.listening(bots.holding(5)) as url, asyncio.timeout(60):
        # A second of answers at full load, of callers who all begin within half a second.
        plans = step_plans(planned, 2.0, 20.0)
        search = CapacitySearch(2, precision=0)
        (tmp_path / "report" / "steps" / "09-99-calls").mkdir(parents=True)
        (tmp_path / "report" / "report.json").write_text("{}")
        code = await find_capacity(search, plans, url + "/?t=s3cret", report=tmp_path / "report")
    told = capsys.readouterr()
    assert code == PASSED, told
    assert "PASSED: holds 5 calls" in told.out
    assert "8 calls: broke, response_p50<900ms: it was 1," in told.err
    assert "s3cret" not in told.out + told.err
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert (report["held"], report["broke"], report["ended"]) == (5, 6, "found")
    assert [step["calls"] for step in report["steps"]] == [2, 4, 8, 6, 5]
    steps = sorted(folder.name for folder in (tmp_path / "report" / "steps").iterdir())
    assert steps == ["01-2-calls", "02-4-calls", "03-8-calls", "04-6-calls", "05-5-calls"]
    assert (tmp_path / "report" / "index.html").is_file() and (tmp_path / "report" / "junit.xml").is_file()


async def test_a_cancelled_search_hangs_up_tells_what_it_knows_and_is_cancelled(
    wav: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def planned(calls: int, per_s: float, hold_s: float) -> RunPlan:
        return plan_run(url, calls=calls, ramp_per_s=per_s, hold_s=hold_s, wav=wav, limits=PATIENT)

    async with bots.listening(bots.Bot) as url, asyncio.timeout(30):
        search = CapacitySearch(2)
        going = asyncio.create_task(
            find_capacity(search, step_plans(planned, 30.0, 20.0), url, report=tmp_path / "r", progress=False)
        )
        await asyncio.sleep(1.0)
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going
    assert "The search was ended before it was through." in capsys.readouterr().out
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert [(step["calls"], step["verdict"]) for step in report["steps"]] == [(2, "interrupted")]


async def test_what_cannot_be_had_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="is not empty, and holds no earlier report"):
        await find_capacity(CapacitySearch(), plan, URL, report=tmp_path)
