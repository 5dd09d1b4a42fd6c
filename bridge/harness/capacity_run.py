"""A search for a bot's capacity: runs of more and more calls, until something breaks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bridge.errors import ConfigError
from bridge.harness.bot_test import BotTest, RunLook, RunPlan, without_query
from bridge.harness.capacity import CapacitySearch, at_full_load, step_of
from bridge.harness.capacity_results import CapacityResult, CapacityStep
from bridge.harness.progress import live_line
from bridge.harness.results import RunResult
from bridge.harness.run_report import ReportFolder

STEPS = "steps"
PAUSE_S = 1.0
"""Between two steps, in which a bot is to put away what is over."""


class Runs(Protocol):
    """What `BotTest` does."""

    problems: list[str]

    async def run(self) -> RunResult: ...
    def stop(self) -> None: ...
    def look(self) -> RunLook: ...


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step's run."""

    run: RunPlan
    hold_s: float
    """How long all of its calls are there at once."""


class CapacityRun:
    """One search. `plan` makes the run of so many calls; with a `folder`, every step has a report there.

    `told` gets a line for each step that is over. `make` is there for tests.
    """

    def __init__(
        self,
        search: CapacitySearch,
        plan: Callable[[int], StepPlan],
        folder: Path | None = None,
        *,
        told: Callable[[CapacityStep], None] = lambda step: None,
        make: Callable[[RunPlan], Runs] = BotTest,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._search = search
        self._plan = plan
        self._folder = folder
        self._told = told
        self._make = make
        self._pause_s = pause_s
        self._steps: list[CapacityStep] = []
        self._test: Runs | None = None
        self._calls = 0
        self._stopping = asyncio.Event()
        self.problems: list[str] = []
        """What went wrong beside the steps."""

    async def run(self) -> CapacityResult:
        """Make all steps. Raises ConfigError where a run cannot be had at all."""
        search, began, started_at = self._search, time.monotonic(), time.time()
        first: RunPlan | None = None
        while (calls := search.next) is not None and not self._stopping.is_set():
            if self._steps:
                await self._rest()
            plan = self._plan(calls)
            first = first or plan.run
            step = await self._step(calls, plan)
            self._steps.append(step)
            search.take(calls, step.verdict)
            self._told(step)
        if self._stopping.is_set():
            search.take(0, "interrupted")
        return CapacityResult(
            target=without_query(first.url) if first else "",
            started_at=started_at,
            duration_ms=round((time.monotonic() - began) * 1000),
            steps=self._steps,
            ended=search.ended,
            held=search.held,
            broke=search.broke,
            harness_late_at=search.late_at,
            at_least=search.at_least,
            precision=search.precision,
            settings={} if first is None else {k: v for k, v in first.told.items() if k != "calls"},
            seed=first.seed if first else 0,
        )

    def stop(self) -> None:
        """End the step that goes on, and make no more; `run` returns soon."""
        self._stopping.set()
        if self._test is not None:
            self._test.stop()

    def line(self) -> str:
        """How it goes."""
        known = f"step {len(self._steps) + 1}: {self._calls} calls"
        return f"{known}  {live_line(self._test.look())}" if self._test is not None else known

    # --- inside ---

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._pause_s):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _step(self, calls: int, plan: StepPlan) -> CapacityStep:
        self._calls = calls
        self._test = self._make(plan.run)
        if self._stopping.is_set():
            self._test.stop()
        try:
            whole = await self._test.run()
        finally:
            self.problems += self._test.problems
            self._test = None
        run = at_full_load(whole, plan.hold_s, plan.run.thresholds)
        return step_of(run, calls, self._report(run, calls))

    def _report(self, run: RunResult, calls: int) -> str | None:
        if self._folder is None:
            return None
        name = f"{STEPS}/{len(self._steps) + 1:02}-{calls}-calls"
        try:
            ReportFolder(self._folder / name).write(run)
        except (OSError, ConfigError) as wrong:
            self.problems.append(f"the report of {calls} calls cannot be written: {wrong}")
            return None
        return name
