"""An extension of ours beside Plivo's stream API: an account's captures (docs/captures.md).

| call | answer |
|---|---|
| `GET /v1/Account/{auth_id}/Capture/` | 200: a page of them, the newest first |
| `GET …/Capture/{capture_id}/` | 200: one; 404 |
| `GET …/Capture/{capture_id}/File/` | 200: the file, as far as it goes |
| `DELETE …/Capture/{capture_id}/` | 204; 400 while it is written |

An account sees those of its application.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from bridge.errors import BadInput, NoSuchRoom
from bridge.facades.plivo import rest_answers
from bridge.facades.plivo.accounts import KnownAccount, PlivoAccounts
from bridge.facades.plivo.callbacks import moment
from bridge.facades.plivo.names import canonical
from bridge.facades.plivo.rest import ACCOUNT, answer
from bridge.facades.plivo.rest_page import Shown, add_route
from bridge.facades.plivo.rest_wire import read_page

CAPTURES = ACCOUNT + "/Capture"
CAPTURE = CAPTURES + "/{capture_id}"
FILE = CAPTURE + "/File"
_REASONS = {401: "The auth_id and auth_token are missing or wrong"}
_NO_STORE = {"Cache-Control": "no-store"}


class KeptCapture(Protocol):
    """What can be told of a capture."""

    @property
    def id(self) -> str: ...

    @property
    def path(self) -> Path: ...

    @property
    def bytes(self) -> int: ...

    @property
    def live(self) -> bool:
        """It is still being written."""

    @property
    def kept_by(self) -> str:
        """`stream` or `call`."""

    @property
    def stream_id(self) -> str: ...

    @property
    def call_id(self) -> str: ...

    @property
    def room_id(self) -> str: ...

    @property
    def participant_id(self) -> str: ...

    @property
    def began_at(self) -> float:
        """Unix seconds."""


class KeptCaptures(Protocol):
    """Where captures are; owners are applications."""

    async def looks(self, owner: str, limit: int, offset: int) -> tuple[Sequence[KeptCapture], int]: ...

    async def find(self, owner: str, capture_id: str) -> KeptCapture | None: ...

    async def delete(self, owner: str, capture_id: str) -> bool: ...


Endpoint = Callable[[KnownAccount, Request, KeptCaptures], Awaitable[Response]]


class CaptureApi:
    """The routes. Without `captures`, there are none of anybody's."""

    def __init__(self, accounts: PlivoAccounts, captures: KeptCaptures | None) -> None:
        self._accounts = accounts
        self._captures = captures

    def add_to(self, router: APIRouter) -> None:
        """Every route, for the root of an origin."""
        for method, path, summary, status, endpoint in (
            ("GET", CAPTURES, "List captures", 200, list_captures),
            ("GET", CAPTURE, "Get a capture", 200, get_capture),
            ("GET", FILE, "Download a capture", 200, get_file),
            ("DELETE", CAPTURE, "Delete a capture", 204, delete_capture),
        ):
            shown = Shown(f"plivo_{endpoint.__name__}", summary, status, _REASONS)
            add_route(router, method, path, self._answering(endpoint), shown)

    def _answering(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def run(request: Request) -> Response:
            try:
                auth_id = str(request.path_params["auth_id"])
                account = self._accounts.authenticate(auth_id, request.headers.get("authorization", ""))
                if self._captures is None:
                    raise NoSuchRoom("no captures are kept here: captures.directory is not set")
                return await endpoint(account, request, self._captures)
            except Exception as error:  # the outer edge: every answer is JSON
                return answer(error)

        return run


async def list_captures(account: KnownAccount, request: Request, captures: KeptCaptures) -> Response:
    """See the table."""
    page = read_page(request.query_params)
    found, total = await captures.looks(account.application_id, page.limit, page.offset)
    path = f"/v1/Account/{account.auth_id}/Capture/"
    meta = rest_answers.page_meta(page, total, path)
    objects = [_shown(one, account) for one in found]
    return _json({"api_id": rest_answers.api_id(), "meta": meta, "objects": objects})


async def get_capture(account: KnownAccount, request: Request, captures: KeptCaptures) -> Response:
    """See the table."""
    found = await _find(account, request, captures)
    return _json({"api_id": rest_answers.api_id(), **_shown(found, account)})


async def get_file(account: KnownAccount, request: Request, captures: KeptCaptures) -> Response:
    """See the table."""
    found = await _find(account, request, captures)
    name = f"{found.id}{found.path.suffix}"
    return FileResponse(found.path, media_type="application/octet-stream", filename=name, headers=_NO_STORE)


async def delete_capture(account: KnownAccount, request: Request, captures: KeptCaptures) -> Response:
    """See the table."""
    found = await _find(account, request, captures)
    if found.live:
        raise BadInput("the capture is still being written; it ends with its stream")
    await captures.delete(account.application_id, found.id)
    return Response(status_code=204)


async def _find(account: KnownAccount, request: Request, captures: KeptCaptures) -> KeptCapture:
    found = await captures.find(account.application_id, canonical(str(request.path_params["capture_id"])))
    if found is None:
        raise NoSuchRoom("capture not found")
    return found


def _shown(capture: KeptCapture, account: KnownAccount) -> dict[str, Any]:
    return {
        "capture_id": capture.id,
        "kept_by": capture.kept_by,
        "stream_id": capture.stream_id,
        "call_uuid": capture.call_id,
        "conference_id": capture.room_id,
        "participant_id": capture.participant_id,
        "began_at": moment(capture.began_at) if capture.began_at else None,
        "bytes": capture.bytes,
        "live": capture.live,
        "resource_uri": f"/v1/Account/{account.auth_id}/Capture/{capture.id}/",
    }


def _json(resource: dict[str, Any]) -> Response:
    return Response(rest_answers.written(resource), 200, _NO_STORE, media_type="application/json")
