"""A server that logs all it can while it streams and plays: no key of a stream or source is in the log."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.kit.ears import phone
from tests.kit.rtmp_peer import RtmpPeer, rtmp_peer
from tests.kit.running_bridge import RunningBridge, free_port

pytestmark = pytest.mark.e2e

# Words that look like no secret: nothing but care keeps them out.
TAKEN, ECHOED, NOBODY, QUERY, REFUSED, PLAYED, SOURCE = KEYS = (
    "plumtree", "gooseberry", "nutmeg", "lighthouse", "hazelnut", "woodpecker", "marmalade",
)  # fmt: skip


async def test_no_key_of_a_stream_is_in_the_log_at_any_level_over_a_restart(tmp_path: Path) -> None:
    settings = {"MEDIABRIDGE_EGRESS_ALLOW_PRIVATE": "true", "MEDIABRIDGE_LOG_LEVEL": "trace"}
    bridge = RunningBridge(tmp_path / "server", settings)
    with rtmp_peer() as peer, rtmp_peer("NetStream.Publish.BadName") as refusing:
        async with bridge:
            conference = await bridge.open_conference("Secrets")
            base = f"/{bridge.application}/{conference}"
            leader = await bridge.invite(conference, "Anna", "moderator")
            async with phone(leader.stream_url, 440):
                token = await _publish_and_play(bridge, base, peer, refusing)
                people = await bridge.call("GET", f"{base}/participants", leader.token)
                assert people.status_code == 200 and "Radio" in people.text
                assert not any(key in people.text for key in KEYS)
                assert (await bridge.call("GET", f"{base}/streamings", leader.token)).status_code == 403
            await bridge.stop()
            await bridge.start()
            assert len((await bridge.call("GET", f"{base}/streamings")).json()) == 4
            assert (await bridge.call("DELETE", f"{base}/streamings")).status_code == 200
    log = bridge.log
    assert "INSERT INTO streamings" in log and "connection refused" in log
    for secret in (*KEYS, token, leader.token, bridge.token):
        assert secret not in log, [line for line in log.splitlines() if secret in line][:3]


async def _publish_and_play(bridge: RunningBridge, base: str, peer: RtmpPeer, refusing: RtmpPeer) -> str:
    """Gives the token of the HLS."""

    async def create(where: str, **wanted: Any) -> httpx.Response:
        return await bridge.call("POST", base + where, json=wanted)

    taken = f"rtmp://127.0.0.1:{peer.port}/live/{TAKEN}?k={QUERY}"
    echoed = f"rtmp://127.0.0.1:{refusing.port}/live/{ECHOED}"
    nobody = f"rtmp://127.0.0.1:{free_port()}"
    for url in (taken, echoed, f"{nobody}/{NOBODY}"):
        assert (await create("/streamings", url=url, levels=True)).status_code == 200
    refused = await create("/streamings", url=f"rtmp://169.254.1.1/live/{REFUSED}")
    assert refused.status_code == 400 and REFUSED not in refused.text
    hls = await create("/streamings", hls={"protected": True, "segmentSeconds": 1}, picture=None)
    playlist: str = hls.json()["url"]
    token = re.search(r"/t/([^/]+)/", playlist)
    assert token is not None
    for url in (f"http://127.0.0.1:{free_port()}/x?k={PLAYED}", f"{nobody}/live/{SOURCE}"):
        played = await create("/participants", name="Radio", source={"url": url, "keep": True})
        assert played.status_code == 200
    async with asyncio.timeout(30), httpx.AsyncClient() as viewer:
        while (await viewer.get(playlist)).status_code != 200:  # noqa: ASYNC110 - nobody tells when it begins
            await asyncio.sleep(0.2)
    for one in (peer, refusing):
        await asyncio.to_thread(_wait_for_publish, one)
    return token[1]


def _wait_for_publish(peer: RtmpPeer) -> None:
    peer.wait(lambda: any(said[0] == "publish" for said in peer.commands), 30.0)
