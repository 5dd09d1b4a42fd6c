"""The Mind API's calls about streamings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from bridge.facades.mind import wire
from bridge.facades.mind.bodies import read_body
from bridge.facades.mind.gate import Asking
from bridge.facades.mind.permissions import Operation
from bridge.people import Conference
from bridge.streamings import Streaming, StreamingWishes

Reach = Callable[[Request, Operation], tuple[Asking, Conference]]


class Streamer(Protocol):
    """What is needed of `bridge.streamings.Streamings`."""

    async def create(self, conference: Conference, url: str, wishes: StreamingWishes) -> Streaming: ...
    def all_of(self, conference: Conference) -> Sequence[Streaming]: ...
    def get(self, conference: Conference, streaming_id: str) -> Streaming: ...
    async def delete(self, conference: Conference, streaming_id: str) -> None: ...
    async def delete_all(self, conference: Conference) -> None: ...
    def mark(self, conference: Conference, streaming_id: str, payload: str, duration_s: float) -> None: ...


class StreamingCalls:
    """`reach` checks the token and the permission of a request, and gives the conference."""

    def __init__(self, streamings: Streamer, reach: Reach, body_bytes: int) -> None:
        self._streamings = streamings
        self._reach = reach
        self._body_bytes = body_bytes

    async def list(self, request: Request) -> Response:
        """All of the conference."""
        _, conference = self._reach(request, Operation.LIST_STREAMINGS)
        return _ok([wire.streaming_resource(one) for one in self._streamings.all_of(conference)])

    async def create(self, request: Request) -> Response:
        """Publish to an RTMP address; ours: or offer HLS, and say how it is coded."""
        _, conference = self._reach(request, Operation.CREATE_STREAMING)
        wanted = await read_body(request, wire.StreamingCreation, self._body_bytes)
        wishes = StreamingWishes(wanted.audio, wanted.picture, wanted.hls)
        return _ok(wire.streaming_resource(await self._streamings.create(conference, wanted.url, wishes)))

    async def delete_all(self, request: Request) -> Response:
        """End all of the conference."""
        _, conference = self._reach(request, Operation.DELETE_STREAMINGS)
        await self._streamings.delete_all(conference)
        return _ok()

    async def get(self, request: Request) -> Response:
        """One of them."""
        _, conference = self._reach(request, Operation.GET_STREAMING)
        return _ok(wire.streaming_resource(self._streamings.get(conference, _id(request))))

    async def delete(self, request: Request) -> Response:
        """End one of them."""
        _, conference = self._reach(request, Operation.DELETE_STREAMING)
        await self._streamings.delete(conference, _id(request))
        return _ok()

    async def mark(self, request: Request) -> Response:
        """Timed metadata, seen by players where the sound of now is heard."""
        _, conference = self._reach(request, Operation.MARK_STREAMING)
        wanted = await read_body(request, wire.StreamingMark, self._body_bytes)
        self._streamings.mark(conference, _id(request), wanted.payload, wanted.duration)
        return _ok()


def _id(request: Request) -> str:
    return str(request.path_params["streaming_id"])


def _ok(resource: object = None) -> Response:
    headers = {"Cache-Control": "no-store"}  # addresses hold keys
    if resource is None:
        return Response(status_code=200, headers=headers)
    return Response(msgspec.json.encode(resource), headers=headers, media_type="application/json")
