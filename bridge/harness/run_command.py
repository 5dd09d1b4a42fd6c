"""`mediabridge test`: many simulated calls to a voice bot, measured and judged."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.core.ports import AudioFormat
from bridge.errors import ConfigError
from bridge.harness.arrivals import poisson, ramp
from bridge.harness.bot_test import BotTest, Cast, Part, RunPlan, without_query
from bridge.harness.capture_folder import CaptureFolder
from bridge.harness.lateness import LateLimits
from bridge.harness.progress import live_line, shown
from bridge.harness.results import RunResult
from bridge.harness.run_report import PAGE, ReportFolder
from bridge.harness.run_summary import summary
from bridge.harness.scenario import Scenario
from bridge.harness.scenario_file import read_scenario
from bridge.harness.sound import CODECS, SAMPLE, load
from bridge.harness.stage import Stage
from bridge.harness.steady import steady
from bridge.harness.stoppable import carried_out
from bridge.harness.talker import Talker, Words
from bridge.harness.thresholds import Asked, read_threshold

if TYPE_CHECKING:
    from bridge.harness.exchange import ExchangeSettings

PASSED, FAILED, INVALID = 0, 1, 3
"""Exit codes. Wrong use is 2, and raised as ConfigError."""
DEFAULT_RAMP_PER_S = 5.0


def plan_run(
    url: str,
    *,
    calls: int = 1,
    ramp_per_s: float | None = None,
    arrivals_per_s: float | None = None,
    hold_s: float | None = None,
    wav: Path | None = None,
    scenario: Path | Scenario | None = None,
    folder: Path | None = None,
    codec: str = "l16-16k",
    seed: int = 0,
    thresholds: Sequence[Asked] = (),
    limits: LateLimits | None = None,
    exchange: ExchangeSettings | None = None,
) -> RunPlan:
    """A run in which every caller says the same file, or plays the same scenario.

    A scenario's sounds are looked for from `folder`; if it is not said, from the one that the scenario is in.
    With an `exchange`, the bot can hang up by REST, and `url` may be an answer URL: then what that gives says
    the codec. Raises ConfigError when that cannot be had.
    """
    answered = exchange is not None and exchange.answer is not None
    cast_in: Callable[[AudioFormat], Cast]
    if scenario is not None:
        if wav is not None:
            raise ConfigError("a scenario says by itself what callers say: leave --wav out")
        if isinstance(scenario, Path):
            folder, scenario = folder or scenario.parent, read_scenario(scenario)
        cast_in, plays = _on_stage(scenario, folder or Path(), seed, hold_s), {"scenario": scenario.name}
        thresholds = [*map(read_threshold, scenario.thresholds), *thresholds]
        codec = codec if answered else scenario.codec or codec
    else:
        wav = wav or SAMPLE
        cast_in, plays = _talkers(wav, hold_s), {"sound": wav.name}
    audio_format = CODECS[codec]
    casts = {one: cast_in(one) for one in (CODECS.values() if answered else [audio_format])}
    if arrivals_per_s is not None:
        starts, how = poisson(calls, arrivals_per_s, seed), f"{arrivals_per_s:g}/s, at random"
    else:
        per_s = ramp_per_s or DEFAULT_RAMP_PER_S
        starts, how = ramp(calls, per_s), f"{per_s:g}/s, evenly"
    return RunPlan(
        url,
        starts,
        casts[audio_format],
        audio_format,
        tuple(thresholds),
        seed,
        limits or LateLimits(),
        {
            "calls": str(calls),
            "begun": how,
            "lasting": "until everything is said and answered" if hold_s is None else f"{hold_s:g} s",
            **plays,
            "codec": "as the answer URL says" if answered else codec,
        },
        exchange,
        casts if answered else {},
    )


def _talkers(wav: Path, hold_s: float | None) -> Callable[[AudioFormat], Cast]:
    """Callers without a scenario."""

    def cast_in(audio_format: AudioFormat) -> Cast:
        try:
            words = Words(load(wav, audio_format.rate_hz), audio_format)
        except (OSError, ValueError) as wrong:
            raise ConfigError(str(wrong)) from None
        return lambda number: Part(Talker(words, hold_s))

    return cast_in


def _on_stage(
    scenario: Scenario, folder: Path, seed: int, hold_s: float | None
) -> Callable[[AudioFormat], Cast]:
    """Callers that play a scenario, in whichever format their calls are."""
    scenario = dataclasses.replace(scenario, codec="")
    return lambda audio_format: Stage(scenario, folder, audio_format, seed, hold_s).part


async def run_test(
    plan: RunPlan,
    *,
    report: Path | None = None,
    captures: Path | None = None,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> int:
    """Make the run, tell what came of it, write the report, and give the exit code: 0, 1 or 3.

    When it is cancelled, the calls are hung up and everything is told and written as far as it goes, and
    CancelledError is raised. Raises ConfigError when the report cannot be written there.
    """
    folder = ReportFolder(report) if report is not None else None
    kept = CaptureFolder(captures) if captures is not None else None
    test = BotTest(plan, folder, tell_rest, captures=kept)
    async with AsyncExitStack() as around:
        around.enter_context(steady(files=3 * len(plan.starts) + 100))
        if progress:
            title = f"calling {without_query(plan.url)} …"
            await around.enter_async_context(shown(lambda: live_line(test.look()), title))
        try:
            run, cancelled = await carried_out(test.run(), test.stop)
        finally:
            if kept is not None:
                await asyncio.to_thread(kept.close)
                test.problems += kept.problems()
    for problem in test.problems:
        print(f"mediabridge: {problem}", file=sys.stderr)
    code = tell(run, folder, say)
    if cancelled is not None:
        raise cancelled
    return code


def tell(run: RunResult, folder: ReportFolder | None, say: Callable[[str], None]) -> int:
    """Write the report, say what came of the run, and give the exit code. Raises ConfigError."""
    if folder is not None:
        try:
            folder.write(run)
        except OSError as wrong:
            raise ConfigError(f"cannot write {folder.path}: {wrong.strerror}") from None
    with suppress(BrokenPipeError):  # what came of it is the same though nobody reads it
        say(summary(run))
        if folder is not None:
            say(f"report: {folder.path / PAGE}")
    return exit_code(run)


def tell_rest(rest_url: str) -> None:
    """Where a bot can hang up its calls."""
    print(f"mediabridge: the bot can hang up its calls at {rest_url}", file=sys.stderr)


def exit_code(run: RunResult) -> int:
    """An invalid run has neither passed nor failed."""
    if not run.valid:
        return INVALID
    return PASSED if run.passed else FAILED
