"""A file of a recording that is in a storage only, as an answer: the way there, or what is there."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bridge.errors import BadInput, BridgeError
from bridge.facades.mind.errors import Refusal
from bridge.facades.mind.file_answers import answer_head
from bridge.facades.mind.playlist_answers import PLAYLIST_TYPE, carries_token, playlist_answer
from bridge.shelf_port import AwayFile

log = logging.getLogger(__name__)

LEAST_LINK_S, MOST_LINK_S = 60, 604_800
"""A week is the most that storages sign for."""
_SECONDS = re.compile("[0-9]{2,6}")


async def away_answer(request: Request, away: AwayFile) -> Response:
    """Where the storage can sign addresses and the client can follow, it is sent there.

    With `?through=true` it is given by this server in any case; `?linkSeconds=3600` says how long the address
    is to be good for. Raises Refusal, BadInput.
    """
    # What a playlist names is looked for beside it: there each file would need a signature of its own. And an
    # address is signed for reading, which HEAD is not.
    # Pages that may talk to nobody else ask for it through this server.
    signs = away.media_type != PLAYLIST_TYPE and request.method != "HEAD"
    if signs and request.query_params.get("through") != "true" and (link := await _link(request, away)):
        return Response(status_code=302, headers={"Location": link, "Cache-Control": "no-store"})
    if carries_token(request, away.media_type):
        try:
            return playlist_answer(request, b"".join([piece async for piece in away.pieces(0, away.size)]))
        except (BridgeError, KeyError) as error:
            raise _unread(error) from None
    status, span, headers = answer_head(request.headers, away.size, away.tag)
    headers["Content-Type"] = away.media_type
    if request.method == "HEAD" or span is None or span.start == span.end:
        return Response(status_code=status, headers=headers)
    pieces = away.pieces(span.start, span.end)
    # What is wrong can be said only before the answer begins.
    try:
        first = await anext(pieces, b"")
    except (BridgeError, KeyError) as error:
        raise _unread(error) from None
    return StreamingResponse(_all(first, pieces), status, headers)


async def _link(request: Request, away: AwayFile) -> str:
    asked = request.query_params.get("linkSeconds")
    seconds = None if asked is None else _seconds(asked)
    try:
        return await (away.link() if seconds is None else away.link(seconds))
    except (BridgeError, KeyError) as error:
        raise _unread(error) from None


def _seconds(asked: str) -> float:
    if not _SECONDS.fullmatch(asked) or not LEAST_LINK_S <= int(asked) <= MOST_LINK_S:
        raise BadInput(f"the query parameter `linkSeconds` is {LEAST_LINK_S} to {MOST_LINK_S}")
    return float(asked)


def _unread(error: Exception) -> Refusal:
    log.warning("x a file of a recording cannot be read from its storage: %s", error)
    return Refusal(503, "the storage of this recording cannot be read now")


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece
