"""The Mind API over HTTP, and the door of its WebSocket."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

from fastapi import APIRouter, Depends
from fastapi.security import APIKeyQuery, HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from bridge.directory import Directory
from bridge.facades.mind import errors, openapi_page
from bridge.facades.mind.conference_calls import ConferenceCalls, Declarer
from bridge.facades.mind.door import WatchDoor
from bridge.facades.mind.errors import Refusal
from bridge.facades.mind.gate import Gate, Tokens
from bridge.facades.mind.notifications import Notifications, Sender
from bridge.facades.mind.operations import CONFERENCE_PATH, DESCRIPTIONS, Description, extra, responses
from bridge.facades.mind.participant_calls import ParticipantCalls, Playback
from bridge.facades.mind.permissions import Operation
from bridge.facades.mind.reach import Reach
from bridge.facades.mind.recording_calls import Recorder, RecordingCalls
from bridge.facades.mind.streaming_calls import Streamer, StreamingCalls
from bridge.sockets import Accept, Refuse, UpgradeRequest

log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class MindSettings:
    """Limits."""

    body_bytes: int = 1 << 20


class MindFacade:
    """Gives the HTTP routes and the WebSocket's door; makes the notifications that go with them."""

    def __init__(
        self,
        directory: Directory,
        switchboard: Sender,
        applications: Tokens,
        recordings: Recorder,
        streamings: Streamer,
        settings: MindSettings | None = None,
        declarer: Declarer | None = None,
        players: Playback | None = None,
    ) -> None:
        """Without a `declarer` no conference begins with streams, without `players` nothing is played."""
        gate = Gate(directory, applications)
        self._reach = Reach(gate, (settings or MindSettings()).body_bytes)
        self._conferences = ConferenceCalls(directory, self._reach, streamings, declarer)
        self._participants = ParticipantCalls(directory, self._reach, players)
        self._recording = RecordingCalls(recordings, self._reach)
        self._streamings = StreamingCalls(streamings, self._reach)
        self.notifications = Notifications(directory, switchboard)
        self._door = WatchDoor(gate, self.notifications)

    def router(self) -> APIRouter:
        """Every path with and without a slash at its end; for the root of an origin, without a prefix.

        `/docs` shows the description of the whole application.
        """
        shown = [
            Depends(HTTPBearer(auto_error=False, description="An application's or a participant's token")),
            Depends(APIKeyQuery(name="access_token", auto_error=False)),
        ]
        router = APIRouter()
        router.include_router(openapi_page.router())
        calls = APIRouter(tags=["Mind API"], dependencies=shown)
        endpoints = self._endpoints()
        for description in DESCRIPTIONS:
            operation = description.operation
            endpoint = endpoints[operation] if description.built else self._not_built(operation)
            _add(calls, description, endpoint)
        router.include_router(calls)
        return router

    async def door(self, request: UpgradeRequest) -> Accept | Refuse | None:
        """The application's notifications, on the conference's own path."""
        return self._door(request)

    # --- inside ---

    def _endpoints(self) -> dict[Operation, Endpoint]:
        """All that are built."""
        conferences, participants = self._conferences, self._participants
        recording, streamings = self._recording, self._streamings
        return {
            Operation.CREATE_CONFERENCE: conferences.create,
            Operation.GET_CONFERENCE: conferences.get,
            Operation.CHANGE_CONFERENCE: conferences.change,
            Operation.DELETE_CONFERENCE: conferences.delete,
            Operation.SEND_MESSAGE: conferences.send_message,
            Operation.GET_TRANSCRIPTION: conferences.get_transcription,
            Operation.LIST_PARTICIPANTS: participants.list,
            Operation.CREATE_PARTICIPANT: participants.create,
            Operation.DELETE_PARTICIPANTS: participants.delete_all,
            Operation.GET_PARTICIPANT: participants.get,
            Operation.CHANGE_PARTICIPANT: participants.change,
            Operation.DELETE_PARTICIPANT: participants.delete,
            Operation.OPEN_SESSION: participants.open_session,
            Operation.GET_RECORDING: recording.get,
            Operation.GET_RECORDING_PREVIEW: recording.get_preview,
            Operation.GET_RECORDING_MANIFEST: recording.get_manifest,
            Operation.GET_RECORDING_FILE: recording.get_file,
            Operation.START_RECORDING: recording.start,
            Operation.STOP_RECORDING: recording.stop,
            Operation.LIST_STREAMINGS: streamings.list,
            Operation.CREATE_STREAMING: streamings.create,
            Operation.DELETE_STREAMINGS: streamings.delete_all,
            Operation.GET_STREAMING: streamings.get,
            Operation.DELETE_STREAMING: streamings.delete,
            Operation.MARK_STREAMING: streamings.mark,
        }

    def _not_built(self, operation: Operation) -> Endpoint:
        async def not_built(request: Request) -> Response:
            if "participant_id" in request.path_params:
                self._reach.participant(request, operation)
            else:
                self._reach.conference(request, operation)
            raise Refusal(501, f"{operation} is not built yet")

        return not_built


def _add(router: APIRouter, description: Description, endpoint: Endpoint) -> None:
    async def run(request: Request) -> Response:
        began = monotonic()
        why = ""
        try:
            response = await endpoint(request)
        except Exception as error:  # the outer edge: every answer is JSON
            response = errors.answer(error)
            why = f": {error}"
        ids = request.path_params
        log.debug(
            "< %s: %d in %.0f ms%s",
            description.operation,
            response.status_code,
            1000 * (monotonic() - began),
            why,
            extra={"room": ids.get("conference_id"), "participant": ids.get("participant_id")},
        )
        return response

    alias = description.operation is Operation.OPEN_SESSION and description.path != CONFERENCE_PATH
    router.add_api_route(
        description.path,
        run,
        methods=[description.method],
        summary=description.summary,
        status_code=200 if description.built else 501,
        operation_id=description.operation + ("OfParticipant" if alias else ""),
        response_class=Response,
        response_model=None,
        responses=responses(description),
        openapi_extra=extra(description),
    )
    router.add_route(description.path + "/", run, methods=[description.method], include_in_schema=False)
    if description.method == "GET":
        router.add_route(description.path, run, methods=["HEAD"], include_in_schema=False)
