"""What a request reaches: who asks, the conference or the participant of its path, and its body."""

from __future__ import annotations

from starlette.requests import Request

from bridge.bearer import bearer
from bridge.facades.mind.body_wire import AnyBody, parse
from bridge.facades.mind.errors import Refusal
from bridge.facades.mind.gate import Asking, Gate
from bridge.facades.mind.permissions import Operation
from bridge.people import Conference, Participant
from bridge.request_body import whole_body


class Reach:
    """The gate, asked with the token and the ids of a request; raises as that does."""

    def __init__(self, gate: Gate, body_bytes: int) -> None:
        """`body_bytes`: the most that a body may have."""
        self._gate = gate
        self._body_bytes = body_bytes

    def application(self, request: Request, operation: Operation) -> Asking:
        """Into the application."""
        return self._gate.application(_token(request), _id(request, "application_id"), operation)

    def conference(self, request: Request, operation: Operation) -> tuple[Asking, Conference]:
        """Into the conference."""
        return self._gate.conference(
            _token(request), _id(request, "application_id"), _id(request, "conference_id"), operation
        )

    def participant(self, request: Request, operation: Operation) -> tuple[Asking, Participant]:
        """To the participant."""
        return self._gate.participant(
            _token(request),
            _id(request, "application_id"),
            _id(request, "conference_id"),
            _id(request, "participant_id"),
            operation,
        )

    def session(self, request: Request) -> Participant:
        """To the place of whoever asks; the path may name it, too."""
        named = _id(request, "participant_id") if "participant_id" in request.path_params else None
        return self._gate.session(
            _token(request), _id(request, "application_id"), _id(request, "conference_id"), named
        )

    async def body(self, request: Request, kind: type[AnyBody]) -> AnyBody:
        """Raises BadInput, and Refusal (415)."""
        body = await whole_body(request, self._body_bytes)
        kind_given = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if body and kind_given != "application/json":
            raise Refusal(415, "the body's Content-Type must be application/json")
        return parse(body, kind)


def _token(request: Request) -> str | None:
    return bearer(request.headers, request.query_params)


def _id(request: Request, name: str) -> str:
    return str(request.path_params[name])
