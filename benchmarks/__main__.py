"""`make bench`: every benchmark in turn, each in a process of its own; results go to benchmarks/results/.

python -m benchmarks [NAME …] [--quick]

Quick runs are a look: they leave the results that are kept and quoted as they are.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"

RUNS: dict[str, tuple[list[str], list[str]]] = {
    "codecs": (["codecs.py"], ["--quick"]),
    "intake": (["intake.py"], ["--quick"]),
    "tick": (["tick.py"], ["--quick"]),
    "webrtc_packets": (["webrtc_packets.py"], ["--peers", "10", "--seconds", "2"]),
    "plivo_legs": (["plivo_legs.py"], ["--legs", "50", "--seconds", "4"]),
    "webrtc_rooms_of_25": (["webrtc_participants.py"], ["--seconds", "4"]),
    "webrtc_rooms_of_5": (
        ["webrtc_participants.py", "--room", "5", "--sounding", "3",
         "--people", "40", "--obvious-people", "20"],
        ["--seconds", "4"],
    ),
    "forked_streams": (["forked_streams.py"], ["--streams", "20", "--calls", "4", "--seconds", "3"]),
    "harness_calls": (["harness_calls.py"], ["--seconds", "2", "--cost-at", "20", "--most", "40"]),
    "harness_accuracy": (["harness_accuracy.py"], ["--calls", "4", "--turns", "3"]),
    "live_hls": (["live_hls.py"], ["--quick"]),
    "live_outputs": (["live_outputs.py"], ["--calls", "6", "--seconds", "2"]),
    "players": (["players.py"], ["--quick"]),
    "recording_files": (["recording_files.py"], ["--quick"]),
    "delay": (["delay.py"], ["--pairs", "4", "--bursts", "8"]),
}  # fmt: skip
"""Script and arguments, and what makes it quicker."""
PLOTTED = {"delay"}


def results_of(name: str) -> list[str]:
    """Arguments that make a benchmark leave its results."""
    plot = ["--plot", str(RESULTS / f"{name}.png")] if name in PLOTTED else []
    return ["--json", str(RESULTS / f"{name}.json"), *plot]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RUNS))
    parser.add_argument("--quick", action="store_true", help="shorter runs: a look, not figures to quote")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(RUNS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(RUNS)}")
    RESULTS.mkdir(exist_ok=True)
    names = arguments.names or list(RUNS)
    failed = []
    for number, name in enumerate(names, 1):
        (script, *command), quicker = RUNS[name]
        command += quicker if arguments.quick else results_of(name)
        began = time.monotonic()
        print(f"[{number}/{len(names)}] {name} …", file=sys.stderr, flush=True)
        done = subprocess.run([sys.executable, str(HERE / script), *command])
        print(f"      {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        if done.returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
