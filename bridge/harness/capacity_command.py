"""`mediabridge test --find-capacity`: how many calls at once a bot holds."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from bridge.errors import ConfigError
from bridge.harness.addresses import without_query
from bridge.harness.bot_test import BotTest, RunPlan
from bridge.harness.capacity import CapacitySearch
from bridge.harness.capacity_results import CapacityResult, CapacityStep
from bridge.harness.capacity_run import STEPS, CapacityRun, StepPlan
from bridge.harness.capacity_words import capacity_summary
from bridge.harness.progress import shown
from bridge.harness.run_command import FAILED, INVALID, PASSED, tell_rest
from bridge.harness.run_report import PAGE, ReportFolder
from bridge.harness.steady import steady
from bridge.harness.stoppable import carried_out

HOLD_S = 30.0
"""How long all calls of a step are there at once, if nothing else is said."""
RAMP_S = 10.0
"""In which all calls of a step begin, if no pace is given; never slower than `SLOWEST_PER_S`."""
SLOWEST_PER_S = 5.0
FILES = 10_000
"""That may be open: a socket for each call."""

PlanRun = Callable[[int, float, float], RunPlan]
"""Calls, how many of them begin a second, and for how many seconds each lasts: `run_command.plan_run`."""


def step_plans(
    plan_run: PlanRun, hold_s: float | None, ramp_per_s: float | None
) -> Callable[[int], StepPlan]:
    """Steps in which all calls are there at once for `hold_s`: each lasts so much longer as it takes to begin
    them all.
    """
    hold = HOLD_S if hold_s is None else hold_s

    def plan(calls: int) -> StepPlan:
        per_s = ramp_per_s or max(SLOWEST_PER_S, calls / RAMP_S)
        return StepPlan(plan_run(calls, per_s, hold + (calls - 1) / per_s), hold)

    return plan


async def find_capacity(
    search: CapacitySearch,
    plan: Callable[[int], StepPlan],
    url: str,
    *,
    report: Path | None = None,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> int:
    """Search, tell what was found, write the report, and give the exit code: 0, 1 or 3.

    When it is cancelled, everything that is known is told and written, and CancelledError is raised. Raises
    ConfigError when the report cannot be written there, or no call can be made at all.
    """
    folder = ReportFolder(report) if report is not None else None
    if report is not None:
        for earlier in (report / STEPS).glob("[0-9][0-9]-*-calls"):
            shutil.rmtree(earlier, ignore_errors=True)
    searching = CapacityRun(
        search, plan, report, told=_tell_step if progress else _tell_nothing,
        make=lambda run: BotTest(run, announce=tell_rest),
    )  # fmt: skip
    async with AsyncExitStack() as around:
        around.enter_context(steady(FILES))
        if progress:
            title = f"looking for what {without_query(url)} holds …"
            await around.enter_async_context(shown(searching.line, title))
        found, cancelled = await carried_out(searching.run(), searching.stop)
    for problem in searching.problems:
        print(f"mediabridge: {problem}", file=sys.stderr)
    _tell(found, folder, say)
    if cancelled is not None:
        raise cancelled
    return exit_code(found)


def exit_code(found: CapacityResult) -> int:
    """As many held as were asked for, fewer did, or nothing can be said because the harness was late."""
    if found.passed:
        return PASSED
    return FAILED if found.valid else INVALID


def _tell(found: CapacityResult, folder: ReportFolder | None, say: Callable[[str], None]) -> None:
    if folder is not None:
        try:
            folder.write(found)
        except OSError as wrong:
            raise ConfigError(f"cannot write {folder.path}: {wrong.strerror}") from None
    say(capacity_summary(found))
    if folder is not None:
        say(f"report: {folder.path / PAGE}")


def _tell_step(step: CapacityStep) -> None:
    said = f"{step.calls} calls: {step.verdict}{f', {step.because}' if step.because else ''}"
    print(f"\r\x1b[K{said}" if sys.stderr.isatty() else said, file=sys.stderr, flush=True)


def _tell_nothing(step: CapacityStep) -> None:
    """Where no progress is shown."""
