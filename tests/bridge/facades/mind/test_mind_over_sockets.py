"""The Mind API of a real server: its WebSocket, and what is left after it was killed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.kit.running_bridge import RunningBridge

pytestmark = pytest.mark.e2e


async def test_an_application_is_told_by_websocket_and_replaced_and_let_go(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path) as bridge, asyncio.timeout(30):
        conference = await bridge.open_conference("Stand-up")
        ann = await bridge.invite(conference, "Ann", "moderator")
        address = f"{bridge.ws_base}/{bridge.application}/{conference}"
        path = f"/{bridge.application}/{conference}/"
        async with connect(f"{address}?access_token={bridge.token}") as old:
            await bridge.call("PATCH", path, json={"name": "its own change"})
            renamed = await bridge.call("PATCH", path, ann.token, json={"name": "Retro"})
            told = json.loads(await old.recv())
            assert told == {"type": "updated", "location": "/", "resource": renamed.json()}
            headers = {"Authorization": f"Bearer {bridge.token}"}
            async with connect(address + "/", additional_headers=headers) as new:
                with pytest.raises(ConnectionClosed) as closed:
                    await old.recv()
                assert closed.value.rcvd is not None and closed.value.rcvd.code == 4001
                await bridge.call("DELETE", path)
                with pytest.raises(ConnectionClosed) as closed:
                    await new.recv()
                assert closed.value.rcvd is not None and closed.value.rcvd.code == 1000


async def test_who_may_not_watch_is_refused_before_the_upgrade(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path) as bridge, asyncio.timeout(30):
        conference = await bridge.open_conference()
        ann = await bridge.invite(conference, role="moderator")
        address = f"{bridge.ws_base}/{bridge.application}/{conference}?access_token="
        for token, status in (("nonsense", 401), (ann.token, 403)):
            with pytest.raises(InvalidStatus) as refused:
                await connect(address + token)
            assert refused.value.response.status_code == status
            assert json.loads(refused.value.response.body or b"")["status"] == status


async def test_what_no_call_answers_to_is_refused_as_any_error_is(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path) as bridge, asyncio.timeout(30):
        lost = await bridge.call("GET", "/no/such/call/at/all")
        wrong = await bridge.call("PUT", f"/{bridge.application}/")
    assert (lost.status_code, lost.json()) == (404, {"error": "not found", "status": 404})
    assert (wrong.status_code, wrong.json()) == (405, {"error": "method not allowed", "status": 405})
    assert "POST" in wrong.headers["Allow"]


async def test_conferences_people_and_tokens_survive_a_kill(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path) as bridge, asyncio.timeout(40):
        conference = await bridge.open_conference("Stand-up")
        ann = await bridge.invite(conference, "Ann", "presenter")
        path = f"/{bridge.application}/{conference}/?detailed=true"
        before = (await bridge.call("GET", path, ann.token)).json()
        await bridge.kill()
        await bridge.start()
        after = await bridge.call("GET", path, ann.token)
        assert (after.status_code, after.json()) == (200, before)
        assert before["participants"][0]["id"] == ann.id
        assert ann.token not in bridge.log and bridge.token not in bridge.log


async def test_the_end_of_the_time_is_told_and_closes_with_4000(tmp_path: Path) -> None:
    short = {"MEDIABRIDGE_LIMITS_CONFERENCE_HOURS": "0.001"}  # 3.6 s
    async with RunningBridge(tmp_path, environment=short) as bridge, asyncio.timeout(30):
        conference = await bridge.open_conference()
        ann = await bridge.invite(conference)
        path = f"/{bridge.application}/{conference}/"
        async with connect(f"{bridge.ws_base}{path}?access_token={bridge.token}") as socket:
            assert json.loads(await socket.recv()) == {"type": "deleted", "location": "/"}
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4000
        assert (await bridge.call("GET", path)).status_code == 404
        assert (await bridge.call("GET", path, ann.token)).status_code == 401
        assert (await bridge.call("POST", path, ann.token, json={"sdp": "o"})).status_code == 404
        page = await bridge.call("GET", "/docs")
        assert page.status_code == 200
        described = (await bridge.call("GET", "/openapi.json")).json()
        assert "/{application_id}/{conference_id}" in described["paths"]
