"""What a server writes of a whole session."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.harness.plivo_caller import CallFailed
from tests.kit.app_socket import AppSocket
from tests.kit.browser_peer import BrowserPeer, Tone, ask_over_http
from tests.kit.ears import AMPLITUDE, phone
from tests.kit.running_bridge import (
    RunningBridge,
)

pytestmark = pytest.mark.e2e

CALLER, GUEST = 440, 1000


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
            phone(caller.stream_url, CALLER, headers={"name": "Caller", "code": "unmistakable"}) as call,
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
