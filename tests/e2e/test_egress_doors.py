"""No door of a server that was not told otherwise leads into its own network."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.kit.certificates import Authority
from tests.kit.ears import until
from tests.kit.forking import forking_bridge
from tests.kit.hostile_urls import HOSTILE, NAMES, HostileUrl
from tests.kit.plivo_account import PlivoAccount
from tests.kit.running_bridge import PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN, RunningBridge
from tests.kit.stream_service import StreamService

pytestmark = pytest.mark.e2e

DOORS = {"service_url": ("ws", "wss"), "status_callback_url": ("http", "https")}
GOOD = "wss://93.184.216.34/"


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[RunningBridge]:
    async with RunningBridge(tmp_path / "bridge") as running:
        yield running


def is_told_without_names(hostile: HostileUrl) -> bool:
    """Others lead somewhere only through names that this machine's resolver does not know."""
    host = hostile.rest.partition("/")[0].partition(":")[0].rstrip(".").lower()
    return host not in NAMES or host == "localhost"


async def test_every_hostile_url_is_refused_at_every_door_with_the_settings_name(
    bridge: RunningBridge,
) -> None:
    conference = await bridge.open_conference()
    path = f"/v1/Account/{PLIVO_AUTH_ID}/Call/{conference}/Stream/"
    account = f"{PLIVO_AUTH_ID}:{PLIVO_AUTH_TOKEN}"
    basic = {"Authorization": f"Basic {b64encode(account.encode()).decode()}"}
    bearer = {"Authorization": f"Bearer {bridge.token}"}
    wrong = []
    tried = 0
    async with httpx.AsyncClient(base_url=bridge.base) as http:

        async def ask(url: str, body: object, headers: dict[str, str]) -> httpx.Response:
            headers = headers | {"Content-Type": "application/json"}
            return await http.post(url, content=json.dumps(body), headers=headers)

        for door, schemes in DOORS.items():
            for hostile in filter(is_told_without_names, HOSTILE):
                for scheme in schemes:
                    stream = {"service_url": GOOD, door: f"{scheme}://{hostile.rest}"}
                    for response in (
                        await ask(path, stream, basic),
                        await ask(f"/{bridge.application}", {"streams": [stream]}, bearer),
                    ):
                        tried += 1
                        said = response.text
                        named = hostile.never or "MEDIABRIDGE_EGRESS_ALLOW_PRIVATE" in said
                        if response.status_code != 400 or not named:
                            wrong.append((door, str(hostile), response.status_code, said))
        listed = (await http.get(path, headers=basic)).json()
    assert wrong == []
    assert tried > 800
    assert listed["meta"]["total_count"] == 0
    assert await bridge.metric("conferences") == 1


async def test_services_over_tls_are_reached_if_their_authority_is_trusted_and_not_otherwise(
    tmp_path: Path,
) -> None:
    trusted, stranger = Authority(tmp_path, "Trusted"), Authority(tmp_path, "Stranger")
    async with (
        StreamService(tls=trusted.server("127.0.0.1")) as good,
        StreamService(tls=stranger.server("127.0.0.1")) as bad,
        forking_bridge(tmp_path / "bridge", MEDIABRIDGE_EGRESS_CA_FILE=str(trusted.file)) as bridge,
    ):
        conference = await bridge.open_conference()
        account = PlivoAccount(bridge)
        streams = [await account.start(conference, one.url) for one in (good, bad)]
        socket = await good.stream(streams[0])
        await socket.frames_came(5)
        socket.assert_in_order()

        async def tried_again() -> bool:
            return int((await account.look(conference, streams[1]))["attempts"]) >= 2

        await until(tried_again)
        assert bad.sockets == []
        assert await account.end(conference) == 204
