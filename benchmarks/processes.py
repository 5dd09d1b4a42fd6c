"""Starting the measured servers in processes of their own, and reading what they cost."""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SETTLE_S = 4.0
"""From the moment everybody is there until the cost is read."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pinned(cpu: int) -> list[str]:
    """Words before a command that keep it on one core; none where there is only one."""
    return ["taskset", "-c", str(cpu)] if (os.cpu_count() or 1) > cpu else []


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def wait_for_port(port: int, process: subprocess.Popen[Any], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port}")


def cost_of_crowd(
    script: str, clients: list[str], pid: int, arguments: argparse.Namespace
) -> tuple[float, dict[str, float]]:
    """CPU ms of `pid` per client-second while `clients` (lines for `script`) are there, and their figures."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(clients))
        listed.flush()
        crowd = subprocess.Popen(
            [*pinned(1), sys.executable, str(ROOT / "benchmarks" / script), listed.name,
             "--room", str(arguments.room), "--sounding", str(arguments.sounding),
             "--seconds", str(arguments.seconds + SETTLE_S + 1)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert crowd.stdout is not None
        if crowd.stdout.readline().strip() != "ready":
            raise RuntimeError("the clients did not get in")
        time.sleep(SETTLE_S)
        began, spent = time.monotonic(), cpu_seconds(pid)
        time.sleep(arguments.seconds)
        spent, took = cpu_seconds(pid) - spent, time.monotonic() - began
        figures = json.loads(crowd.stdout.read())
        crowd.wait()
    return 1000 * spent / took / len(clients), figures


class Bridge:
    """A running bridge and the calls of its Mind API that a benchmark needs."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], application: str, token: str) -> None:
        self.port = port
        self.pid = process.pid
        self.application = application
        self._token = token

    def call(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{self.application}{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            text = response.read()
        return json.loads(text) if text else None

    def open_conference(self) -> str:
        return str(self.call("POST", "", {})["id"])

    def invite(self, conference: str) -> str:
        """A new speaker's token."""
        return str(self.call("POST", f"/{conference}/participants", {})["token"])

    def figures(self) -> dict[str, float]:
        """The metrics page as numbers, labels in the name."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as response:
            lines = response.read().decode().splitlines()
        return {
            name: float(value)
            for line in lines
            if line and not line.startswith("#")
            for name, _, value in [line.rpartition(" ")]
        }


@contextmanager
def running_bridge(cpu: int = 0, **environment: str) -> Iterator[Bridge]:
    """A bridge on loopback, pinned to one core, with a database of its own."""
    port, application, token = free_port(), str(uuid.uuid4()), uuid.uuid4().hex * 2
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [*pinned(cpu), sys.executable, "-m", "bridge", "serve",
             "--port", str(port), "--data", folder, "--log-level", "warning"],
            cwd=ROOT,
            env={
                **os.environ,
                "MEDIABRIDGE_APPLICATION_ID": application,
                "MEDIABRIDGE_APPLICATION_TOKEN": token,
                "MEDIABRIDGE_WEBRTC_LOOPBACK_CANDIDATE": "true",
                "MEDIABRIDGE_DRAIN_SECONDS": "0",
                **environment,
            },
        )  # fmt: skip
        try:
            wait_for_port(port, process)
            yield Bridge(port, process, application, token)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
