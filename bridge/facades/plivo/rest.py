"""Plivo's stream API over HTTP: `/v1/Account/{auth_id}/Call/{call_uuid}/…`, the last slash may be missing.

| call | answer |
|---|---|
| `POST …/Stream/` | 202 `{message, api_id, stream_id}` |
| `GET …/Stream/`, `GET …/Stream/{stream_id}/` | 200; ended streams, too |
| `DELETE …/Stream/`, `DELETE …/Stream/{stream_id}/` | 204; 400 when nothing is active |
| `DELETE …/` | 204: the call is hung up; 404 when it is over |
| `GET …/?status=live` | 200: the live call |
| `GET /v1/Account/{auth_id}/Call/?status=live` | 200: the ids of the live calls |

HTTP Basic with auth_id and auth_token; every error is `{"api_id", "error"}`. `call_uuid` is a participant's
id, the `callId` of a live call that streams in, or a conference's id; other applications' are 404.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from bridge.errors import (
    BadInput,
    Draining,
    LimitReached,
    NoSuchParticipant,
    NoSuchRoom,
    NotAllowed,
    Overloaded,
)
from bridge.facades.plivo import rest_answers
from bridge.facades.plivo.accounts import KnownAccount, PlivoAccounts
from bridge.facades.plivo.fork import Fork
from bridge.facades.plivo.fork_course import ForkCourse
from bridge.facades.plivo.forks import Forks
from bridge.facades.plivo.names import canonical
from bridge.facades.plivo.rest_page import Shown, add_route
from bridge.facades.plivo.rest_wire import read_body, read_page
from bridge.facades.plivo.targets import Target, Targets
from bridge.request_body import whole_body

log = logging.getLogger(__name__)

ACCOUNT = "/v1/Account/{auth_id}"
CALL = ACCOUNT + "/Call/{call_uuid}"
STREAMS = CALL + "/Stream"
STREAM = STREAMS + "/{stream_id}"

MAX_BODY_BYTES = 64 * 1024
LIMIT_RETRY_AFTER_S = 30
NO_STREAM = "No active stream found"

STATUSES: Mapping[type[Exception], int] = {
    BadInput: 400,
    NotAllowed: 401,
    NoSuchRoom: 404,
    NoSuchParticipant: 404,
    Draining: 503,
    Overloaded: 503,
    LimitReached: 503,
}
"""A type stands for its subtypes too; whatever is not listed is 500."""

_REASONS = {
    400: "A parameter is missing or wrong, or there is nothing to be stopped; `error` says what",
    401: "The auth_id and auth_token are missing or wrong",
    404: "There is no such call, or it is over",
    503: "The server takes no more of these now; Retry-After says when to come back",
}

Endpoint = Callable[[KnownAccount, Request], Awaitable[Response]]


class StreamApi:
    """The routes. Finds the account, then the call, then reads what is asked."""

    def __init__(
        self,
        accounts: PlivoAccounts,
        targets: Targets,
        forks: Forks,
        course: ForkCourse,
        now: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._targets = targets
        self._forks = forks
        self._course = course
        self._now = now

    def add_to(self, router: APIRouter) -> None:
        """Every route, for the root of an origin."""
        for method, path, summary, status, endpoint in (
            ("POST", STREAMS, "Stream a call to a WebSocket service", 202, self.start_stream),
            ("GET", STREAMS, "List a call's streams", 200, self.list_streams),
            ("DELETE", STREAMS, "Stop all streams of a call", 204, self.stop_streams),
            ("GET", STREAM, "Get a stream", 200, self.get_stream),
            ("DELETE", STREAM, "Stop a stream", 204, self.stop_stream),
            ("GET", CALL, "Get a live call", 200, self.get_call),
            ("DELETE", CALL, "Hang up a call", 204, self.hang_up),
            ("GET", ACCOUNT + "/Call", "List the ids of live calls", 200, self.list_calls),
        ):
            shown = Shown(f"plivo_{endpoint.__name__}", summary, status, _REASONS)
            add_route(router, method, path, self._answering(endpoint), shown)

    # --- streams ---

    async def start_stream(self, account: KnownAccount, request: Request) -> Response:
        """See the table."""
        call_uuid = str(request.path_params["call_uuid"])
        self._targets.live(account.application_id, call_uuid)
        given = read_body(await whole_body(request, MAX_BODY_BYTES), request.headers.get("content-type", ""))
        fork = await self._forks.start(account, call_uuid, given)
        return _json(rest_answers.started(fork), 202)

    async def list_streams(self, account: KnownAccount, request: Request) -> Response:
        """See the table."""
        forks, target = self._streams(account, request)
        if not forks and target is None:
            raise NoSuchRoom("call not found")
        page = read_page(request.query_params)
        for fork in forks:
            self._course.turns.refresh(fork)
        path = rest_answers.list_path(account.auth_id, str(request.path_params["call_uuid"]))
        return _json(rest_answers.streams(forks, page, path, self._now()))

    async def get_stream(self, account: KnownAccount, request: Request) -> Response:
        """See the table."""
        fork = self._stream(account, request)
        if fork is None:
            raise NoSuchRoom("stream not found")
        self._course.turns.refresh(fork)
        return _json(rest_answers.stream(fork, self._now()))

    async def stop_streams(self, account: KnownAccount, request: Request) -> Response:
        """See the table."""
        forks, target = self._streams(account, request)
        if not forks and target is None:
            raise NoSuchRoom("call not found")
        return await self._stop([fork for fork in forks if not fork.over.is_set()])

    async def stop_stream(self, account: KnownAccount, request: Request) -> Response:
        """See the table."""
        fork = self._stream(account, request)
        if fork is None and not any(self._streams(account, request)):
            raise NoSuchRoom("call not found")
        return await self._stop([] if fork is None or fork.over.is_set() else [fork])

    # --- calls ---

    async def list_calls(self, account: KnownAccount, request: Request) -> Response:
        """See the table; other than live ones are not kept."""
        live = request.query_params.get("status", "live") == "live"
        return _json(rest_answers.live_calls(self._targets.live_ids(account.application_id) if live else []))

    async def get_call(self, account: KnownAccount, request: Request) -> Response:
        """See the table; calls that are over are not kept."""
        target = self._targets.live(account.application_id, str(request.path_params["call_uuid"]))
        if request.query_params.get("status", "live") != "live":
            raise NoSuchParticipant("only live calls are known here")
        return _json(
            rest_answers.live_call(
                target.call_uuid,
                self._targets.ends(target),
                target.participant.name if target.participant else target.conference.name,
                "inbound",
                self._targets.since(target),
                _where(target),
            )
        )

    async def hang_up(self, account: KnownAccount, request: Request) -> Response:
        """See the table."""
        await self._forks.hang_up(account.application_id, str(request.path_params["call_uuid"]))
        return Response(status_code=204)

    # --- inside ---

    def _names(self, account: KnownAccount, request: Request) -> tuple[set[str], Target | None]:
        """Under what a call's streams may be kept, and the call while there is one."""
        call_uuid = canonical(str(request.path_params["call_uuid"]))
        target = self._targets.find(account.application_id, call_uuid)
        return {call_uuid} | ({target.id} if target else set()), target

    def _streams(self, account: KnownAccount, request: Request) -> tuple[list[Fork], Target | None]:
        names, target = self._names(account, request)
        return self._course.records.on_call(account.application_id, names), target

    def _stream(self, account: KnownAccount, request: Request) -> Fork | None:
        names, _ = self._names(account, request)
        stream_id = canonical(str(request.path_params["stream_id"]))
        return self._course.records.find(account.application_id, names, stream_id)

    async def _stop(self, forks: list[Fork]) -> Response:
        if not forks:
            return _json(rest_answers.error(NO_STREAM), 400)
        await asyncio.gather(*(self._course.stop(fork) for fork in forks))
        return Response(status_code=204)

    def _answering(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def run(request: Request) -> Response:
            try:
                auth_id = str(request.path_params["auth_id"])
                account = self._accounts.authenticate(auth_id, request.headers.get("authorization", ""))
                return await endpoint(account, request)
            except Exception as error:  # the outer edge: every answer is JSON
                return answer(error)

        return run


def answer(error: Exception) -> Response:
    """An error as the vendor's clients read it; logs what nobody expected."""
    status = next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="Plivo", charset="UTF-8"'
    elif status == 503:
        headers["Retry-After"] = str(getattr(error, "retry_after_s", LIMIT_RETRY_AFTER_S))
    elif status == 500:
        log.error("x a request failed", exc_info=error)
    text = str(error) if status != 500 else "something went wrong on the server"
    return _json(rest_answers.error(text), status, headers)


def _json(resource: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return Response(rest_answers.written(resource), status, kept, media_type="application/json")


def _where(target: Target) -> dict[str, str]:
    """Ours, beside what Plivo says of a call."""
    where = {"conference_id": target.conference.id}
    if target.participant is not None:
        where |= {"participant_id": target.participant.id, "role": target.participant.role.value}
        where["leg"] = target.participant.leg_kind or ""
    return where
