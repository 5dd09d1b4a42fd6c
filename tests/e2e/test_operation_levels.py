"""Levels as they are shown while a conference goes on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from websockets.asyncio.client import connect

from tests.kit.browser_peer import BrowserPeer, Tone, ask_over_http
from tests.kit.ears import AMPLITUDE
from tests.kit.running_bridge import (
    RunningBridge,
)

pytestmark = pytest.mark.e2e

GUEST = 1000


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
