"""The door of Plivo's streams: `/{application}/{conference}/plivo` as a WebSocket.

| what comes with the upgrade | whose participant the call is |
|---|---|
| a participant's token | that participant |
| an application's token | one made for the call |
| a valid `X-Plivo-Signature-V3` | one made for the call |
| a stream token out of the answer XML | one made for the call |

Nothing of it, or something wrong: 401. Another application's or conference's: 404. While draining: 503.

`?capture=true` has the call captured (docs/captures.md); 400 where the operator keeps no captures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import msgspec

from bridge.directory import Directory
from bridge.errors import BadInput, Draining, NoSuchRoom, NotAllowed
from bridge.facades.plivo.accounts import PlivoAccounts
from bridge.facades.plivo.calls import Calls, Pass
from bridge.facades.plivo.rest_wire import read_capture
from bridge.facades.plivo.stream_tokens import StreamTokens
from bridge.people import Conference
from bridge.sockets import Accept, Refuse, UpgradeRequest

STREAM_PATH = re.compile(r"/([^/]+)/([^/]+)/plivo/?")


class Tokens(Protocol):
    """What is needed of the applications."""

    def authenticate(self, token: str) -> str | None: ...


class Switching(Protocol):
    """What is needed of the switchboard."""

    @property
    def draining(self) -> bool: ...


class Streams:
    """See the module's docstring."""

    def __init__(
        self,
        directory: Directory,
        switchboard: Switching,
        applications: Tokens,
        accounts: PlivoAccounts,
        stream_tokens: StreamTokens,
        calls: Calls,
        *,
        public_base_url: str,
        max_message_bytes: int,
        captures: bool = False,
    ) -> None:
        self._directory = directory
        self._switchboard = switchboard
        self._applications = applications
        self._accounts = accounts
        self._stream_tokens = stream_tokens
        self._calls = calls
        self._public_base_url = public_base_url
        self._max_message_bytes = max_message_bytes
        self._captures = captures

    async def door(self, request: UpgradeRequest) -> Accept | Refuse | None:
        """None when the path is not a stream's."""
        path = STREAM_PATH.fullmatch(request.path)
        if path is None:
            return None
        try:
            let_in = self._let_in(request, path[1], path[2])
            if read_capture(request.query.get("capture", ""), possible=self._captures):
                let_in = replace(let_in, capture=True)
        except BadInput as wrong:
            return refusal(400, str(wrong))
        except NotAllowed as refused:
            return refusal(401, str(refused), {"WWW-Authenticate": "Bearer"})
        except NoSuchRoom:
            return refusal(404, "no such conference")
        except Draining as refused:
            return refusal(503, str(refused), {"Retry-After": str(refused.retry_after_s)})
        return Accept(self._calls.receiver(let_in), self._max_message_bytes, media=True)

    def _let_in(self, request: UpgradeRequest, application_id: str, conference_id: str) -> Pass:
        """Raises NotAllowed, NoSuchRoom, Draining."""
        stream_token = self._stream_tokens.find(request.query.get("stream_token", ""))
        if stream_token is not None and stream_token.conference_id == conference_id:
            conference = self._open(application_id, conference_id)
            return Pass(conference, stream_token=stream_token)
        if request.bearer is not None:
            return self._let_in_by_token(request.bearer, application_id, conference_id)
        url = self._public_base_url and self._public_base_url + request.raw_target
        granted = self._accounts.check(application_id, "GET", url, {}, request.headers)
        let_in = Pass(self._open(application_id, conference_id))
        granted.spend()
        return let_in

    def _let_in_by_token(self, token: str, application_id: str, conference_id: str) -> Pass:
        owner = self._applications.authenticate(token)
        if owner is not None:
            if owner != application_id:
                raise NoSuchRoom("no such application")
            return Pass(self._open(application_id, conference_id))
        participant = self._directory.participant_by_token(token)
        if participant is None:
            raise NotAllowed("no valid token was provided")
        conference = self._open(application_id, conference_id)
        if participant.conference_id != conference.id:
            raise NoSuchRoom("no such conference")
        return Pass(conference, participant.id)

    def _open(self, application_id: str, conference_id: str) -> Conference:
        conference = self._directory.conference(application_id, conference_id)
        # A call that lost its socket may come back while the server drains; which one it is, only its
        # start message tells.
        if self._switchboard.draining and not self._calls.is_waiting(conference_id):
            raise Draining()
        return conference


def refusal(status: int, text: str, headers: Mapping[str, str] | None = None) -> Refuse:
    """An answer in JSON."""
    body = msgspec.json.encode({"error": text, "status": status})
    return Refuse(status, body, headers=tuple((headers or {}).items()))
