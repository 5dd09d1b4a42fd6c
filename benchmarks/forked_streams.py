"""CPU time per forked stream of each format, and what 100 streams that start at once do to the ticks.

    python benchmarks/forked_streams.py [--streams 100] [--calls 20] [--seconds 10] [--json FILE]

The bridge on one core; the callers (L16 at 16 kHz, two in each room, one of them sounding) and the service
that takes the streams on another. A stream's cost is the bridge's user and system time with streams, less
that without; the obvious forker is its own process. Every stream takes what one participant says.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measure import Row, report
from processes import ROOT, SETTLE_S, Bridge, cpu_seconds, pinned, running_bridge

HERE = Path(__file__).resolve().parent
AUTH_ID, AUTH_TOKEN = "MABENCHMARK000000000", "benchmark-token"
FORMATS = {
    "L16 16 kHz": ("audio/x-l16;rate=16000", 640),
    "L16 8 kHz": ("audio/x-l16;rate=8000", 320),
    "µ-law 8 kHz": ("audio/x-mulaw;rate=8000", 160),
}


@contextmanager
def sink() -> Iterator[tuple[str, dict[str, float]]]:
    """The service's address; what it counted is in the dictionary afterwards."""
    process = subprocess.Popen(
        [*pinned(1), sys.executable, str(HERE / "stream_sink.py")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    counted: dict[str, float] = {}
    try:
        yield f"ws://127.0.0.1:{process.stdout.readline().strip()}", counted
    finally:
        process.terminate()
        counted.update(json.loads(process.stdout.read() or "{}"))
        process.wait()


@contextmanager
def callers(urls: list[str], seconds: float) -> Iterator[None]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(urls))
        listed.flush()
        crowd = subprocess.Popen(
            [*pinned(1), sys.executable, str(HERE / "call_load.py"), listed.name,
             "--room", "2", "--sounding", "1", "--seconds", str(seconds)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert crowd.stdout is not None
        try:
            if crowd.stdout.readline().strip() != "ready":
                raise RuntimeError("the callers did not get in")
            yield
        finally:
            crowd.kill()
            crowd.wait()


def rest(bridge: Bridge, method: str, path: str, body: object = None) -> Any:
    credentials = base64.b64encode(f"{AUTH_ID}:{AUTH_TOKEN}".encode()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{bridge.port}/v1/Account/{AUTH_ID}/Call/{path}",
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        text = response.read()
    return json.loads(text) if text else None


def spent_ms(bridge: Bridge, seconds: float) -> float:
    """CPU ms of the bridge per second."""
    began, before = time.monotonic(), cpu_seconds(bridge.pid)
    time.sleep(seconds)
    return 1000 * (cpu_seconds(bridge.pid) - before) / (time.monotonic() - began)


def late_ticks(bridge: Bridge) -> tuple[float, float]:
    """Ticks that began more than 10 ms late, and all ticks."""
    figures = bridge.figures()
    name = "mediabridge_tick_lateness_seconds"
    return (
        figures[f"{name}_count"] - figures[f'{name}_bucket{{le="0.01"}}'],
        figures[f"{name}_count"],
    )


def start(bridge: Bridge, people: list[str], url: str, content_type: str, count: int) -> None:
    """All at once, from many connections."""

    def one(number: int) -> None:
        wanted = {"service_url": f"{url}/{number}", "content_type": content_type}
        rest(bridge, "POST", f"{people[number % len(people)]}/Stream/", wanted)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(one, range(count)))


def measure_bridge(arguments: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    with running_bridge(
        MEDIABRIDGE_PLIVO_AUTH_ID=AUTH_ID,
        MEDIABRIDGE_PLIVO_AUTH_TOKEN=AUTH_TOKEN,
        MEDIABRIDGE_EGRESS_ALLOW_PRIVATE="true",
        MEDIABRIDGE_LIMITS_LATE_TICKS_PERCENT="100",
    ) as bridge:
        people, urls = [], []
        for number in range(arguments.calls):
            if number % 2 == 0:
                conference = bridge.open_conference()
            made = bridge.call("POST", f"/{conference}/participants", {})
            people.append(made["id"])
            urls.append(
                f"ws://127.0.0.1:{bridge.port}/{bridge.application}/{conference}/plivo"
                f"?access_token={made['token']}"
            )
        with callers(urls, 3600):
            for name, (content_type, frame_bytes) in FORMATS.items():
                time.sleep(SETTLE_S)
                late_at_first, ticks_at_first = late_ticks(bridge)
                alone = spent_ms(bridge, arguments.seconds)
                late_before, ticks_before = late_ticks(bridge)
                with sink() as (url, counted):
                    start(bridge, people, url, content_type, arguments.streams)
                    time.sleep(SETTLE_S)
                    late, ticks = late_ticks(bridge)
                    ours = (spent_ms(bridge, arguments.seconds) - alone) / arguments.streams
                    for person in people:
                        rest(bridge, "DELETE", f"{person}/Stream/")
                    time.sleep(1.5)
                obvious, _ = measure_obvious(arguments, frame_bytes)
                rows.append(
                    {
                        "stream": name,
                        "ms per stream-second": ours,
                        "the obvious forker's": obvious,
                        "ratio": ours / obvious,
                        "ticks before": ticks_before - ticks_at_first,
                        "of those > 10 ms late": late_before - late_at_first,
                        "ticks while all start": ticks - ticks_before,
                        "of them > 10 ms late": late - late_before,
                        "connections": counted["connections"],
                        "longest pause ms": 1000 * counted["longest_pause_s"],
                    }
                )
    return rows


def measure_obvious(arguments: argparse.Namespace, frame_bytes: int) -> tuple[float, dict[str, float]]:
    with sink() as (url, counted):
        forker = subprocess.Popen(
            [*pinned(0), sys.executable, str(HERE / "obvious_forker.py"), url,
             "--streams", str(arguments.streams), "--frame-bytes", str(frame_bytes)], cwd=ROOT,
        )  # fmt: skip
        try:
            time.sleep(SETTLE_S)
            began, before = time.monotonic(), cpu_seconds(forker.pid)
            time.sleep(arguments.seconds)
            spent = cpu_seconds(forker.pid) - before
            took = time.monotonic() - began
        finally:
            forker.kill()
            forker.wait()
    return 1000 * spent / took / arguments.streams, counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    report(
        f"CPU per forked stream ({arguments.streams} streams on {arguments.calls} calls, started at once)",
        measure_bridge(arguments),
        arguments.json,
    )


if __name__ == "__main__":
    main()
