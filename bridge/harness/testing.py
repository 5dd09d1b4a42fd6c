"""What tests of a voice bot are made with: a call in which the test takes part, and runs of whole scenarios.

Both are runs (bot_test.py), measured and judged like those of `mediabridge test`.
"""

from __future__ import annotations

import asyncio
import random
import warnings
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.core.ports import AudioFormat
from bridge.errors import BridgeError
from bridge.harness.bot_test import BotTest, Cast, Part, RunPlan
from bridge.harness.call_socket import CallFailed
from bridge.harness.clips import load_clips
from bridge.harness.faults import FaultyLine
from bridge.harness.lateness import LateLimits
from bridge.harness.live_call import LiveCall
from bridge.harness.live_course import LiveCourse
from bridge.harness.measured_call import MeasuredCall
from bridge.harness.prompted import Prompted
from bridge.harness.results import RunResult
from bridge.harness.run_command import plan_run
from bridge.harness.run_report import ReportFolder
from bridge.harness.run_summary import verdict
from bridge.harness.scenario import Background, Pause, Scenario
from bridge.harness.scenario_faults import Fault
from bridge.harness.sound import CODECS
from bridge.harness.thresholds import read_threshold

if TYPE_CHECKING:
    from bridge.harness.exchange import ExchangeSettings

CALL_LIMITS = LateLimits(late_share=0.05)
"""Of a single call: where there are few ticks, one of them is more than 1 %."""
GOODBYE_S = 10.0
"""So long may a call take to end that was hung up."""
TOLD = 20
"""Failed calls that are told of in full."""
__tracebackhide__ = True  # as in live_course.py


class HarnessLate(BridgeError):
    """The harness itself did not keep time: what it found counts neither for the bot nor against it."""


class RunFailed(AssertionError):
    """Calls have failed, or thresholds were not met; the text lists them. `run` is all that came of it."""

    def __init__(self, text: str, run: RunResult) -> None:
        super().__init__(text)
        self.run = run


@asynccontextmanager
async def calling(
    url: str,
    *,
    codec: str = "l16-16k",
    folder: Path | None = None,
    background: Background | None = None,
    faults: Sequence[Fault] = (),
    seed: int | None = None,
    name: str = "",
    limits: LateLimits | None = None,
    exchange: ExchangeSettings | None = None,
    report: ReportFolder | None = None,
    on_run: Callable[[RunResult], None] | None = None,
) -> AsyncIterator[LiveCall]:
    """A call to `url` that is up while the block lasts, and is hung up with it.

    Sound files are looked for from `folder` (the working directory). `codec` is one of `sound.CODECS`. What
    is drawn by lot (the call's ids, faults, noise) is the same for the same `seed`. `name` is what reports
    call it; with `report` its sound is kept there. `on_run` is told what came of it. With an `exchange` the
    bot can hang up by REST, and `url` may be its answer URL, which then says the codec.

    Raises CallFailed when the bot does not take the call, and HarnessLate after the block when the harness
    was later than `limits` (`CALL_LIMITS`) allow.
    """
    answered = exchange is not None and exchange.answer is not None
    formats = CODECS.values() if answered else [CODECS[codec]]
    around, files = background or Background(), folder or Path()
    lots = random.randrange(2**31) if seed is None else seed
    noises = Scenario(steps=(Pause(for_ms=0),), background=around)
    course = LiveCourse()

    def cast_in(audio_format: AudioFormat) -> Cast:
        clips = load_clips(noises, files, audio_format.rate_hz)

        def cast(number: int) -> Part:
            voice = Prompted(clips, around, str(lots))
            line = FaultyLine(faults, audio_format, str(lots)) if faults else None

            def attach(measured: MeasuredCall) -> None:
                course.place(measured, voice)
                if line is not None:
                    line.on_moment = measured.notes.add

            return Part(voice, name, line, attach)

        return cast

    casts = {one: await asyncio.to_thread(cast_in, one) for one in formats}
    plan = RunPlan(
        url, [0.0], casts[CODECS[codec]], CODECS[codec], (), lots, limits or CALL_LIMITS,
        exchange=exchange, casts=casts,
    )  # fmt: skip
    test = BotTest(plan, report)
    running = asyncio.ensure_future(test.run())
    course.follow(running)
    failed: BaseException | None = None
    try:
        await course.taken()
        yield LiveCall(course, files)
    except BaseException as error:
        failed = error
        raise
    finally:
        course.let_go()
        run = await _over(test, running, patient=not isinstance(failed, asyncio.CancelledError))
        if failed is not None and not isinstance(failed, CallFailed):
            run = _with_failure(run, failed)
        course.close(run)
        _tell(test)
        if on_run is not None:
            on_run(run)
        if failed is not None and not run.valid:
            failed.add_note(run.invalid_because)
    if not run.valid:
        raise HarnessLate(run.invalid_because)


async def play(
    url: str,
    scenario: Scenario | Path | None = None,
    *,
    folder: Path | None = None,
    wav: Path | None = None,
    calls: int = 1,
    ramp_per_s: float | None = None,
    arrivals_per_s: float | None = None,
    hold_s: float | None = None,
    codec: str = "l16-16k",
    seed: int = 0,
    thresholds: Sequence[str] = (),
    limits: LateLimits | None = None,
    exchange: ExchangeSettings | None = None,
    report: ReportFolder | None = None,
) -> RunResult:
    """Calls that play a scenario, or the one in a file; without one they say a sound and wait for the answer.

    All is as on the command line (`mediabridge test --help`). What comes of it is for `check` to judge, and
    for `report.write`. Sound files of a scenario that is no file are looked for from `folder` (the working
    directory). Raises ConfigError for what cannot be played, ValueError for a threshold that makes no sense.
    """
    asked = [read_threshold(text) for text in thresholds]
    plan = await asyncio.to_thread(
        partial(
            plan_run, url, scenario=scenario, folder=folder, wav=wav, calls=calls,
            ramp_per_s=ramp_per_s, arrivals_per_s=arrivals_per_s, hold_s=hold_s, codec=codec, seed=seed,
            thresholds=asked, limits=limits, exchange=exchange,
        )
    )  # fmt: skip
    test = BotTest(plan, report)
    run = await test.run()
    _tell(test)
    return run


def check(run: RunResult) -> None:
    """Raises HarnessLate for an invalid run, RunFailed for one that has failed; each says why."""
    if not run.valid:
        raise HarnessLate(run.invalid_because)
    if run.passed:
        return
    lines = [verdict(run)]
    failed = [call for call in run.calls if call.failures]
    for call in failed[:TOLD]:
        lines.append(f"call {call.number}, {call.scenario or 'talks'}: {call.end} {call.end_detail}".rstrip())
        lines += [f"  {failure}" for failure in call.failures]
    for threshold in run.thresholds:
        if not threshold.passed:
            found = (
                "there was nothing to measure" if threshold.value is None else f"it was {threshold.value:g}"
            )
            lines.append(f"{threshold.text}: {found}")
    raise RunFailed("\n".join(lines), run)


def _tell(test: BotTest) -> None:
    for problem in test.problems:
        warnings.warn(problem, RuntimeWarning, stacklevel=3)


async def _over(test: BotTest, running: asyncio.Future[RunResult], *, patient: bool) -> RunResult:
    """What came of the call, which the caller ends now; if need be without a word."""
    try:
        if patient:
            await asyncio.wait((running,), timeout=GOODBYE_S)
    finally:
        if not running.done():
            test.stop()
    return await running


def _with_failure(run: RunResult, failed: BaseException) -> RunResult:
    text = str(failed).partition("\n")[0] or type(failed).__name__
    # A test that is cancelled at once has made no call at all.
    return replace(
        run, calls=[replace(call, failures=[*call.failures, f"the test: {text}"]) for call in run.calls]
    )
