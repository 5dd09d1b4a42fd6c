"""How many simulated calls one core makes until the test harness itself is late, and what a call costs.

    python benchmarks/harness_calls.py [--seconds 8] [--start 50] [--most 800] [--json FILE]

The callers are on one core, all in one process; the bot is on another, looks at nothing, and sends 20 ms of
sound for every 20 ms that it gets. Late is what makes a run of `mediabridge test` invalid: one tick late by
more than 100 ms, or more than 1 % of them by more than 20 ms. Numbers are doubled until the callers are late
`--tries` times at the same number (once may have been other work on the machine), and halved between until
they are 10 % apart. The cost is CPU time (user and system) at the largest number at which everybody kept
time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import Row, report
from processes import pinned

from bridge.harness.capacity import CapacitySearch

HERE = Path(__file__).resolve().parent
VARIANTS = (
    ("the harness, L16 16 kHz", "l16-16k", ()),
    ("the harness, µ-law 8 kHz", "mulaw-8k", ()),
    ("the harness, L16 16 kHz, with a report", "l16-16k", ("--keep",)),
    ("an obvious caller, L16 16 kHz", "l16-16k", ("--obvious",)),
)


@contextmanager
def bot(codec: str) -> Iterator[str]:
    """Its address."""
    process = subprocess.Popen(
        [*pinned(1), sys.executable, str(HERE / "talking_sink.py"), "--codec", codec],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield f"ws://127.0.0.1:{process.stdout.readline().strip()}/"
    finally:
        process.terminate()
        process.wait()


def made(url: str, codec: str, calls: int, seconds: float, more: tuple[str, ...]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        rest = [word for name in more for word in ((name, folder) if name == "--keep" else (name,))]
        done = subprocess.run(
            [*pinned(0), sys.executable, str(HERE / "harness_load.py"), url, "--calls", str(calls),
             "--seconds", str(seconds), "--codec", codec, *rest],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def searched(name: str, codec: str, more: tuple[str, ...], arguments: argparse.Namespace) -> Row:
    search = CapacitySearch(arguments.start, most=arguments.most, tries=arguments.tries)
    kept: dict[int, dict[str, float]] = {}
    with bot(codec) as url:
        while (calls := search.next) is not None:
            figures = made(url, codec, calls, arguments.seconds, more)
            print(f"      {name}, {calls}: {figures}", file=sys.stderr, flush=True)
            search.take(calls, "held" if figures["valid"] else "harness late")
            if figures["valid"]:
                kept[calls] = figures
    if not search.held:
        return {"callers": name, "calls at once on time": 0.0}
    figures = kept[search.held]
    cost_ms = 1000 * figures["cpu_s"] / (figures["ticks"] / 50)
    return {
        "callers": name,
        "calls at once on time": float(search.held),
        "late at": None if search.late_at is None else float(search.late_at),
        "CPU ms per call-second": cost_ms,
        "of the core": figures["cpu_s"] / figures["seconds"],
        "ticks > 20 ms late, %": 100 * figures["late_share"],
        "worst ms": figures["worst_ms"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--start", type=int, default=50)
    parser.add_argument("--most", type=int, default=800)
    parser.add_argument("--tries", type=int, default=4, help="late so often at one number: it is too many")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    rows = [searched(*variant, arguments) for variant in VARIANTS]
    report("Simulated calls on one core until they are late", rows, arguments.json)


if __name__ == "__main__":
    main()
