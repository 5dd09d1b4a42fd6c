"""The Mind API's calls about streamings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from bridge.facades.mind.answers import ok
from bridge.facades.mind.body_wire import StreamingCreation, StreamingMark
from bridge.facades.mind.permissions import Operation
from bridge.facades.mind.reach import Reach
from bridge.facades.mind.resource_wire import streaming_resource
from bridge.people import Conference
from bridge.streamings import Streaming, StreamingWishes


class Streamer(Protocol):
    """What is needed of `bridge.streamings.Streamings`."""

    async def create(self, conference: Conference, url: str, wishes: StreamingWishes) -> Streaming: ...
    def all_of(self, conference: Conference) -> Sequence[Streaming]: ...
    def get(self, conference: Conference, streaming_id: str) -> Streaming: ...
    async def delete(self, conference: Conference, streaming_id: str) -> None: ...
    async def delete_all(self, conference: Conference) -> None: ...
    def mark(self, conference: Conference, streaming_id: str, payload: str, duration_s: float) -> None: ...


class StreamingCalls:
    """Streamings of a conference: begun, looked at, ended."""

    def __init__(self, streamings: Streamer, reach: Reach) -> None:
        self._streamings = streamings
        self._reach = reach

    async def list(self, request: Request) -> Response:
        """All of the conference."""
        _, conference = self._reach.conference(request, Operation.LIST_STREAMINGS)
        return ok([streaming_resource(one) for one in self._streamings.all_of(conference)])

    async def create(self, request: Request) -> Response:
        """Publish to an RTMP address; ours: or offer HLS, and say how it is coded."""
        _, conference = self._reach.conference(request, Operation.CREATE_STREAMING)
        wanted = await self._reach.body(request, StreamingCreation)
        wishes = StreamingWishes(wanted.audio, wanted.picture, wanted.hls, levels=wanted.levels)
        return ok(streaming_resource(await self._streamings.create(conference, wanted.url, wishes)))

    async def delete_all(self, request: Request) -> Response:
        """End all of the conference."""
        _, conference = self._reach.conference(request, Operation.DELETE_STREAMINGS)
        await self._streamings.delete_all(conference)
        return ok()

    async def get(self, request: Request) -> Response:
        """One of them."""
        _, conference = self._reach.conference(request, Operation.GET_STREAMING)
        return ok(streaming_resource(self._streamings.get(conference, _id(request))))

    async def delete(self, request: Request) -> Response:
        """End one of them."""
        _, conference = self._reach.conference(request, Operation.DELETE_STREAMING)
        await self._streamings.delete(conference, _id(request))
        return ok()

    async def mark(self, request: Request) -> Response:
        """Timed metadata, seen by players where the sound of now is heard."""
        _, conference = self._reach.conference(request, Operation.MARK_STREAMING)
        wanted = await self._reach.body(request, StreamingMark)
        self._streamings.mark(conference, _id(request), wanted.payload, wanted.duration)
        return ok()


def _id(request: Request) -> str:
    return str(request.path_params["streaming_id"])
