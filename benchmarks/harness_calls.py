"""How many simulated calls one core makes until the test harness itself is late, and what a call costs.

    python benchmarks/harness_calls.py [--seconds 8] [--start 50] [--most 800] [--json FILE]

The callers are on one core, all in one process; the bot is on another, looks at nothing, and sends 20 ms of
sound for every 20 ms that it gets. Late is what makes a run of `mediabridge test` invalid: one tick late by
more than 100 ms, or more than 1 % of them by more than 20 ms. Numbers are doubled until the callers are late
twice at the same number, and halved between until they are 10 % apart. The cost is CPU time (user and system)
at the largest number at which everybody kept time. A run that was late, and whose process was kept waiting
for its core by other work for more than 1 % of the time, says nothing, and is made again; each run waits for
a quiet moment.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import Row, report
from processes import TICKS_PER_S, pinned

from bridge.harness.capacity import CapacitySearch

HERE = Path(__file__).resolve().parent
DISTURBED = 0.01
MADE_AGAIN = 8
VARIANTS = (
    ("the harness, L16 16 kHz", "l16-16k", ()),
    ("an obvious caller, L16 16 kHz", "l16-16k", ("--obvious",)),
    ("the harness, L16 16 kHz, with a report", "l16-16k", ("--keep",)),
    ("the harness, µ-law 8 kHz", "mulaw-8k", ()),
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


def core_s(core: int) -> float:
    """Time that processes have had on a core."""
    line = next(one for one in Path("/proc/stat").read_text().splitlines() if one.startswith(f"cpu{core} "))
    user, nice, system = line.split()[1:4]
    return (int(user) + int(nice) + int(system)) / TICKS_PER_S


def wait_for_quiet() -> None:
    """Until both cores have been idle for a second; a minute at most."""
    for _ in range(60):
        busy_s = core_s(0) + core_s(1 % (os.cpu_count() or 1))
        time.sleep(1)
        if core_s(0) + core_s(1 % (os.cpu_count() or 1)) - busy_s < 0.1:
            return


def undisturbed(url: str, codec: str, calls: int, seconds: float, more: tuple[str, ...]) -> dict[str, float]:
    """A run of which something can be said."""
    for _ in range(MADE_AGAIN):
        wait_for_quiet()
        figures = made(url, codec, calls, seconds, more)
        told = ", ".join(f"{name} {value:.3g}" for name, value in figures.items())
        print(f"      {codec} {' '.join(more)} {calls}: {told}", file=sys.stderr, flush=True)
        if figures["valid"] or figures["kept_waiting"] <= DISTURBED:
            break
    return figures


def searched(name: str, codec: str, more: tuple[str, ...], arguments: argparse.Namespace) -> Row:
    search = CapacitySearch(arguments.start, most=arguments.most)
    kept: dict[int, dict[str, float]] = {}
    with bot(codec) as url:
        while (calls := search.next) is not None:
            figures = undisturbed(url, codec, calls, arguments.seconds, more)
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
    parser.add_argument("--variants", type=int, default=len(VARIANTS), help="only so many of them")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    rows = [searched(*variant, arguments) for variant in VARIANTS[: arguments.variants]]
    report("Simulated calls on one core until they are late", rows, arguments.json)


if __name__ == "__main__":
    main()
