"""Bodies of requests, read up to a limit and parsed."""

from __future__ import annotations

from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from bridge.errors import BadInput
from bridge.facades.mind import wire
from bridge.facades.mind.errors import Refusal

AnyBody = TypeVar("AnyBody", bound=wire.Body)


async def read_body(request: Request, kind: type[AnyBody], most_bytes: int) -> AnyBody:
    """Raises Refusal (413, 415) and BadInput."""
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > most_bytes:
                raise Refusal(413, f"the body is larger than {most_bytes} bytes")
    except ClientDisconnect:
        raise BadInput("the client went away before the body was complete") from None
    kind_given = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if body and kind_given != "application/json":
        raise Refusal(415, "the body's Content-Type must be application/json")
    return wire.parse(bytes(body), kind)
