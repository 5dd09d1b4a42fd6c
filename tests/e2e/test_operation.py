"""Signals, draining, new tokens, state, logs and the command line, as an operator meets them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from bridge.harness.plivo_caller import CallFailed, PlivoCaller
from tests.kit.app_socket import AppSocket
from tests.kit.browser_peer import BrowserPeer, Tone, ask_over_http
from tests.kit.ears import AMPLITUDE, Sound, hears, listen, phone, until
from tests.kit.running_bridge import (
    PLIVO_AUTH_ID,
    PLIVO_AUTH_TOKEN,
    ROOT,
    Invited,
    RunningBridge,
    free_port,
)

pytestmark = pytest.mark.e2e

CALLER, GUEST = 440, 1000
FILE_AMPLITUDE = 8192
"""Of the tone in `samples/`, which has the caller's frequency."""


def stream_url(bridge: RunningBridge, person: Invited) -> str:
    return f"{bridge.ws_base}/{person.application}/{person.conference}/plivo?access_token={person.token}"


async def ended(caller: PlivoCaller, within_s: float = 10.0) -> int:
    async with asyncio.timeout(within_s):
        return (await caller.ended()).code


def signal_to(bridge: RunningBridge, number: signal.Signals) -> None:
    assert bridge.process is not None
    bridge.process.send_signal(number)


async def exit_code(bridge: RunningBridge, within_s: float = 15.0) -> int:
    assert bridge.process is not None
    async with asyncio.timeout(within_s):
        return await bridge.process.wait()


async def test_sigterm_drains_and_then_lets_everybody_come_back(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path, {"MEDIABRIDGE_DRAIN_SECONDS": "5"}) as bridge:
        conference = await bridge.open_conference()
        caller, guest = await bridge.invite(conference, "Caller"), await bridge.invite(conference, "Guest")
        late = await bridge.invite(conference, "Late")
        async with (
            phone(stream_url(bridge, caller), CALLER) as call,
            BrowserPeer(ask_over_http(guest.uri, guest.token)) as peer,
            AppSocket(bridge, conference) as app,
        ):
            (mid,) = await peer.join_as_sdk(publish=Tone(GUEST, AMPLITUDE), subscribe=["conference"])
            await hears(peer.heard[mid], CALLER)
            began = asyncio.get_running_loop().time()
            signal_to(bridge, signal.SIGTERM)
            await until(lambda: answers(bridge, "/readyz", 503), 1.0)
            assert await answers(bridge, "/healthz", 200)
            made = await bridge.call("POST", f"/{bridge.application}", json={})
            assert made.status_code == 503 and int(made.headers["Retry-After"]) > 0
            statuses: list[int] = []
            async with BrowserPeer(ask_over_http(late.uri, late.token, statuses)) as refused:
                with pytest.raises(httpx.HTTPStatusError):
                    await refused.join_plain(Tone(700))
            assert statuses == [503]
            with pytest.raises(CallFailed) as failed:
                await phone(stream_url(bridge, late), 700).dial()
            assert failed.value.status == 503
            # Who is here goes on, also with a new offer of the same session.
            second = await peer.subscribe(f"{caller.id}#primary")
            await hears(peer.heard[second], CALLER)
            await hears(call, GUEST)
            assert call.end is None and app.closed_with is None
            assert await ended(call) == 1012
            assert 4.0 < asyncio.get_running_loop().time() - began < 8.0
            await peer.channel_closed()
            assert not {"4000", "4001"} & set(peer.texts)
            assert await app.closed() == 1012
        assert await exit_code(bridge) == 0
        assert "Traceback" not in bridge.log


async def answers(bridge: RunningBridge, path: str, status: int) -> bool:
    return (await bridge.call("GET", path)).status_code == status


async def test_a_second_sigterm_ends_at_once(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path, {"MEDIABRIDGE_DRAIN_SECONDS": "600"}) as bridge:
        conference = await bridge.open_conference()
        caller = await bridge.invite(conference)
        async with phone(stream_url(bridge, caller), CALLER) as call:
            await until(lambda: bool(call.figures.played))
            signal_to(bridge, signal.SIGTERM)
            await asyncio.sleep(0.5)
            assert call.end is None
            signal_to(bridge, signal.SIGTERM)
            assert await ended(call, 3.0) == 1012
        assert await exit_code(bridge, 5.0) == 0


async def test_without_calls_sigterm_does_not_wait(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path, {"MEDIABRIDGE_DRAIN_SECONDS": "600"}) as bridge:
        await bridge.open_conference()
        signal_to(bridge, signal.SIGTERM)
        assert await exit_code(bridge, 5.0) == 0


@asynccontextmanager
async def starved(bridge: RunningBridge) -> AsyncIterator[None]:
    """While inside, the server gets the processor for 15 of every 75 ms, as on an overworked machine."""
    fed = threading.Event()

    def starve() -> None:
        while not fed.wait(0.015):
            signal_to(bridge, signal.SIGSTOP)
            time.sleep(0.06)
            signal_to(bridge, signal.SIGCONT)

    # In a thread: what the test itself does must not give the server a rest.
    starving = asyncio.create_task(asyncio.to_thread(starve))
    try:
        yield
    finally:
        fed.set()
        await starving


async def test_while_ticks_run_late_new_media_is_refused_and_what_is_there_goes_on(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path, {"MEDIABRIDGE_LIMITS_LATE_TICKS_PERCENT": "60"}) as bridge:
        conference = await bridge.open_conference()
        caller, guest = await bridge.invite(conference, "Caller"), await bridge.invite(conference, "Guest")
        late = await bridge.invite(conference, "Late")
        async with (
            phone(stream_url(bridge, caller), CALLER) as call,
            BrowserPeer(ask_over_http(guest.uri, guest.token)) as peer,
        ):
            mid = await peer.join_plain(Tone(GUEST, AMPLITUDE))
            await hears(peer.heard[mid], CALLER)
            async with starved(bridge):
                await until(lambda: overloaded(bridge, True), 20)
                statuses: list[int] = []
                async with BrowserPeer(ask_over_http(late.uri, late.token, statuses)) as refused:
                    with pytest.raises(httpx.HTTPStatusError) as answer:
                        await refused.join_plain(Tone(700))
                assert statuses == [503] and int(answer.value.response.headers["Retry-After"]) > 0
                async with phone(stream_url(bridge, late), 700) as second:
                    assert await ended(second) == 1013
                # What carries no media is served, and a client that is in may set up its leg anew.
                assert (await bridge.call("GET", f"/{bridge.application}/{conference}")).status_code == 200
                assert call.end is None
            await until(lambda: overloaded(bridge, False), 20)
            await hears(call, GUEST)
            await hears(peer.heard[mid], CALLER)
            async with phone(stream_url(bridge, late), 700) as second:
                await hears(second, GUEST)
        assert "Traceback" not in bridge.log


async def overloaded(bridge: RunningBridge, expected: bool) -> bool:
    metrics = (await bridge.call("GET", "/metrics")).text
    return f"\nmediabridge_overloaded {expected:d}.0" in metrics


async def test_a_browser_alone_in_a_conference_sees_its_own_level(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path) as bridge:
        conference = await bridge.open_conference()
        guest = await bridge.invite(conference, "Guest")
        async with BrowserPeer(ask_over_http(guest.uri, guest.token)) as peer:
            await peer.join_plain(Tone(GUEST, AMPLITUDE))
            live = f"{bridge.ws_base}/live/{bridge.application}/{conference}?access_token="
            expected = 20 * np.log10(AMPLITUDE / 32_768 / np.sqrt(2))
            for token in (guest.token, bridge.token):
                async with asyncio.timeout(15), connect(live + token, proxy=None) as socket:
                    async for message in socket:
                        seen = json.loads(message)
                        if seen["type"] == "levels" and seen["participants"].get(guest.id, {}).get("talking"):
                            assert abs(seen["participants"][guest.id]["level"] - expected) < 4
                            break


async def test_a_service_that_is_alone_does_not_hold_up_the_end(tmp_path: Path) -> None:
    told = asyncio.Event()

    async def listen_only(socket: ServerConnection) -> None:
        async for _ in socket:
            told.set()

    allowed = {"MEDIABRIDGE_DRAIN_SECONDS": "600", "MEDIABRIDGE_EGRESS_ALLOW_PRIVATE": "true"}
    async with serve(listen_only, "127.0.0.1", 0) as service, RunningBridge(tmp_path, allowed) as bridge:
        conference = await bridge.open_conference()
        port = next(iter(service.sockets)).getsockname()[1]
        async with httpx.AsyncClient(auth=(PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN)) as http:
            streams = f"{bridge.base}/v1/Account/{PLIVO_AUTH_ID}/Call/{conference}/Stream/"
            begun = await http.post(streams, json={"service_url": f"ws://127.0.0.1:{port}"})
        assert begun.status_code == 202
        await asyncio.wait_for(told.wait(), 10)
        signal_to(bridge, signal.SIGTERM)
        assert await exit_code(bridge, 8.0) == 0


def config_file(path: Path, application: str, *tokens: str) -> None:
    listed = ", ".join(f'"{token}"' for token in tokens)
    path.write_text(f'[[application]]\nid = "{application}"\ntokens = [{listed}]\n')


async def test_sighup_exchanges_tokens_and_drops_no_call_and_a_restart_keeps_the_state(
    tmp_path: Path,
) -> None:
    file = tmp_path / "bridge.toml"
    none = {"MEDIABRIDGE_APPLICATION_ID": "", "MEDIABRIDGE_APPLICATION_TOKEN": ""}
    bridge = RunningBridge(tmp_path, none, ["--config", str(file)])
    old, new = bridge.token, "new-" + bridge.token
    config_file(file, bridge.application, old)
    async with bridge:
        path = f"/{bridge.application}"
        conference = await bridge.open_conference("Kept")
        caller, guest = await bridge.invite(conference, "Caller"), await bridge.invite(conference, "Guest")
        async with (
            phone(stream_url(bridge, caller), CALLER) as call,
            BrowserPeer(ask_over_http(guest.uri, guest.token)) as peer,
        ):
            heard = peer.heard[await peer.join_plain(Tone(GUEST, AMPLITUDE))]
            config_file(file, bridge.application, old, new)
            signal_to(bridge, signal.SIGHUP)
            await until(lambda: logged(bridge, "reloaded", 1))
            for token in (old, new):
                assert (await bridge.call("GET", f"{path}/{conference}", token)).status_code == 200
            config_file(file, bridge.application, new)
            signal_to(bridge, signal.SIGHUP)
            await until(lambda: logged(bridge, "reloaded", 2))
            assert (await bridge.call("GET", f"{path}/{conference}", old)).status_code == 401
            assert (await bridge.call("GET", f"{path}/{conference}", new)).status_code == 200
            file.write_text("this is not TOML")
            signal_to(bridge, signal.SIGHUP)
            await until(lambda: logged(bridge, "not reloaded", 1))
            assert (await bridge.call("GET", f"{path}/{conference}", new)).status_code == 200
            await hears(heard, CALLER)
            await hears(call, GUEST)
        config_file(file, bridge.application, new)
        assert await bridge.stop() == 0
        await bridge.start()
        bridge.token = new
        people = await bridge.participants(conference)
        assert {(one["name"], one["online"]) for one in people.values()} == {
            ("Caller", False),
            ("Guest", False),
        }
        mine = await bridge.call("GET", f"{path}/{conference}", guest.token)
        assert mine.json()["name"] == "Kept"
        database = b"".join(one.read_bytes() for one in (tmp_path / "data").iterdir() if one.is_file())
        assert guest.token.encode() not in database and conference.encode() in database


def logged(bridge: RunningBridge, text: str, times: int) -> bool:
    return len(re.findall(rf"- {text}|x {text}", bridge.log)) == times


@pytest.mark.parametrize("level", ["debug", "trace"])
async def test_logs_of_a_whole_session_hold_no_token_no_query_and_no_digit(
    tmp_path: Path, level: str
) -> None:
    digits = "7291836450"
    async with RunningBridge(tmp_path, arguments=["--log-level", level]) as bridge:
        conference = await bridge.open_conference("Secret matters")
        caller, guest = await bridge.invite(conference, "Caller"), await bridge.invite(conference, "Guest")
        async with (
            AppSocket(bridge, conference) as app,
            phone(
                stream_url(bridge, caller), CALLER, headers={"name": "Caller", "code": "unmistakable"}
            ) as call,
            BrowserPeer(ask_over_http(guest.uri, guest.token)) as peer,
        ):
            await peer.join_as_sdk(publish=Tone(GUEST, AMPLITUDE), subscribe=["conference"])
            await call.press(digits)
            await app.wait(lambda one: one.get("resource") == {"digit": digits[-1]})
            path = f"/{bridge.application}/{conference}"
            await bridge.call(
                "POST", f"{path}/messages", guest.token, json={"sendTo": conference, "text": "psst"}
            )
            for wrong in (
                f"{path}?access_token=wrong-{guest.token}",
                f"{path}/participants?x={caller.token}",
            ):
                await bridge.call("GET", wrong, "wrong-token-of-somebody")
            with pytest.raises(CallFailed):
                await phone(
                    f"{bridge.ws_base}{path}/plivo?access_token=wrong-{caller.token}&more=1", 1
                ).dial()
            await call.send('{"event":"dtmf","dtmf":{"digit":"nonsense-digit"}}')
            await bridge.call("GET", f"{path}/recording?access_token={guest.token}")
        assert await bridge.stop() == 0
        log = bridge.log
    assert f"room={conference}" in log and f"participant={caller.id}" in log, log
    secrets = (
        bridge.token,
        caller.token,
        guest.token,
        "access_token=wrong",
        "wrong-token-of",
        "nonsense-digit",
    )
    assert [secret for secret in secrets if secret in log] == []
    assert "more=1" not in log
    # Keys one by one: a line that speaks of a key must not say which.
    told = [line for line in log.splitlines() if re.search(r"digit|dtmf", line, re.IGNORECASE)]
    assert [line for line in told if re.search(r"digit\W{1,6}[0-9]", line)] == []
    assert "Traceback" not in log


# --- the command line ---


@asynccontextmanager
async def command(*arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`mediabridge …` as a process; ended at the latest when the block is left."""
    inherited = {name: one for name, one in os.environ.items() if not name.startswith("MEDIABRIDGE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=ROOT,
        env=inherited | environment,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_call_streams_a_file_and_records_the_other_side(tmp_path: Path) -> None:
    record = tmp_path / "heard.wav"
    async with RunningBridge(tmp_path) as bridge:
        conference = await bridge.open_conference()
        caller, other = await bridge.invite(conference), await bridge.invite(conference)
        async with phone(stream_url(bridge, other), GUEST) as call:
            async with command(
                "call", stream_url(bridge, caller), "--wav", "samples/tone_440_16k.wav",
                "--codec", "mulaw-8k", "--record", str(record), "--loop", "--seconds", "4",
            ) as process:  # fmt: skip
                await until(lambda: online(bridge, caller))
                await until(lambda: hears_the_file(call))
                async with asyncio.timeout(20):
                    said = await process.communicate()
            assert process.returncode == 0, said
            assert caller.token not in (said[0] + said[1]).decode()
            heard, rate_hz = soundfile.read(record, dtype="int16")
            assert rate_hz == 8_000 and 3.5 < len(heard) / rate_hz < 5.0
            assert Sound.of(heard[rate_hz:], rate_hz).missing([GUEST], [CALLER]) == {}


async def hears_the_file(ear: PlivoCaller) -> bool:
    return abs((await listen(ear, 0.8, 0.2)).level_db(CALLER, against=FILE_AMPLITUDE)) < 1.5


async def online(bridge: RunningBridge, person: Invited) -> bool:
    return bool((await bridge.participants(person.conference))[person.id]["online"])


async def test_call_tells_why_it_failed(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path) as bridge:
        conference = await bridge.open_conference()
        url = f"{bridge.ws_base}/{bridge.application}/{conference}/plivo?access_token=none-of-mine"
        async with command("call", url, "--wav", "samples/tone_440_16k.wav") as process:
            _, said = await process.communicate()
    assert process.returncode == 1
    assert b"401" in said and b"none-of-mine" not in said and b"Traceback" not in said


async def test_demo_prints_the_link_keeps_a_caller_in_and_ends_with_0(tmp_path: Path) -> None:
    port = free_port()
    async with command("demo", "--port", str(port), "--data", str(tmp_path / "data")) as process:
        assert process.stdout is not None
        link = ""
        async with asyncio.timeout(30):
            while not link:
                line = (await process.stdout.readline()).decode()
                assert line, "the demo ended"
                found = re.fullmatch(
                    rf"Join here: (http://127\.0\.0\.1:{port})/join#/(\S+)/(\S+)/(\S+)\n", line
                )
                link = found[0] if found else ""
        assert found is not None
        base, application, conference, token = found.groups()
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http:

            async def caller_talks() -> bool:
                people = (await http.get(f"{base}/{application}/{conference}/participants")).json()
                return any(one["name"] == "Sample caller" and one["media"]["audio"] for one in people)

            await until(caller_talks)
        async with BrowserPeer(ask_over_http(f"{base}/{application}/{conference}", token)) as peer:
            heard = peer.heard[await peer.join_plain(direction="recvonly")]
            sound = await heard.next(2.0, skip=0.5)
            assert abs(sound).max() > 500
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(15):
            _, said = await process.communicate()
        assert process.returncode == 0, said
        assert b"Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "COMMAND"),
        (["serv"], "serv"),
        (["serve", "--prot", "1"], "--prot"),
        (["serve", "--port", "99999"], "port"),
        (["serve", "--config", "/nowhere/x.toml"], "/nowhere/x.toml"),
        (["serve", "--log-level", "loud"], "log"),
        (["call"], "URL"),
        (["call", "http://127.0.0.1/x", "--wav", "samples/tone_440_16k.wav"], "ws://"),
        (["call", "ws://127.0.0.1:1/x", "--wav", "/nowhere.wav"], "/nowhere.wav"),
        (["call", "ws://127.0.0.1:1/x", "--wav", "samples/tone_440_16k.wav", "--codec", "g729"], "g729"),
        (["call", "ws://127.0.0.1:1/x", "--wav", "samples/tone_440_16k.wav", "--seconds", "-1"], "-1"),
    ],
    ids=lambda one: " ".join(one[:3]) if isinstance(one, list) else "",
)
async def test_wrong_arguments_are_one_line_and_code_2(arguments: list[str], complaint: str) -> None:
    async with command(*arguments) as process, asyncio.timeout(15):
        said = (await process.communicate())[1].decode()
    assert process.returncode == 2
    assert complaint in said and said.count("\n") == 1, said


async def test_an_unknown_setting_is_refused_with_the_nearest_known_name() -> None:
    async with command("serve", MEDIABRIDGE_DRAIN_SECOND="1") as process, asyncio.timeout(15):
        said = (await process.communicate())[1].decode()
    assert process.returncode == 2
    assert "MEDIABRIDGE_DRAIN_SECONDS" in said
