"""From what went wrong to a status and a JSON body, in one table.

Every error's body is `{"error": text, "status": number}`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from bridge.errors import (
    BadInput,
    BodyTooLarge,
    Draining,
    LimitReached,
    NoRoom,
    NoSuchParticipant,
    NoSuchRoom,
    NotAllowed,
    Overloaded,
)
from bridge.facades.mind.resource_wire import ErrorResource
from bridge.streamings import NoSuchStreaming

log = logging.getLogger(__name__)

LIMIT_RETRY_AFTER_S = 30

STATUSES: Mapping[type[Exception], int] = {
    BadInput: 400,
    BodyTooLarge: 413,
    NotAllowed: 403,
    NoSuchRoom: 404,
    NoSuchParticipant: 404,
    NoSuchStreaming: 404,
    # Never 404: clients take that for their expulsion.
    Draining: 503,
    Overloaded: 503,
    LimitReached: 503,
    NoRoom: 507,
}
"""A type stands for its subtypes too; whatever is not listed is 500."""


class Refusal(Exception):
    """An answer that no error of the bridge stands for: 401, 415, 501."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def status_of(error: Exception) -> int:
    """See the table."""
    if isinstance(error, Refusal):
        return error.status
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)


def headers_of(error: Exception) -> dict[str, str]:
    """What a client needs to know beside the text."""
    status = status_of(error)
    if status == 401:
        return {"WWW-Authenticate": "Bearer"}
    if status == 503:
        return {"Retry-After": str(getattr(error, "retry_after_s", LIMIT_RETRY_AFTER_S))}
    return {}


def body_of(error: Exception) -> bytes:
    """What broke inside is for the log, not for the client."""
    status = status_of(error)
    text = str(error) if status != 500 else "something went wrong on the server"
    return msgspec.json.encode(ErrorResource(text, status))


def answer(error: Exception) -> Response:
    """The whole answer; logs what nobody expected."""
    status = status_of(error)
    if status == 500:
        log.error("x a request failed", exc_info=error)
    return Response(body_of(error), status, headers_of(error), media_type="application/json")
