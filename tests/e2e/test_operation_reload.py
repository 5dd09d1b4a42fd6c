"""New tokens while calls go on, and the state after a restart."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.kit.browser_peer import BrowserPeer, Tone, ask_over_http
from tests.kit.ears import AMPLITUDE, hears, phone, until
from tests.kit.running_bridge import (
    RunningBridge,
)

pytestmark = pytest.mark.e2e

CALLER, GUEST = 440, 1000


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
            phone(caller.stream_url, CALLER) as call,
            BrowserPeer(ask_over_http(guest.uri, guest.token)) as peer,
        ):
            heard = peer.heard[await peer.join_plain(Tone(GUEST, AMPLITUDE))]
            config_file(file, bridge.application, old, new)
            bridge.send_signal(signal.SIGHUP)
            await until(lambda: logged(bridge, "reloaded", 1))
            for token in (old, new):
                assert (await bridge.call("GET", f"{path}/{conference}", token)).status_code == 200
            config_file(file, bridge.application, new)
            bridge.send_signal(signal.SIGHUP)
            await until(lambda: logged(bridge, "reloaded", 2))
            assert (await bridge.call("GET", f"{path}/{conference}", old)).status_code == 401
            assert (await bridge.call("GET", f"{path}/{conference}", new)).status_code == 200
            file.write_text("this is not TOML")
            bridge.send_signal(signal.SIGHUP)
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
