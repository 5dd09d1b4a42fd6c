"""So many simulated calls from one process, and whether they kept time.

Runs in a process of its own: `python benchmarks/harness_load.py URL --calls N --seconds S [--codec C]
[--keep DIR] [--obvious]`. The calls begin 50 a second; from a second after the last one on, CPU time is
taken for S seconds. Prints one JSON line. With --keep every call's sound is written there, both sides, and
a report; with --obvious the callers are those of obvious_caller.py, which measure nothing but how late they
are.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

import uvloop
from obvious_caller import ObviousCaller

from bridge.harness.bot_test import BotTest
from bridge.harness.lateness import Lateness
from bridge.harness.run_command import SAMPLE, plan_run
from bridge.harness.run_report import ReportFolder
from bridge.harness.sound import load
from bridge.harness.steady import steady

PER_S = 50.0
SETTLE_S = 1.0


def waited_s() -> float:
    """How long this process could have gone on, had other work not had its core."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


async def taken(lateness: Lateness, calls: int, seconds: float) -> dict[str, float]:
    """CPU time and ticks while all calls are there."""
    await asyncio.sleep(calls / PER_S + SETTLE_S)
    cpu_s, began, ticks = time.process_time(), time.monotonic(), lateness.ticks
    await asyncio.sleep(seconds)
    return {
        "cpu_s": time.process_time() - cpu_s,
        "seconds": time.monotonic() - began,
        "ticks": lateness.ticks - ticks,
    }


async def harness(arguments: argparse.Namespace, lasting_s: float) -> dict[str, float]:
    plan = plan_run(
        arguments.url, calls=arguments.calls, ramp_per_s=PER_S, hold_s=lasting_s, codec=arguments.codec
    )
    test = BotTest(plan, ReportFolder(arguments.keep) if arguments.keep else None)
    running = asyncio.ensure_future(test.run())
    figures = await taken(test.lateness, arguments.calls, arguments.seconds)
    run = await running
    failed = sum(bool(call.failures) for call in run.calls)
    if failed and run.valid:
        raise RuntimeError(f"{failed} calls failed: {next(c.failures for c in run.calls if c.failures)}")
    return figures | told(test.lateness)


async def obvious(arguments: argparse.Namespace, lasting_s: float) -> dict[str, float]:
    sound = load(SAMPLE, 16_000)
    whole = len(sound) // 320 * 320
    frames = [frame.tobytes() for frame in sound[:whole].reshape(-1, 320)]
    lateness = Lateness()
    async with asyncio.TaskGroup() as group:
        measuring = group.create_task(taken(lateness, arguments.calls, arguments.seconds))
        for _ in range(arguments.calls):
            caller = ObviousCaller(arguments.url, frames, round(50 * lasting_s), lateness.note)
            group.create_task(caller.run())
            await asyncio.sleep(1 / PER_S)
    return measuring.result() | told(lateness)


def told(lateness: Lateness) -> dict[str, float]:
    return {
        "valid": not lateness.problem,
        "worst_ms": 1000 * lateness.worst_s,
        "late_share": lateness.late / max(1, lateness.ticks),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--codec", default="l16-16k")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--obvious", action="store_true")
    arguments = parser.parse_args()
    began, waited = time.monotonic(), waited_s()
    lasting_s = arguments.calls / PER_S + 2 * SETTLE_S + arguments.seconds
    with steady(3 * arguments.calls + 100):
        make = obvious if arguments.obvious else harness
        figures: dict[str, float] = uvloop.run(make(arguments, lasting_s))
    figures["kept_waiting"] = (waited_s() - waited) / (time.monotonic() - began)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
