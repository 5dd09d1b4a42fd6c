"""Which STUN and TURN servers a browser may use: `GET /join/ice`, with any token that is good here.

The answer holds the TURN servers' credentials, so nobody else gets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from fastapi import APIRouter, Request, Response

from bridge.bearer import bearer
from bridge.secret import Secret
from bridge.web.ports import People, Tokens


class IceServer(Protocol):
    """A server as it is configured."""

    @property
    def urls(self) -> tuple[str, ...]: ...

    @property
    def username(self) -> str: ...

    @property
    def credential(self) -> Secret: ...


class IceServers:
    """The one route."""

    def __init__(self, directory: People, applications: Tokens, servers: Sequence[IceServer]) -> None:
        self._directory = directory
        self._applications = applications
        self._answer = msgspec.json.encode({"iceServers": [_written(server) for server in servers]})

    def router(self) -> APIRouter:
        """To be included at the root."""
        router = APIRouter()
        router.add_api_route("/join/ice", self._give, include_in_schema=False, response_model=None)
        return router

    async def _give(self, request: Request) -> Response:
        token = bearer(request.headers, {})
        known = token is not None and (
            self._directory.participant_by_token(token) is not None
            or self._applications.authenticate(token) is not None
        )
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        if not known:
            return Response(b'{"error":"no valid token"}', 401, headers, "application/json")
        return Response(self._answer, 200, headers, "application/json")


def _written(server: IceServer) -> dict[str, object]:
    """As `RTCIceServer` wants it (W3C WebRTC §4.2.2)."""
    written: dict[str, object] = {"urls": list(server.urls)}
    if server.username:
        written |= {"username": server.username, "credential": server.credential.reveal()}
    return written
