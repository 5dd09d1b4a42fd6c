"""The vendor's REST API for simulated calls, as far as a bot uses it to end them.

| request below `/v1/Account/{auth_id}/` | answer |
|---|---|
| `GET Call/?status=live` | 200, the ids of the calls that go on |
| `GET Call/{uuid}/` | 200, a call that goes on |
| `DELETE Call/{uuid}/` | 204, and the call is hung up |
| `DELETE Call/{uuid}/Stream/`, `…/Stream/{id}/` | 204, and its stream ends; 400 where there is none |
| anything else about a call | 405, and it is named in the call's result |

404 for calls that are not there or not any more, 401 without the account's id and token (HTTP Basic).
Source: Plivo, "Hang up a call", "Retrieve a live call", "Stop a specific audio stream".
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.harness.account import Account

API = "/v1/Account/{auth_id}/Call"
_METHODS = ["GET", "POST", "DELETE"]


@dataclass(eq=False, slots=True)
class DeskCall:
    """A call that goes on, and what can be done to it; nothing of it may raise or wait."""

    call_id: str
    stream_id: str
    hang_up: Callable[[], None]
    stop_stream: Callable[[], bool]
    """False where none goes on."""
    unserved: Callable[[str], None]
    """Told what a bot asked for that cannot be had here."""
    from_number: str = ""
    to_number: str = ""
    since: float = field(default_factory=time.time)


class CallDesk:
    """`app` answers for the calls between their beginning and end."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._calls: dict[str, DeskCall] = {}
        routes = [
            ("/", self._list),
            ("/{call_uuid}/", self._call),
            ("/{call_uuid}/Stream/", self._stream),
            ("/{call_uuid}/Stream/{stream_id}/", self._stream),
            ("/{call_uuid}/{rest:path}", self._other),
        ]
        # Without the slash at the end, too: it is easily forgotten.
        self.app = Starlette(
            routes=[
                Route(API + path, self._admitted(answer), methods=_METHODS)
                for full, answer in routes
                for path in dict.fromkeys((full, full.removesuffix("/")))
            ]
        )

    @contextmanager
    def holding(self, call: DeskCall) -> Iterator[None]:
        """The call goes on."""
        self._calls[call.call_id] = call
        try:
            yield
        finally:
            self._calls.pop(call.call_id, None)

    # --- requests ---

    async def _list(self, request: Request) -> Response:
        if request.method != "GET":
            return _refused(405, "the test harness makes calls by itself")
        live = request.query_params.get("status", "live") == "live"
        return _answer(200, {"calls": list(self._calls) if live else []})

    async def _call(self, request: Request) -> Response:
        call = self._find(request)
        if call is None:
            return _refused(404, "call not found")
        if request.method == "GET":
            began = datetime.fromtimestamp(call.since, UTC).isoformat(" ", "seconds")
            return _answer(
                200,
                {
                    "call_status": "in-progress",
                    "call_uuid": call.call_id,
                    "caller_name": call.from_number,
                    "direction": "inbound",
                    "from": call.from_number,
                    "request_uuid": call.call_id,
                    "session_start": began,
                    "stir_verification": "Not Verified",
                    "to": call.to_number,
                },
            )
        if request.method == "POST":
            return self._unserved(call, "transferring the call by REST")
        call.hang_up()
        return Response(status_code=204)

    async def _stream(self, request: Request) -> Response:
        call = self._find(request)
        if call is None:
            return _refused(404, "call not found")
        if request.method != "DELETE":
            what = "starting a stream" if request.method == "POST" else "looking at streams"
            return self._unserved(call, f"{what} by REST")
        wanted = request.path_params.get("stream_id", call.stream_id)
        if wanted != call.stream_id or not call.stop_stream():
            return _refused(400, "No active stream found")
        return Response(status_code=204)

    async def _other(self, request: Request) -> Response:
        call = self._find(request)
        if call is None:
            return _refused(404, "call not found")
        what = str(request.path_params["rest"]).strip("/").partition("/")[0][:40]
        return self._unserved(call, f"{request.method} Call/…/{what}/ by REST")

    # --- inside ---

    def _admitted(
        self, answer: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def admit(request: Request) -> Response:
            auth_id = str(request.path_params["auth_id"])
            if not self._account.admits(auth_id, request.headers.get("authorization", "")):
                asks = {"WWW-Authenticate": 'Basic realm="Plivo", charset="UTF-8"'}
                return _refused(401, "the auth_id or auth_token is missing or wrong", asks)
            return await answer(request)

        return admit

    def _find(self, request: Request) -> DeskCall | None:
        return self._calls.get(str(request.path_params["call_uuid"]).lower())

    def _unserved(self, call: DeskCall, what: str) -> Response:
        call.unserved(what)
        return _refused(405, f"{what} is not served by the test harness")


def _answer(status: int, fields: dict[str, object], headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"api_id": str(uuid4()), **fields}, status, headers)


def _refused(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return _answer(status, {"error": text}, headers)
