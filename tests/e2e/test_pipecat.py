"""A Pipecat bot in a conference, with a caller on the phone and somebody in a browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pipecat.frames.frames import EndFrame

from tests.kit.ears import AMPLITUDE, hears, until
from tests.kit.forking import ANNA, CLEO, ForkedCall, all_online, forked_call, forking_bridge
from tests.kit.pipecat_bot import pipecat_bot
from tests.kit.plivo_account import PLIVO
from tests.kit.running_bridge import PLIVO_AUTH_ID

pytestmark = pytest.mark.e2e

BOT = 1850


@pytest.fixture
async def call(tmp_path: Path) -> AsyncIterator[ForkedCall]:
    async with forking_bridge(tmp_path / "bridge") as bridge, forked_call(bridge) as connected:
        yield connected


async def test_it_hears_all_is_heard_by_all_and_its_hang_up_removes_only_itself(
    call: ForkedCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    delete = aiohttp.ClientSession.delete

    def delete_here(session: aiohttp.ClientSession, url: str, **options: Any) -> Any:
        asked.append(url)
        return delete(session, url.replace(PLIVO, call.bridge.base), **options)

    # Where it hangs up is written into its code.
    monkeypatch.setattr(aiohttp.ClientSession, "delete", delete_here)

    async with pipecat_bot(BOT, AMPLITUDE) as bot:
        stream = await call.account.start(
            call.conference,
            bot.url,
            bidirectional=True,
            content_type="audio/x-mulaw;rate=8000",
            name="Pipecat",
        )
        await asyncio.wait_for(bot.came.wait(), 10)
        await until(lambda: all_online(call.bridge, call.conference, 3))
        await asyncio.gather(
            hears(call.anna, CLEO, BOT, but_not=(ANNA,)),
            hears(call.cleo, ANNA, BOT, but_not=(CLEO,)),
            hears(bot.answers[0], ANNA, CLEO, but_not=(BOT,)),
        )
        people = await call.bridge.participants(call.conference)
        assert people[bot.calls[0]]["name"] == "Pipecat"

        await bot.workers[0].queue_frame(EndFrame())
        await until(lambda: all_online(call.bridge, call.conference, 2))
        assert asked == [f"{PLIVO}/v1/Account/{PLIVO_AUTH_ID}/Call/{bot.calls[0]}/"]
        assert set(await call.bridge.participants(call.conference)) == {call.anna_id, call.cleo_id}
        await asyncio.gather(hears(call.anna, CLEO, but_not=(BOT,)), hears(call.cleo, ANNA, but_not=(BOT,)))
        looked = await call.account.look(call.conference, stream)
        assert (looked["status"], looked["end_reason"]) == ("completed", "Call hangup")
        assert looked["captured"] == looked["delivered"] + looked["lost"]
        assert looked["played"]["malformed"] == looked["played"]["converted"] == 0
