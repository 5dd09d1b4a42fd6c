"""No door of a server that was not told otherwise leads into its own network."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.kit.hostile_urls import HOSTILE, NAMES, HostileUrl
from tests.kit.running_bridge import PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN, RunningBridge

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
    wrong = []
    tried = 0
    async with httpx.AsyncClient(base_url=bridge.base, auth=(PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN)) as http:
        for door, schemes in DOORS.items():
            for hostile in filter(is_told_without_names, HOSTILE):
                for scheme in schemes:
                    body = {"service_url": GOOD, door: f"{scheme}://{hostile.rest}"}
                    response = await http.post(
                        path, content=json.dumps(body), headers={"Content-Type": "application/json"}
                    )
                    tried += 1
                    said = response.json().get("error", "")
                    named = hostile.never or "MEDIABRIDGE_EGRESS_ALLOW_PRIVATE" in said
                    if response.status_code != 400 or not said or not named:
                        wrong.append((door, str(hostile), response.status_code, said))
        listed = (await http.get(path)).json()
    assert wrong == []
    assert tried > 400
    assert listed["meta"]["total_count"] == 0
