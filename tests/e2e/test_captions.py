"""Captions of two people who speak at once: whose words, which, and when, from a stream set up beforehand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from bridge.core.ports import L16_16K
from bridge.harness.plivo_caller import PlivoCaller, new_call
from tests.kit.browser_peer import BrowserPeer, ask_over_http
from tests.kit.ears import until
from tests.kit.forking import all_online, forking_bridge, ticks_skipped
from tests.kit.plivo_account import PlivoAccount
from tests.kit.running_bridge import RunningBridge
from tests.kit.service_socket import ServiceSocket
from tests.kit.spoken_track import SpokenTrack
from tests.kit.stream_service import StreamService
from tests.kit.words import RATE_HZ, Voice, recognise, voice

pytestmark = pytest.mark.e2e

WITHIN_S = 0.25
"""How far a word may be off, as a rule; twice that where a busy machine held up who speaks it."""
WAIT_S = 1.5
"""Silence before the phone begins to speak."""


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[RunningBridge]:
    async with forking_bridge(tmp_path / "bridge") as running:
        yield running


async def test_words_names_and_times_of_two_who_speak_at_once_are_told_apart(bridge: RunningBridge) -> None:
    account = PlivoAccount(bridge)
    async with StreamService() as captions:
        feed = {
            "service_url": captions.url,
            "audio_track": "participants",
            "content_type": "audio/x-l16;rate=16000",
            "extra_headers": "feed=7",
        }
        opened = await bridge.call("POST", f"/{bridge.application}", json={"streams": [feed]})
        assert opened.is_success, opened.text
        conference = opened.json()["id"]
        (stream,) = opened.json()["streams"]
        low, high = voice("low_voice"), voice("high_voice")
        john = await bridge.invite(conference, "John Doe", "moderator")
        ada = await bridge.invite(conference, "Ada; of Å=1,2")
        sound = np.concatenate((np.zeros(round(WAIT_S * RATE_HZ), np.int16), low.samples))
        microphone = SpokenTrack()
        caller = PlivoCaller(john.stream_url, sound, new_call(L16_16K))
        async with BrowserPeer(ask_over_http(ada.uri, ada.token)) as peer:
            await peer.join_plain(microphone)  # type: ignore[arg-type]
            await until(lambda: joined(bridge, conference, ada.id))
            async with caller:
                phone_began = time.time() + WAIT_S
                await until(lambda: all_online(bridge, conference, 2))
                sockets = [await captions.socket(number) for number in range(2)]
                await asyncio.sleep(max(0.0, phone_began - time.time()))
                microphone.speak(high.samples, RATE_HZ)
                await asyncio.sleep(max(low.seconds, high.seconds) + 1.0)
                assert microphone.began is not None
                assert abs(microphone.began - phone_began) < 0.3  # they did speak at once
                by_name = {socket.extra["name"]: socket for socket in sockets}
                assert set(by_name) == {"John Doe", "Ada; of Å=1,2"}
                for invited, role in ((john, "moderator"), (ada, "speaker")):
                    extra = next(one.extra for one in sockets if one.extra["id"] == invited.id)
                    assert (extra["role"], extra["feed"]) == (role, "7")
                by_phone = await delays_s(by_name["John Doe"], low, phone_began)
                by_browser = await delays_s(by_name["Ada; of Å=1,2"], high, microphone.began)

        # All twelve words are on one axis.
        assert np.ptp(np.percentile(by_phone + by_browser, [25, 75])) < WITHIN_S

        assert [await socket.ended() for socket in sockets] == [1000, 1000]
        for socket in sockets:
            socket.assert_in_order()
        looked = await account.look(conference, stream)
        assert looked["status"] != "completed"  # it waits for whoever comes next
        assert looked["captured"] == looked["delivered"] + looked["lost"]
        assert looked["lost"] <= len(sockets) * await ticks_skipped(bridge)
        assert await account.end(conference, stream) == 204


async def joined(bridge: RunningBridge, conference: str, participant: str) -> bool:
    return bool((await bridge.participants(conference))[participant]["online"])


async def delays_s(socket: ServiceSocket, speaker: Voice, began: float) -> list[float]:
    """How long after it was said each word begins, by the timestamps; the words must be the speaker's."""
    line = socket.line()
    found = await asyncio.to_thread(recognise, line.samples)
    assert [word.text for word in found] == speaker.texts
    told = [line.from_ms / 1000 + word.onset_s for word in found]
    delays = [at - (began + word.onset_s) for at, word in zip(told, speaker.words, strict=True)]
    off = np.abs(delays)
    assert np.median(off) < WITHIN_S and off.max() < 2 * WITHIN_S, np.round(delays, 3)
    return delays
