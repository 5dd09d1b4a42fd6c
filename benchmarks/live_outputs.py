"""CPU time of live outputs, RTMP and HLS: one, ten of the same coding, ten of different ones; and the ticks.

    python benchmarks/live_outputs.py [--calls 20] [--seconds 10] [--json FILE]

A bridge and its encoder process on one core together; the callers (two in each room, one of them sounding),
and nginx, which takes what is pushed and records it, on another. All outputs are of one room. A cost is user
and system time: of the encoder process, and of the bridge, less what it takes without outputs, before and
after (a small difference of large numbers: other work on the machine shows in it).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from forked_streams import callers, late_ticks
from measure import Row, report
from processes import ROOT, SETTLE_S, Bridge, cpu_seconds, running_bridge

sys.path.append(str(ROOT))
from tests.kit.rtmp_server import RtmpServer, rtmp_server  # noqa: E402 - there is one nginx, and it is there

MANY = 10
PICTURE = {"width": 640, "height": 360, "fps": 10, "bitrate": 300_000}
HLS = {"segmentSeconds": 4}
LOW_LATENCY = {"segmentSeconds": 4, "partSeconds": 0.3}

Wish = dict[str, Any]


def same(wish: Wish) -> list[Wish]:
    return [wish] * MANY


VARIANTS: dict[str, list[Wish]] = {
    "RTMP, sound (AAC)": same({"audio": {"codec": "aac"}, "picture": None}),
    "RTMP, sound (MP3)": same({"audio": {"codec": "mp3"}, "picture": None}),
    "RTMP, sound (Opus)": same({"audio": {"codec": "opus"}, "picture": None}),
    "RTMP, 360p, 10 pictures/s": same({"picture": PICTURE}),
    "HLS, sound": same({"picture": None, "hls": HLS}),
    "LL-HLS, sound": same({"picture": None, "hls": LOW_LATENCY}),
    "HLS, 360p, 10 pictures/s": same({"picture": PICTURE, "hls": HLS}),
    "RTMP, 360p, ten bit rates": [
        {"audio": {"bitrate": 48_000 + 4_000 * n}, "picture": {**PICTURE, "bitrate": 200_000 + 50_000 * n}}
        for n in range(MANY)
    ],
}


class Room:
    """One conference with live outputs."""

    def __init__(self, bridge: Bridge, conference: str, server: RtmpServer) -> None:
        self._bridge, self._conference, self._server = bridge, conference, server
        self._made = 0

    def start(self, wish: Wish) -> None:
        self._made += 1
        body = wish if "hls" in wish else {**wish, "url": self._server.url(f"stream{self._made}")}
        self._bridge.call("POST", f"/{self._conference}/streamings", body)

    def wait(self, seconds: float = 20) -> None:
        """Until all are alive."""
        until = time.monotonic() + seconds
        while not all(one["alive"] for one in self._bridge.call("GET", f"/{self._conference}/streamings")):
            if time.monotonic() > until:
                raise RuntimeError("the outputs did not get through")
            time.sleep(0.2)

    def end(self) -> None:
        self._bridge.call("DELETE", f"/{self._conference}/streamings")
        time.sleep(1.0)


@contextmanager
def house(calls: int) -> Iterator[tuple[Bridge, Room]]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with (
            rtmp_server(Path(folder) / "nginx") as server,
            running_bridge(
                MEDIABRIDGE_PLIVO_AUTH_ID="MABENCHMARK000000000",
                MEDIABRIDGE_PLIVO_AUTH_TOKEN="benchmark-token",
                MEDIABRIDGE_EGRESS_ALLOW_PRIVATE="true",
                MEDIABRIDGE_LIMITS_LATE_TICKS_PERCENT="100",
            ) as bridge,
        ):
            first, urls = "", []
            for number in range(calls):
                if number % 2 == 0:
                    conference = bridge.open_conference()
                    first = first or conference
                token = bridge.invite(conference)
                urls.append(
                    f"ws://127.0.0.1:{bridge.port}/{bridge.application}/{conference}/plivo"
                    f"?access_token={token}"
                )
            with callers(urls, 3600):
                time.sleep(SETTLE_S)
                yield bridge, Room(bridge, first, server)


def children(pid: int) -> list[int]:
    """The processes that it began."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def encoder_of(bridge: Bridge) -> int:
    """The room's encoder: the youngest child; the other one writes recordings."""
    return max(children(bridge.pid))


def spent_ms(pids: list[int], seconds: float) -> list[float]:
    """CPU ms per second of each process."""
    began, before = time.monotonic(), [cpu_seconds(pid) for pid in pids]
    time.sleep(seconds)
    took = time.monotonic() - began
    return [1000 * (cpu_seconds(pid) - at_first) / took for pid, at_first in zip(pids, before, strict=True)]


def percent(some: float, of: float) -> float:
    return 100 * some / max(1.0, of)


def measure(arguments: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    with house(arguments.calls) as (bridge, room):
        for name, wishes in VARIANTS.items():
            late_at_first, ticks_at_first = late_ticks(bridge)
            (before,) = spent_ms([bridge.pid], arguments.seconds)
            late_before, ticks_before = late_ticks(bridge)
            room.start(wishes[0])
            room.wait()
            time.sleep(SETTLE_S)
            (one,) = spent_ms([encoder_of(bridge)], arguments.seconds)
            for wish in wishes[1:]:
                room.start(wish)
            room.wait()
            time.sleep(SETTLE_S)
            late_then, ticks_then = late_ticks(bridge)
            in_bridge, many = spent_ms([bridge.pid, encoder_of(bridge)], arguments.seconds)
            late, ticks = late_ticks(bridge)
            room.end()
            (after,) = spent_ms([bridge.pid], arguments.seconds)
            rows.append(
                {
                    "output": name,
                    "one, encoder ms/s": one,
                    f"{MANY}, encoder ms/s": many,
                    "times one": many / one,
                    "each further one ms/s": (many - one) / (MANY - 1),
                    "each in the bridge ms/s": (in_bridge - (before + after) / 2) / MANY,
                    "late ticks without %": percent(
                        late_before - late_at_first, ticks_before - ticks_at_first
                    ),
                    f"beside {MANY} %": percent(late - late_then, ticks - ticks_then),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    report(
        f"CPU of live outputs of one room, ms per second; a late tick began more than 10 ms late "
        f"({arguments.calls} callers)",
        measure(arguments),
        arguments.json,
    )


if __name__ == "__main__":
    main()
