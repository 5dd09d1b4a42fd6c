"""The demo: prepares a conference through the API, tells how to join, keeps a caller in it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bridge import demo
from bridge.applications import find_or_make_application
from bridge.config.tree import ApplicationConfig, Config
from bridge.errors import BridgeError, ConfigError
from bridge.runtime.server import ServerSettings, open_listeners, serve
from bridge.runtime.stop_signals import StopSignals
from bridge.secret import Secret
from tests.kit.bare_server import Life
from tests.kit.running_bridge import free_port

pytestmark = pytest.mark.e2e

ONE = "00e1db72-c57d-478c-88be-3533d43c8b34"


class Api:
    """Answers as the Mind API does, and remembers what it was asked. Runs until `stop`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.tokens: set[str] = set()
        self.conferences: set[str] = set()
        self.ready_after = 2
        self.refuses = False
        self.life = Life(None, stuck=False)
        self.signals: StopSignals | None = None

    async def serve(self, config: Config) -> int:
        settings = ServerSettings(host=config.host, port=config.port)
        self.signals = StopSignals(self.life.reload)
        await serve(self.app, settings, open_listeners(settings), self.life, signals=self.signals)
        return 7

    def stop(self) -> None:
        assert self.signals is not None
        self.signals.stop()

    async def app(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        body = (await receive()).get("body", b"")
        status, answer = self.answer(scope["method"], scope["path"], json.loads(body) if body else None)
        self.tokens.add(dict(scope["headers"]).get(b"authorization", b"").decode())
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if path == "/readyz":
            self.ready_after -= 1
            return (200 if self.ready_after < 0 else 503), {}
        self.asked.append((method, path, body))
        if self.refuses:
            return 403, {}
        if method == "GET":
            return (200 if path in self.conferences else 404), {}
        if path.endswith("/participants"):
            return 200, {"id": "p", "token": f"token-of-{body['name']}".replace(" ", "-") if body else ""}
        self.conferences.add(f"{path}/c-{len(self.conferences)}")
        return 200, {"id": f"c-{len(self.conferences) - 1}"}


class Caller:
    """In place of a simulated call: rings once, then stays."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.dialled_again = asyncio.Event()

    async def run_call(self, url: str, **options: Any) -> int:
        self.urls.append(url)
        assert options["loop"]
        if len(self.urls) == 1:
            return 1
        self.dialled_again.set()
        await asyncio.Event().wait()
        return 0


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch) -> Caller:
    made = Caller()
    module = ModuleType("bridge.harness.call_command")
    module.run_call = made.run_call  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bridge.harness.call_command", module)
    monkeypatch.setattr(demo, "REDIAL_S", 0.01)
    return made


async def run_until_called_again(config: Config, api: Api, caller: Caller) -> int:
    running = asyncio.create_task(demo.run_demo(config, api.serve))
    async with asyncio.timeout(10):
        ringing = asyncio.create_task(caller.dialled_again.wait())
        await asyncio.wait((running, ringing), return_when=asyncio.FIRST_COMPLETED)
        ringing.cancel()
        if not running.done():
            api.stop()
        return await running


async def test_the_demo_tells_one_link_and_keeps_its_caller_calling(
    tmp_path: Path, caller: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    config, api = Config(port=free_port(), data_dir=tmp_path), Api()
    assert await run_until_called_again(config, api, caller) == 7
    application = find_or_make_application(tmp_path)
    conference = f"/{application.id}/c-0"
    link = f"http://127.0.0.1:{config.port}/join#{conference}/token-of-You"
    assert capsys.readouterr().out.splitlines().count(f"Join here: {link}") == 1
    assert (
        caller.urls
        == [f"ws://127.0.0.1:{config.port}{conference}/plivo?access_token=token-of-Sample-caller"] * 2
    )
    assert api.tokens == {f"Bearer {application.token.reveal()}"}
    assert api.asked == [
        ("POST", f"/{application.id}", {"name": "Demo"}),
        ("POST", f"{conference}/participants", {"name": "Sample caller", "role": "speaker"}),
        ("POST", f"{conference}/participants", {"name": "You", "role": "moderator"}),
    ]


async def test_the_next_demo_takes_the_same_conference_emptied(tmp_path: Path, caller: Caller) -> None:
    config, api = Config(port=free_port(), data_dir=tmp_path), Api()
    await run_until_called_again(config, api, caller)
    [conference] = api.conferences
    api.asked.clear()
    caller.dialled_again.clear()
    await run_until_called_again(config, api, caller)
    assert [asked[:2] for asked in api.asked[:2]] == [
        ("GET", conference),
        ("DELETE", f"{conference}/participants"),
    ]
    assert api.conferences == {conference}


async def test_a_demo_whose_conference_is_gone_makes_another(tmp_path: Path, caller: Caller) -> None:
    config = Config(port=free_port(), data_dir=tmp_path)
    await run_until_called_again(config, Api(), caller)
    api = Api()  # knows nothing
    caller.dialled_again.clear()
    await run_until_called_again(config, api, caller)
    assert [asked[0] for asked in api.asked] == ["GET", "POST", "POST", "POST"]


async def test_a_server_that_refuses_ends_the_demo_with_a_reason(tmp_path: Path, caller: Caller) -> None:
    api = Api()
    api.refuses = True
    with pytest.raises(BridgeError, match="could not be made: .* answered 403"):
        async with asyncio.timeout(10):
            await demo.run_demo(Config(port=free_port(), data_dir=tmp_path), api.serve)


async def test_a_server_that_does_not_start_ends_the_demo(tmp_path: Path, caller: Caller) -> None:
    async def serve_nothing(config: Config) -> int:
        raise ConfigError("the port is in use")

    with pytest.raises(ConfigError, match="in use"):
        async with asyncio.timeout(5):
            await demo.run_demo(Config(port=free_port(), data_dir=tmp_path), serve_nothing)


async def test_a_demo_needs_a_token_it_can_use(tmp_path: Path) -> None:
    hashed = ApplicationConfig(ONE, (Secret("sha256:" + "ab" * 32),))
    with pytest.raises(ConfigError, match="plain text"):
        await demo.run_demo(Config(data_dir=tmp_path, applications=(hashed,)), Api().serve)


def test_a_demo_suits_one_machine_unless_told_otherwise() -> None:
    settings = demo.settings_for_demo({"MEDIABRIDGE_DRAIN_SECONDS": "5", "PATH": "/bin"})
    assert settings["MEDIABRIDGE_EGRESS_ALLOW_PRIVATE"] == "true"
    assert settings["MEDIABRIDGE_WEBRTC_LOOPBACK_CANDIDATE"] == "true"
    assert settings["MEDIABRIDGE_DRAIN_SECONDS"] == "5"
