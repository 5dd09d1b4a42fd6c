"""A real server in a process of its own, as a user would start it, and a client for its Mind API."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
PLIVO_AUTH_ID = "MATESTAUTHID12345678"
PLIVO_AUTH_TOKEN = "plivo-auth-token-for-tests"


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stream_url(conference_uri: str, token: str) -> str:
    return f"{conference_uri.replace('http', 'ws', 1)}/plivo?access_token={token}"


@dataclass
class Invited:
    """A participant as its creator sees it."""

    id: str
    token: str
    conference: str
    base: str
    application: str

    @property
    def uri(self) -> str:
        """The conference's URI, as clients are given it."""
        return f"{self.base}/{self.application}/{self.conference}"

    @property
    def stream_url(self) -> str:
        """Where a phone's stream becomes this participant."""
        return _stream_url(self.uri, self.token)


@dataclass
class RunningBridge:
    """`async with RunningBridge(tmp_path) as bridge`: up and ready inside, ended by SIGTERM outside."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    application: str = field(default_factory=lambda: str(uuid.uuid4()))
    token: str = field(default_factory=lambda: uuid.uuid4().hex * 2)
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_base(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """Everything the server wrote so far."""
        return (self.folder / "server.log").read_text(errors="replace")

    async def __aenter__(self) -> RunningBridge:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start it and wait until it takes work."""
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "MEDIABRIDGE_APPLICATION_ID": self.application,
            "MEDIABRIDGE_APPLICATION_TOKEN": self.token,
            "MEDIABRIDGE_PLIVO_AUTH_ID": PLIVO_AUTH_ID,
            "MEDIABRIDGE_PLIVO_AUTH_TOKEN": PLIVO_AUTH_TOKEN,
            "MEDIABRIDGE_PUBLIC_BASE_URL": self.base,
            "MEDIABRIDGE_WEBRTC_LOOPBACK_CANDIDATE": "true",
            "MEDIABRIDGE_DRAIN_SECONDS": "1",
            # What else this machine does must not keep a test's calls out.
            "MEDIABRIDGE_LIMITS_LATE_TICKS_PERCENT": "100",
            **self.environment,
        }
        with (self.folder / "server.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bridge", "serve",
                "--port", str(self.port), "--data", str(self.folder / "data"), *self.arguments,
                stdout=log, stderr=log, env=environment, cwd=ROOT,
            )  # fmt: skip
        async with asyncio.timeout(30), httpx.AsyncClient(base_url=self.base) as http:
            while True:
                if self.process.returncode is not None:
                    raise RuntimeError(f"the server ended at once:\n{self.log}")
                try:
                    if (await http.get("/readyz")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)  # nothing tells another process's readiness but asking

    async def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process is None or self.process.returncode is not None:
            return self.process.returncode or 0 if self.process else 0
        self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(20):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise RuntimeError(f"the server did not end on SIGTERM:\n{self.log[-4000:]}") from None

    async def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it, and go on."""
        assert self.process is not None
        self.process.send_signal(number)

    async def exit_code(self, within_s: float = 15.0) -> int:
        """Once it has ended by itself."""
        assert self.process is not None
        async with asyncio.timeout(within_s):
            return await self.process.wait()

    def stream_url(self, conference: str) -> str:
        """Where a phone's stream becomes a participant that is made for it."""
        return _stream_url(f"{self.base}/{self.application}/{conference}", self.token)

    async def metric(self, name: str, labels: str = "") -> float:
        """One sample of its metrics; `labels` with their braces."""
        written = (await self.call("GET", "/metrics")).text
        found = re.search(rf"^mediabridge_{name}{re.escape(labels)} (\S+)$", written, re.MULTILINE)
        assert found is not None, f"no {name}{labels} in the metrics"
        return float(found[1])

    async def call(
        self, method: str, path: str, token: str | None = None, **arguments: Any
    ) -> httpx.Response:
        """One request, as the application unless a participant's token is given."""
        async with httpx.AsyncClient(base_url=self.base, timeout=10) as http:
            return await http.request(
                method, path, headers={"Authorization": f"Bearer {token or self.token}"}, **arguments
            )

    async def open_conference(self, name: str = "") -> str:
        """A new conference's id."""
        response = await self.call("POST", f"/{self.application}", json={"name": name})
        response.raise_for_status()
        return str(response.json()["id"])

    async def invite(self, conference: str, name: str = "", role: str = "speaker") -> Invited:
        """A new participant of it."""
        response = await self.call(
            "POST", f"/{self.application}/{conference}/participants", json={"name": name, "role": role}
        )
        response.raise_for_status()
        made = response.json()
        return Invited(made["id"], made["token"], conference, self.base, self.application)

    async def participants(self, conference: str) -> dict[str, dict[str, Any]]:
        """All participants by id."""
        response = await self.call("GET", f"/{self.application}/{conference}/participants")
        response.raise_for_status()
        return {participant["id"]: participant for participant in response.json()}
