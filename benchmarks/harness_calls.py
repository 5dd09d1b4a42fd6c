"""How many simulated calls one core makes until the test harness itself is late, and what a call costs.

    python benchmarks/harness_calls.py [--cost-at 200] [--seconds 6] [--most 800] [--json FILE]

The callers are on one core, all in one process; the bot is on another, looks at nothing, and sends 20 ms of
sound for every 20 ms that it gets. The cost is CPU time (user and system) of that many calls, the median of
three runs, made in turn with those compared with. Then numbers are doubled until the callers are late twice
at the same number, and halved between until they are 10 % apart. Late is what makes a run of `mediabridge
test` invalid: one tick late by more than 100 ms, or more than 1 % of them by more than 20 ms. A run that
was late, and whose process was kept waiting for its core by other work for more than 1 % of the time, says
nothing and is made again; where that goes on, the row says that it was disturbed, and its calls are a lower
bound.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from measure import Row, report
from processes import TICKS_PER_S, pinned

from bridge.harness.capacity import CapacitySearch

HERE = Path(__file__).resolve().parent
DISTURBED = 0.01
MADE_AGAIN = 3
ROUNDS = 3


class Variant(NamedTuple):
    name: str
    codec: str
    more: tuple[str, ...] = ()


VARIANTS = (
    Variant("the harness, L16 16 kHz", "l16-16k"),
    Variant("an obvious caller, L16 16 kHz", "l16-16k", ("--obvious",)),
    Variant("the harness, L16 16 kHz, with a report", "l16-16k", ("--keep",)),
    Variant("the harness, µ-law 8 kHz", "mulaw-8k"),
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


def made(url: str, variant: Variant, calls: int, seconds: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        more = [word for name in variant.more for word in ((name, folder) if name == "--keep" else (name,))]
        done = subprocess.run(
            [*pinned(0), sys.executable, str(HERE / "harness_load.py"), url, "--calls", str(calls),
             "--seconds", str(seconds), "--codec", variant.codec, *more],
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
    """Until both cores have been idle for a second; not for long."""
    for _ in range(20):
        busy_s = core_s(0) + core_s(1 % (os.cpu_count() or 1))
        time.sleep(1)
        if core_s(0) + core_s(1 % (os.cpu_count() or 1)) - busy_s < 0.1:
            return


def told(figures: dict[str, float], variant: Variant, calls: int) -> None:
    text = ", ".join(f"{name} {value:.3g}" for name, value in figures.items())
    print(f"      {variant.name}, {calls}: {text}", file=sys.stderr, flush=True)


def costs(variants: Sequence[Variant], calls: int, seconds: float) -> list[float]:
    """CPU ms per call-second of each, in turn."""
    found: list[list[float]] = [[] for _ in variants]
    for _ in range(ROUNDS):
        for at, variant in enumerate(variants):
            wait_for_quiet()
            with bot(variant.codec) as url:
                figures = made(url, variant, calls, seconds)
            told(figures, variant, calls)
            found[at].append(1000 * figures["cpu_s"] / (figures["ticks"] / 50))
    return [statistics.median(one) for one in found]


def undisturbed(url: str, variant: Variant, calls: int, seconds: float) -> tuple[bool, bool]:
    """Whether everybody kept time; and whether nothing can be said, because other work disturbed them."""
    for _ in range(MADE_AGAIN):
        wait_for_quiet()
        figures = made(url, variant, calls, seconds)
        told(figures, variant, calls)
        if figures["valid"]:
            return True, False
        if figures["kept_waiting"] <= DISTURBED:
            return False, False
    return False, True


def searched(variant: Variant, cost_ms: float, ours_ms: float, arguments: argparse.Namespace) -> Row:
    search = CapacitySearch(arguments.cost_at, most=arguments.most)
    disturbed = False
    with bot(variant.codec) as url:
        while (calls := search.next) is not None:
            on_time, in_doubt = undisturbed(url, variant, calls, arguments.seconds)
            search.take(calls, "held" if on_time else "harness late")
            disturbed |= in_doubt
    return {
        "callers": variant.name,
        f"CPU ms per call-second, {arguments.cost_at} calls": cost_ms,
        "times the first": cost_ms / ours_ms,
        "calls on time": float(search.held),
        "late at": None if search.late_at is None else float(search.late_at),
        "disturbed": "yes" if disturbed else "",
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cost-at", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--most", type=int, default=800)
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    cost = costs(VARIANTS, arguments.cost_at, arguments.seconds)
    rows = [
        searched(variant, cost_ms, cost[0], arguments)
        for variant, cost_ms in zip(VARIANTS, cost, strict=True)
    ]
    report("Simulated calls on one core until they are late", rows, arguments.json)


if __name__ == "__main__":
    main()
