"""A request's body, read no further than it may go."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request

from bridge.errors import BadInput, BodyTooLarge


async def whole_body(request: Request, most_bytes: int) -> bytes:
    """All of it. Raises BodyTooLarge, and BadInput when the client goes away before its end."""
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > most_bytes:
                raise BodyTooLarge(most_bytes)
    except ClientDisconnect:
        raise BadInput("the client went away before the body was complete") from None
    return bytes(body)
