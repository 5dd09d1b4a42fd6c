"""Live HLS for players everywhere: `GET /hls/{stream}/…`. No tokens of ours count here, only the stream's."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

_CHUNK = 1 << 16
"""A slow reader holds up so much, not a whole segment: more is sent when the socket takes it."""

_PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "Range",
    "Access-Control-Max-Age": "86400",
}


class Answer(Protocol):
    """A response without a framework."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def body(self) -> bytes: ...


class LiveStreams(Protocol):
    """`bridge.outputs.hls_shelf.HlsShelf`, as far as the pages use it."""

    async def answer(
        self, stream_id: str, path: str, query: Mapping[str, str], *, gzip_accepted: bool = False
    ) -> Answer:
        """What to say to a GET of `path` below the stream; may take a few target durations."""


class HlsPages:
    """The routes; they carry media, but only what others have coded."""

    def __init__(self, streams: LiveStreams) -> None:
        self._streams = streams
        self.answers: Counter[str] = Counter()
        """By status."""
        self.bytes = 0
        """Given out, or being so."""

    def router(self) -> APIRouter:
        """To be included at the root."""
        router = APIRouter()
        path = "/hls/{stream_id}/{path:path}"
        router.add_api_route(
            path, self._give, methods=["GET", "HEAD"], include_in_schema=False, response_model=None
        )
        router.add_api_route(path, self._preflight, methods=["OPTIONS"], include_in_schema=False)
        return router

    async def _give(self, request: Request) -> Response:
        answer = await self._streams.answer(
            request.path_params["stream_id"],
            request.path_params["path"],
            request.query_params,
            gzip_accepted="gzip" in request.headers.get("accept-encoding", ""),
        )
        self.answers[str(answer.status)] += 1
        headers = {**answer.headers, "Content-Length": str(len(answer.body))}
        if request.method == "HEAD":
            return Response(status_code=answer.status, headers=headers)
        self.bytes += len(answer.body)
        if len(answer.body) <= _CHUNK:
            return Response(answer.body, answer.status, headers)
        return StreamingResponse(_in_chunks(answer.body), answer.status, headers)

    async def _preflight(self) -> Response:
        return Response(status_code=204, headers=_PREFLIGHT)


async def _in_chunks(body: bytes) -> AsyncIterator[bytes]:
    view = memoryview(body)
    for at in range(0, len(body), _CHUNK):
        yield bytes(view[at : at + _CHUNK])
