"""CPU time per Plivo leg, both directions, beside the obvious mixer under the same load.

    python benchmarks/plivo_legs.py [--legs 200] [--room 5] [--sounding 3] [--seconds 10] [--json FILE]

L16 at 16 kHz, server on one core, callers on another; user and system time of the server's process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import report
from processes import ROOT, cpu_seconds, free_port, pinned, running_bridge, wait_for_port

HERE = Path(__file__).resolve().parent
SETTLE_S = 3.0


def load(urls: list[str], pid: int, arguments: argparse.Namespace) -> tuple[float, dict[str, float]]:
    """CPU ms of `pid` per leg-second while the callers in `urls` talk, and the callers' figures."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(urls))
        listed.flush()
        callers = subprocess.Popen(
            [*pinned(1), sys.executable, str(HERE / "call_load.py"), listed.name,
             "--room", str(arguments.room), "--sounding", str(arguments.sounding),
             "--seconds", str(arguments.seconds + SETTLE_S + 1)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert callers.stdout is not None
        if callers.stdout.readline().strip() != "ready":
            raise RuntimeError("the callers did not get through")
        time.sleep(SETTLE_S)
        began, spent = time.monotonic(), cpu_seconds(pid)
        time.sleep(arguments.seconds)
        spent, took = cpu_seconds(pid) - spent, time.monotonic() - began
        figures = json.loads(callers.stdout.read())
        callers.wait()
    return 1000 * spent / took / len(urls), figures


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
        return load(urls, bridge.pid, arguments)


def measure_obvious(arguments: argparse.Namespace) -> tuple[float, dict[str, float]]:
    port = free_port()
    server = subprocess.Popen(
        [*pinned(0), sys.executable, str(HERE / "obvious_mixer.py"), "--port", str(port)], cwd=ROOT
    )
    try:
        wait_for_port(port, server)
        urls = [f"ws://127.0.0.1:{port}/room{n // arguments.room}" for n in range(arguments.legs)]
        return load(urls, server.pid, arguments)
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
