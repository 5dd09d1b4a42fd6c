from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from bridge.config.kinds import IceServer
from bridge.secret import Secret
from bridge.web.ice import IceServers

pytestmark = pytest.mark.unit

SERVERS = (
    IceServer(("stun:stun.example.com",)),
    IceServer(("turn:turn.example.com?transport=udp",), "u", Secret("turn-password")),
)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    people: Any = SimpleNamespace(participant_by_token=lambda token: "p" if token == "theirs" else None)
    tokens: Any = SimpleNamespace(authenticate=lambda token: "a" if token == "ours" else None)
    app = FastAPI()
    app.include_router(IceServers(people, tokens, SERVERS).router())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bridge") as client:
        yield client


@pytest.mark.parametrize("token", ["theirs", "ours"])
async def test_whoever_has_a_token_gets_the_servers_as_browsers_want_them(
    http: httpx.AsyncClient, token: str
) -> None:
    answer = await http.get("/join/ice", headers={"Authorization": f"Bearer {token}"})
    assert answer.json() == {
        "iceServers": [
            {"urls": ["stun:stun.example.com"]},
            {
                "urls": ["turn:turn.example.com?transport=udp"],
                "username": "u",
                "credential": "turn-password",
            },
        ]
    }
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic ours"}])
async def test_nobody_else_gets_the_credentials(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await http.get("/join/ice", headers=headers)
    assert answer.status_code == 401
    assert "turn" not in answer.text
