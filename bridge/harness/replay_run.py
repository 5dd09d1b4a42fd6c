"""Captured calls measured again, as fast as they are read: `mediabridge test --replay` without a target."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bridge.errors import ConfigError
from bridge.harness.capture_reading import Capture, read_capture
from bridge.harness.lateness import LateLimits, Lateness
from bridge.harness.measured_call import MeasuredCall
from bridge.harness.replay_course import holes
from bridge.harness.replayed_caller import ReplayedCaller, as_caller
from bridge.harness.results import CallResult, RunResult
from bridge.harness.run_command import tell
from bridge.harness.run_report import ReportFolder
from bridge.harness.stereo_wav import WavWriter
from bridge.harness.thresholds import Asked
from bridge.legs.capture_wire import BadCapture


async def replay_call(
    capture: Capture,
    *,
    number: int | None = None,
    wav: Path | None = None,
    writer: WavWriter | None = None,
    on_late: Callable[[float], None] | None = None,
) -> CallResult:
    """What came of a captured call: for one that a simulated caller kept, what came of it then.

    `number` in place of the captured one. Raises OSError or soundfile.LibsndfileError for the WAV file.
    """
    caller = ReplayedCaller(capture)
    about = capture.head.about
    call = MeasuredCall(
        as_caller(caller),
        number=number or captured_number(capture) or 1,
        scenario=about.get("scenario", ""),
        notes=caller.notes,
        wav=wav,
        writer=writer,
        on_late=on_late,
    )
    caller.watched(call)
    result = await call.run()
    facts = capture.end.facts if capture.end is not None else {}
    started_at, duration_ms = facts.get("started_at"), facts.get("duration_ms")
    if not isinstance(started_at, int | float) or not isinstance(duration_ms, int | float):
        started_at = capture.head.began_unix_ms / 1000
        duration_ms = capture.end.at_ns // 1_000_000 if capture.end else 20 * len(result.caller_levels)
    return dataclasses.replace(result, started_at=float(started_at), duration_ms=int(duration_ms))


def captured_number(capture: Capture) -> int | None:
    """Which call of its run it was."""
    number = capture.head.about.get("number", "")
    return int(number) if number.isdecimal() and int(number) else None


async def replay_run(
    captures: Sequence[Capture],
    *,
    thresholds: Sequence[Asked] = (),
    limits: LateLimits | None = None,
    folder: ReportFolder | None = None,
) -> RunResult:
    """A run of captured calls. It is as valid as the one in which they were kept, and as complete."""
    began, started_at = time.monotonic(), time.time()
    lateness = Lateness(limits)
    numbers = [captured_number(capture) for capture in captures]
    if None in numbers or len(set(numbers)) < len(numbers):
        numbers = list(range(1, len(captures) + 1))
    writer = WavWriter() if folder is not None else None
    calls: list[CallResult] = []
    try:
        for number, capture in zip(numbers, captures, strict=True):
            name = folder.wav_name(number or 1) if folder is not None else None
            wav = folder.path / name if folder is not None and name is not None else None
            result = await replay_call(capture, number=number, wav=wav, writer=writer, on_late=lateness.note)
            if name is not None and result.connect_ms is not None:
                result = dataclasses.replace(result, wav=name)
            calls.append(result)
    finally:
        if writer is not None:
            await asyncio.to_thread(writer.close)
    missing = sum(map(holes, captures))
    told = {
        "replayed": ", ".join(capture.path.name for capture in captures),
        "kept by": ", ".join(sorted({capture.head.place for capture in captures})),
        "harness lateness": str(lateness),
    }
    if missing:
        told["missing in the captures"] = f"{missing} records"
    cut = [capture.path.name for capture in captures if capture.end is None]
    if cut:
        told["cut off"] = ", ".join(cut)
    return RunResult(
        target=f"replay of {told['replayed']}",
        started_at=started_at,
        duration_ms=round((time.monotonic() - began) * 1000),
        calls=sorted(calls, key=lambda call: call.number),
        thresholds=[asked.judge(calls) for asked in thresholds],
        valid=not lateness.problem,
        invalid_because=lateness.problem,
        interrupted=any(call.end == "cancelled" for call in calls),
        settings=told,
    )


def read_all(files: Sequence[Path]) -> list[Capture]:
    """The captures in `files`. Raises ConfigError, also for what is no capture."""
    try:
        return [read_capture(file) for file in files]
    except BadCapture as wrong:
        raise ConfigError(str(wrong)) from None


async def tell_replay(
    captures: Sequence[Capture],
    *,
    thresholds: Sequence[Asked] = (),
    report: Path | None = None,
    say: Callable[[str], None] = print,
) -> int:
    """Replay them, tell what came of it, write the report, and give the exit code: 0, 1 or 3.

    Raises ConfigError when the report cannot be written there.
    """
    folder = ReportFolder(report) if report is not None else None
    run = await replay_run(captures, thresholds=thresholds, folder=folder)
    return tell(run, folder, say)
