"""A server that logs all it can, with streams and callbacks full of secrets: none of them is in the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.core.ports import L16_16K
from tests.kit.callback_receiver import CallbackReceiver
from tests.kit.ears import phone, until
from tests.kit.forking import ANNA, all_online, forking_bridge
from tests.kit.plivo_account import PlivoAccount
from tests.kit.running_bridge import free_port
from tests.kit.stream_service import StreamService

pytestmark = pytest.mark.e2e

# Words that look like no secret: nothing but care keeps them out.
URL, NOBODY, CALLBACK, REFUSED, HEADER = "plumtree", "nutmeg", "lighthouse", "hazelnut", "woodpecker"
BODY, WRONG, KEYS, PRESSED = "marmalade", "gooseberry", "4711*0815", "39#39"


async def test_no_secret_of_a_stream_is_in_the_log_at_any_level(tmp_path: Path) -> None:
    async with (
        forking_bridge(
            tmp_path, MEDIABRIDGE_LOG_LEVEL="trace", MEDIABRIDGE_STREAMS_HOLD_SECONDS="2"
        ) as bridge,
        StreamService() as bots,
        CallbackReceiver(failures=2) as receiver,
    ):
        account = PlivoAccount(bridge)
        conference = await bridge.open_conference("Secrets")
        anna = await bridge.invite(conference, "Anna")
        async with phone(anna.stream_url, ANNA, L16_16K) as caller:
            await until(lambda: all_online(bridge, conference, 1))
            told = {"status_callback_url": f"{receiver.url}?k={CALLBACK}", "extra_headers": f"k={HEADER}"}
            one = await account.start(anna.id, f"{bots.url}/?k={URL}", bidirectional=True, **told)
            many = await account.start(
                conference, f"{bots.url}/many?k={URL}", audio_track="participants", redial=True,
                status_callback_method="GET", **told,
            )  # fmt: skip
            await account.start(anna.id, f"ws://127.0.0.1:{free_port()}/?k={NOBODY}", **told)
            socket = await bots.stream(one)
            await socket.press(KEYS)
            await socket.say({"event": BODY, "k": BODY})
            await socket.say(f'{{"event": "playAudio", "media": "{BODY}"}}')
            await socket.mark(BODY)
            await caller.press(PRESSED)
            await socket.event("dtmf", len(PRESSED) - 1)
            await socket.event("playedStream")
            await bots.socket(1)
            part = await next(other for other in bots.sockets if other is not socket).started()
            part.abort()
            await bots.socket(2)
            for refused in (f"ws://10.0.0.1:x/?{REFUSED}", f"ws://169.254.169.254/?{REFUSED}"):
                await account.ask("POST", f"Call/{anna.id}/Stream/", json={"service_url": refused})
            await PlivoAccount(bridge, auth_token=WRONG).ask("GET", f"Call/{anna.id}/Stream/?k={URL}")
            await account.look(conference, many)
            await receiver.event("DroppedStream", timeout=20)
            await receiver.event("DegradedStream", timeout=20)
            await account.end(anna.id)
            await receiver.event("StopStream")
    log = bridge.log
    assert "stream" in log and log.count("\n") > 100
    for secret in (URL, NOBODY, CALLBACK, REFUSED, HEADER, BODY, WRONG, KEYS, PRESSED, bridge.token):
        assert secret not in log, [line for line in log.splitlines() if secret in line][:3]
