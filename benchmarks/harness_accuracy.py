"""How exact the test harness's delays are: what it measured, less what the bot knows of itself.

    python benchmarks/harness_accuracy.py [--calls 20] [--turns 8] [--json FILE]

The bot answers and clears after set times and writes down by its own clock when it really did (known_bot.py).
The callers say tones of several lengths, whose ends lie anywhere within 20 ms, on both codecs. `arrived` and
`clear` have one moment on each side; `heard` and `silence` are at the caller's ear, so that waiting for the
next 20 ms is in them. Errors of so many measures are in ms; the aim is one tick, 20 ms, each way.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import uvloop
from measure import Row, report
from processes import pinned

from bridge.harness.bot_test import BotTest
from bridge.harness.percentiles import percentile
from bridge.harness.results import RunResult
from bridge.harness.run_command import plan_run
from bridge.harness.steady import steady

HERE = Path(__file__).resolve().parent
ANSWERS_MS = (100, 300, 800, 1500)
CLEARS_MS = (40, 100, 200, 350)
TRIES = 10
TONES_MS = (400, 407, 413)
CODECS = ("l16-16k", "mulaw-8k")

ANSWERING = """\
steps:
  - repeat:
      times: {turns}
      steps:
{says}
"""
TALKED_OVER = """\
steps:
  - say: tone-400.wav
  - repeat:
      times: {turns}
      steps:
{says}
  - wait_for_speech: 5s
"""
Errors = dict[tuple[str, float], list[float]]
"""By what was measured and what the bot was set to."""


@contextmanager
def bot(known: dict[str, dict[str, list[list[float]]]], *times: str) -> Iterator[str]:
    """Its address; what it knows is in `known` afterwards."""
    process = subprocess.Popen(
        [*pinned(1), sys.executable, str(HERE / "known_bot.py"), *times], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"ws://127.0.0.1:{process.stdout.readline().strip()}/"
    finally:
        process.terminate()
        known.update(json.loads(process.stdout.read() or "{}"))
        process.wait()


def scenario(folder: Path, kind: str, turns: int) -> Path:
    """Tones, and a file that says what to do with them."""
    for length_ms in TONES_MS:
        samples = np.arange(16 * length_ms)
        tone = np.rint(8_000 * np.cos(2 * np.pi * 400 / 16_000 * samples)).astype(np.int16)
        soundfile.write(folder / f"tone-{length_ms}.wav", tone, 16_000)
    if kind == "answers":
        template, step = (
            ANSWERING,
            "say: tone-{}.wav\n        - wait_for_speech: 5s\n        - wait_for_silence: 300ms",
        )
    else:
        template, step = TALKED_OVER, "barge_in: {{file: tone-{}.wav, after: 400ms}}"
    says = "\n".join(f"        - {step.format(length)}" for length in TONES_MS)
    path = folder / f"{kind}.yaml"
    path.write_text(template.format(turns=max(1, turns // len(TONES_MS)), says=says))
    return path


def measured(kind: str, codec: str, arguments: argparse.Namespace) -> tuple[Errors, int]:
    """Errors, and how many measures had no counterpart. A run in which the harness was late is made again."""
    times = ["--answers", *map(str, ANSWERS_MS)]
    if kind == "clears":
        times = ["--answers", "200", "--clears", *map(str, CLEARS_MS)]
    with tempfile.TemporaryDirectory() as folder:
        script = scenario(Path(folder), kind, arguments.turns)
        for _ in range(TRIES):
            known: dict[str, dict[str, list[list[float]]]] = {}
            with bot(known, *times) as url:
                plan = plan_run(url, calls=arguments.calls, ramp_per_s=20, scenario=script, codec=codec)
                run = uvloop.run(BotTest(plan).run())
            if run.valid:
                return compared(run, known)
            print(f"      made again: {run.invalid_because}", file=sys.stderr, flush=True)
    raise RuntimeError("other work on this machine keeps the harness from being on time")


def compared(run: RunResult, known: dict[str, dict[str, list[list[float]]]]) -> tuple[Errors, int]:
    errors: Errors = defaultdict(list)
    lost = 0
    for call in run.calls:
        truth = known[call.call_id]
        pairs: list[tuple[str, Sequence[float | None], list[list[float]]]] = [
            ("response, arrived", [one.arrived_ms for one in call.responses], truth["answers"]),
            ("response, heard", [one.heard_ms for one in call.responses], truth["answers"]),
            ("barge-in, clear", [one.clear_ms for one in call.barge_ins], truth["clears"]),
            ("barge-in, silence", [one.silence_ms for one in call.barge_ins], truth["clears"]),
        ]
        for what, found, true in pairs:
            if len(found) != len(true) or None in found:
                lost += max(len(found), len(true))
                continue
            for value, (set_ms, true_ms) in zip(found, true, strict=True):
                assert value is not None
                errors[what, set_ms].append(value - true_ms)
    return errors, lost


def rows_of(codec: str, errors: Errors) -> Iterator[Row]:
    together: dict[str, list[float]] = defaultdict(list)
    for (what, set_ms), found in sorted(errors.items()):
        yield row(codec, what, set_ms, found)
        together[what] += found
    for what, found in together.items():
        yield row(codec, what, None, found)


def row(codec: str, what: str, set_ms: float | None, errors: list[float]) -> Row:
    off = sorted(abs(error) for error in errors)
    return {
        "what": what,
        "codec": codec,
        "known ms": "all" if set_ms is None else f"{set_ms:g}",
        "n": float(len(errors)),
        "mean error": statistics.fmean(errors),
        "least": min(errors),
        "most": max(errors),
        "p95 of |error|": percentile(off, 0.95),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    rows: list[Row] = []
    with steady(3 * arguments.calls + 100):
        for kind in ("answers", "clears"):
            for codec in CODECS:
                errors, lost = measured(kind, codec, arguments)
                if lost:
                    print(f"{kind}, {codec}: {lost} measures without a counterpart", file=sys.stderr)
                rows += [
                    one for one in rows_of(codec, errors) if kind == "answers" or "barge" in str(one["what"])
                ]
    rows.sort(key=lambda one: str(one["what"]))
    report("Errors of the harness's delays, in ms", rows, arguments.json)


if __name__ == "__main__":
    main()
