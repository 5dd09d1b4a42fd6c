"""What `make run` starts: the server, a conference, a caller who talks, and a link to join them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from bridge.applications import HASH_PREFIX, find_or_make_application
from bridge.config.tree import Config
from bridge.errors import BridgeError, ConfigError
from bridge.secret import Secret

log = logging.getLogger(__name__)

CONFERENCE_FILE = "demo.json"
START_TIMEOUT_S = 30.0
REDIAL_S = 2.0


def settings_for_demo(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, with what suits a try on one machine where nothing else is said."""
    return {
        "MEDIABRIDGE_WEBRTC_LOOPBACK_CANDIDATE": "true",
        "MEDIABRIDGE_DRAIN_SECONDS": "0",
        "MEDIABRIDGE_EGRESS_ALLOW_PRIVATE": "true",
        "MEDIABRIDGE_LOG_LEVEL": "warning",
        **environment,
    }


async def run_demo(config: Config, serve: Callable[[Config], Awaitable[int]]) -> int:
    """Run `serve(config)` and everything around it until it ends; gives its exit code.

    Raises ConfigError for what a demo cannot do, BridgeError when the server does not take it up.
    """
    if config.tls_certificate is not None or config.port == 0:
        raise ConfigError("the demo runs on a port of its own and without TLS")
    application, token = _application(config)
    server = asyncio.ensure_future(serve(config))
    guests = asyncio.create_task(_guests(config, application, token))
    try:
        await asyncio.wait((server, guests), return_when=asyncio.FIRST_COMPLETED)
        if guests.done():
            guests.result()  # it never ends but by an error
        return await server
    finally:
        for task in (guests, server):
            task.cancel()
        await asyncio.gather(guests, server, return_exceptions=True)


def _application(config: Config) -> tuple[str, Secret]:
    for application in config.applications:
        for token in application.tokens:
            if not token.reveal().startswith(HASH_PREFIX):
                return application.id, token
    if config.applications:
        raise ConfigError("the demo needs an application token in plain text, not its hash")
    made = find_or_make_application(config.data_dir)
    return made.id, made.token


async def _guests(config: Config, application: str, token: Secret) -> None:
    """Prepare the conference, tell how to join it, and keep a caller in it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.host, config.host)
    origin = f"http://[{host}]:{config.port}" if ":" in host else f"http://{host}:{config.port}"
    headers = {"Authorization": f"Bearer {token.reveal()}"}
    async with httpx.AsyncClient(base_url=origin, headers=headers, timeout=10, trust_env=False) as http:
        await _ready(http)
        try:
            conference = await _conference(http, application, config.data_dir)
            caller = await _participant(http, conference, "Sample caller", "speaker")
            guest = await _participant(http, conference, "You", "moderator")
        except (httpx.HTTPError, KeyError, ValueError) as wrong:
            raise BridgeError(f"the demo conference could not be made: {wrong}") from None
    print(f"Join here: {origin}/join#{conference}/{guest}", flush=True)
    await _call(f"ws{origin.removeprefix('http')}{conference}/plivo?access_token={caller}")


async def _ready(http: httpx.AsyncClient) -> None:
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while not await _answers(http):  # noqa: ASYNC110 - nothing tells but asking
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise BridgeError(f"the server was not ready within {START_TIMEOUT_S:g} s") from None


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def _conference(http: httpx.AsyncClient, application: str, data_dir: Path) -> str:
    """The path of the last demo's conference, emptied, or of a new one."""
    file = data_dir / CONFERENCE_FILE
    try:
        kept = str(json.loads(file.read_text())["conference"])
    except (OSError, ValueError, KeyError, TypeError):
        kept = ""
    if kept.startswith(f"/{application}/") and (await http.get(kept)).status_code == 200:
        (await http.delete(f"{kept}/participants")).raise_for_status()
        return kept
    made = await _post(http, f"/{application}", {"name": "Demo"})
    path = f"/{application}/{made['id']}"
    file.parent.mkdir(parents=True, exist_ok=True)  # the state itself may be kept elsewhere
    file.write_text(json.dumps({"conference": path}))
    return path


async def _participant(http: httpx.AsyncClient, conference: str, name: str, role: str) -> str:
    made = await _post(http, f"{conference}/participants", {"name": name, "role": role})
    return str(made["token"])


async def _post(http: httpx.AsyncClient, path: str, body: dict[str, str]) -> dict[str, Any]:
    response = await http.post(path, json=body)
    if response.is_error:
        raise ValueError(f"{path.split('?')[0]} answered {response.status_code}")
    found = response.json()
    if not isinstance(found, dict):
        raise ValueError(f"{path} answered with something else")
    return found


async def _call(url: str) -> None:
    """A phone call that never ends: dialled again whenever it does."""
    from bridge.harness.call_command import run_call

    def complain(text: str) -> None:
        # Logged only: that the call ends with the server is nobody's mistake, and it is dialled again anyway.
        log.info("x the sample call: %s", text)

    while True:
        code = await run_call(url, loop=True, progress=False, complain=complain)
        log.info("- the sample call ended (%d), dialling again", code)
        await asyncio.sleep(REDIAL_S)
