"""CPU time per WebRTC participant, beside the obvious aiortc mixer under the same load.

    python benchmarks/webrtc_participants.py [--people 50] [--room 25] [--sounding 7] [--json FILE]

Everybody sends 50 packets a second, the silent ones coded silence. Server on one core, participants on
another; user and system time of the server's process. The obvious mixer runs with as many people as it can
carry (`--obvious-people`).
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
SETTLE_S = 4.0


def load(people: list[str], pid: int, arguments: argparse.Namespace) -> tuple[float, dict[str, float]]:
    """CPU ms of `pid` per participant-second while `people` (`URI TOKEN`) are there, and their figures."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(people))
        listed.flush()
        crowd = subprocess.Popen(
            [*pinned(1), sys.executable, str(HERE / "webrtc_load.py"), listed.name,
             "--room", str(arguments.room), "--sounding", str(arguments.sounding),
             "--seconds", str(arguments.seconds + SETTLE_S + 1)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert crowd.stdout is not None
        if crowd.stdout.readline().strip() != "ready":
            raise RuntimeError("the participants did not get in")
        time.sleep(SETTLE_S)
        began, spent = time.monotonic(), cpu_seconds(pid)
        time.sleep(arguments.seconds)
        spent, took = cpu_seconds(pid) - spent, time.monotonic() - began
        figures = json.loads(crowd.stdout.read())
        crowd.wait()
    return 1000 * spent / took / len(people), figures


def measure_bridge(arguments: argparse.Namespace) -> tuple[float, dict[str, float]]:
    with running_bridge() as bridge:
        people = []
        for n in range(arguments.people):
            if n % arguments.room == 0:
                conference = bridge.open_conference()
            uri = f"http://127.0.0.1:{bridge.port}/{bridge.application}/{conference}"
            people.append(f"{uri} {bridge.invite(conference)}")
        return load(people, bridge.pid, arguments)


def measure_obvious(arguments: argparse.Namespace) -> tuple[float, dict[str, float]]:
    port = free_port()
    server = subprocess.Popen(
        [*pinned(0), sys.executable, str(HERE / "obvious_webrtc_mixer.py"), "--port", str(port)], cwd=ROOT
    )
    try:
        wait_for_port(port, server)
        people = [
            f"http://127.0.0.1:{port}/app/room{n // arguments.room} -"
            for n in range(arguments.obvious_people)
        ]
        return load(people, server.pid, arguments)
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--obvious-people", type=int, default=25)
    parser.add_argument("--room", type=int, default=25)
    parser.add_argument("--sounding", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    obvious, theirs = measure_obvious(arguments)
    bridge, ours = measure_bridge(arguments)
    report(
        f"CPU per WebRTC participant (rooms of {arguments.room}, {arguments.sounding} with sound)",
        [
            {"what": f"obvious aiortc mixer, {arguments.obvious_people} people",
             "ms per participant-second": obvious, "ratio": 1.0,
             "answered": theirs["packets_in"] / max(1, theirs["sent"])},
            {"what": f"the bridge, {arguments.people} people",
             "ms per participant-second": bridge, "ratio": bridge / obvious,
             "answered": ours["packets_in"] / max(1, ours["sent"])},
        ],
        arguments.json,
    )  # fmt: skip


if __name__ == "__main__":
    main()
