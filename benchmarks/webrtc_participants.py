"""CPU time per WebRTC participant, beside the obvious aiortc mixer under the same load.

    python benchmarks/webrtc_participants.py [--people 50] [--room 25] [--sounding 7] [--json FILE]

Everybody sends 50 packets a second, the silent ones coded silence. Server on one core, participants on
another; user and system time of the server's process. The obvious mixer runs with as many people as it can
carry (`--obvious-people`).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from measure import report
from processes import ROOT, cost_of_crowd, free_port, pinned, running_bridge, wait_for_port

HERE = Path(__file__).resolve().parent


def measure_bridge(arguments: argparse.Namespace) -> tuple[float, dict[str, float]]:
    with running_bridge() as bridge:
        people = []
        for n in range(arguments.people):
            if n % arguments.room == 0:
                conference = bridge.open_conference()
            uri = f"http://127.0.0.1:{bridge.port}/{bridge.application}/{conference}"
            people.append(f"{uri} {bridge.invite(conference)}")
        return cost_of_crowd("webrtc_load.py", people, bridge.pid, arguments)


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
        return cost_of_crowd("webrtc_load.py", people, server.pid, arguments)
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
