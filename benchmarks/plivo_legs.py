"""CPU time per Plivo leg, both directions, beside the obvious mixer under the same load.

    python benchmarks/plivo_legs.py [--legs 200] [--room 5] [--sounding 3] [--seconds 10] [--json FILE]

L16 at 16 kHz, server on one core, callers on another; user and system time of the server's process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from measure import report
from processes import ROOT, SETTLE_S, cost_of_crowd, free_port, pinned, running_bridge, wait_for_port

HERE = Path(__file__).resolve().parent


def measure_bridge(arguments: argparse.Namespace) -> tuple[float, dict[str, float]]:
    with running_bridge() as bridge:
        urls = []
        for n in range(arguments.legs):
            if n % arguments.room == 0:
                conference = bridge.open_conference()
            token = bridge.invite(conference)
            urls.append(
                f"ws://127.0.0.1:{bridge.port}/{bridge.application}/{conference}/plivo?access_token={token}"
            )
        return cost_of_crowd("call_load.py", urls, bridge.pid, arguments)


def measure_obvious(arguments: argparse.Namespace) -> tuple[float, dict[str, float]]:
    port = free_port()
    server = subprocess.Popen(
        [*pinned(0), sys.executable, str(HERE / "obvious_mixer.py"), "--port", str(port)], cwd=ROOT
    )
    try:
        wait_for_port(port, server)
        urls = [f"ws://127.0.0.1:{port}/room{n // arguments.room}" for n in range(arguments.legs)]
        return cost_of_crowd("call_load.py", urls, server.pid, arguments)
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--legs", type=int, default=200)
    parser.add_argument("--room", type=int, default=5)
    parser.add_argument("--sounding", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    obvious, theirs = measure_obvious(arguments)
    bridge, ours = measure_bridge(arguments)
    frames = arguments.legs * 50 * (arguments.seconds + SETTLE_S + 1)
    report(
        f"CPU per Plivo leg ({arguments.legs} legs, rooms of {arguments.room}, "
        f"{arguments.sounding} with sound)",
        [
            {"what": "obvious websockets + NumPy mixer", "ms per leg-second": obvious, "ratio": 1.0,
             "answered": theirs["bytes_in"] / 940 / frames},
            {"what": "the bridge", "ms per leg-second": bridge, "ratio": bridge / obvious,
             "answered": ours["bytes_in"] / 940 / frames},
        ],
        arguments.json,
    )  # fmt: skip


if __name__ == "__main__":
    main()
