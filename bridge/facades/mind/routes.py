"""The Mind API over HTTP, and the door of its WebSocket."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, Protocol

import msgspec
from fastapi import APIRouter, Depends
from fastapi.security import APIKeyQuery, HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from bridge.bearer import bearer
from bridge.core.ports import WebRtcOffer
from bridge.directory import Directory
from bridge.errors import BadInput, NoSuchParticipant, NotAllowed
from bridge.facades.mind import errors, openapi_page, wire
from bridge.facades.mind.bodies import AnyBody, read_body
from bridge.facades.mind.door import WatchDoor
from bridge.facades.mind.errors import Refusal
from bridge.facades.mind.gate import Asking, Gate, Tokens
from bridge.facades.mind.notifications import Notifications, Sender
from bridge.facades.mind.operations import CONFERENCE_PATH, DESCRIPTIONS, Description, extra, responses
from bridge.facades.mind.permissions import Operation, may_change
from bridge.facades.mind.recording_calls import Recorder, RecordingCalls
from bridge.facades.mind.streaming_calls import Streamer, StreamingCalls
from bridge.people import Actor, Conference, Participant
from bridge.players import Playing, SourceChange, SourceWishes
from bridge.sockets import Accept, Refuse, UpgradeRequest

log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class MindSettings:
    """Limits."""

    body_bytes: int = 1 << 20


class Streaming(Protocol):
    """Begins streams to services together with a conference."""

    async def prepare(self, streams: Sequence[Mapping[str, object]]) -> Sequence[Any]:
        """Read and check them before the conference is opened. Raises BadInput."""

    async def declare(self, conference: Conference, prepared: Sequence[Any]) -> list[str]:
        """Begin them; gives their ids. Raises BridgeError, and then none is left."""


class Playback(Protocol):
    """What is needed of `bridge.players.Players`."""

    async def play(
        self, conference: Conference, wishes: SourceWishes, *, by: Actor, **fields: Any
    ) -> tuple[Participant, str]: ...
    async def change(self, participant: Participant, change: SourceChange) -> None: ...
    def look(self, participant: Participant) -> Playing | None: ...


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
        streaming: Streaming | None = None,
        players: Playback | None = None,
    ) -> None:
        """Without `streaming` no conference begins with streams, without `players` nothing is played."""
        self._players = players
        self._streaming = streaming
        self._directory = directory
        self._gate = Gate(directory, applications)
        self._settings = settings or MindSettings()
        self._recording = RecordingCalls(recordings, self._conference, self._settings.body_bytes)
        self._streamings = streamings
        self._streaming_calls = StreamingCalls(streamings, self._conference, self._settings.body_bytes)
        self.notifications = Notifications(directory, switchboard)
        self._door = WatchDoor(self._gate, self.notifications)

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
        endpoints: dict[Operation, Endpoint] = {
            Operation.CREATE_CONFERENCE: self.create_conference,
            Operation.GET_CONFERENCE: self.get_conference,
            Operation.CHANGE_CONFERENCE: self.change_conference,
            Operation.DELETE_CONFERENCE: self.delete_conference,
            Operation.OPEN_SESSION: self.open_session,
            Operation.LIST_PARTICIPANTS: self.list_participants,
            Operation.CREATE_PARTICIPANT: self.create_participant,
            Operation.DELETE_PARTICIPANTS: self.delete_participants,
            Operation.GET_PARTICIPANT: self.get_participant,
            Operation.CHANGE_PARTICIPANT: self.change_participant,
            Operation.DELETE_PARTICIPANT: self.delete_participant,
            Operation.SEND_MESSAGE: self.send_message,
            Operation.GET_RECORDING: self._recording.get,
            Operation.GET_RECORDING_PREVIEW: self._recording.get_preview,
            Operation.GET_RECORDING_MANIFEST: self._recording.get_manifest,
            Operation.GET_RECORDING_FILE: self._recording.get_file,
            Operation.START_RECORDING: self._recording.start,
            Operation.STOP_RECORDING: self._recording.stop,
            Operation.LIST_STREAMINGS: self._streaming_calls.list,
            Operation.CREATE_STREAMING: self._streaming_calls.create,
            Operation.DELETE_STREAMINGS: self._streaming_calls.delete_all,
            Operation.GET_STREAMING: self._streaming_calls.get,
            Operation.DELETE_STREAMING: self._streaming_calls.delete,
            Operation.MARK_STREAMING: self._streaming_calls.mark,
            Operation.GET_TRANSCRIPTION: self.get_transcription,
        }
        for description in DESCRIPTIONS:
            operation = description.operation
            endpoint = endpoints[operation] if description.built else self._not_built(operation)
            _add(calls, description, endpoint)
        router.include_router(calls)
        return router

    async def door(self, request: UpgradeRequest) -> Accept | Refuse | None:
        """The application's notifications, on the conference's own path."""
        return self._door(request)

    # --- conferences ---

    async def create_conference(self, request: Request) -> Response:
        application_id = str(request.path_params["application_id"])
        asking = self._gate.application(_token(request), application_id, Operation.CREATE_CONFERENCE)
        wanted = await self._body(request, wire.ConferenceCreation)
        if wanted.streams and self._streaming is None:
            raise BadInput("this server streams to nobody")
        prepared = await self._streaming.prepare(wanted.streams) if self._streaming and wanted.streams else ()
        conference = await self._directory.open_conference(
            application_id, by=asking.actor, name=wanted.name, layout=wanted.layout
        )
        stream_ids: list[str] = []
        if self._streaming is not None and prepared:
            try:
                stream_ids = await self._streaming.declare(conference, prepared)
            except BaseException:
                await self._directory.close_conference(conference, by=asking.actor)
                raise
        return _ok(wire.created_resource(conference, stream_ids))

    async def get_conference(self, request: Request) -> Response:
        asking, conference = self._conference(request, Operation.GET_CONFERENCE)
        if not wire.parse_flag("detailed", request.query_params.get("detailed")):
            return _ok(wire.conference_resource(conference))
        people = self._people(asking, conference)
        streamings = self._streamings.all_of(conference) if asking.participant is None else None
        return _ok(wire.conference_resource(conference, people, streamings=streamings))

    async def change_conference(self, request: Request) -> Response:
        asking, conference = self._conference(request, Operation.CHANGE_CONFERENCE)
        wanted = await self._body(request, wire.ConferenceChange)
        changed = await self._directory.change_conference(conference, by=asking.actor, name=wanted.name)
        return _ok(wire.conference_resource(changed))

    async def delete_conference(self, request: Request) -> Response:
        asking, conference = self._conference(request, Operation.DELETE_CONFERENCE)
        await self._directory.close_conference(conference, by=asking.actor)
        return _ok()

    # --- participants ---

    async def list_participants(self, request: Request) -> Response:
        asking, conference = self._conference(request, Operation.LIST_PARTICIPANTS)
        people = self._people(asking, conference)
        return _ok([wire.participant_resource(one, self._playing(asking, one)) for one in people])

    async def create_participant(self, request: Request) -> Response:
        asking, conference = self._conference(request, Operation.CREATE_PARTICIPANT)
        wanted = await self._body(request, wire.ParticipantCreation)
        make: Callable[..., Awaitable[tuple[Participant, str]]] = self._directory.add_participant
        if wanted.source is not None:
            make = partial(self._playback.play, wishes=wanted.source)
        participant, token = await make(
            conference,
            by=asking.actor,
            name=wanted.name,
            priority=wanted.priority,
            role=wanted.role,
            layout=wanted.layout,
            language=wanted.language,
        )
        return _ok(wire.invited_resource(participant, token, self._playing(asking, participant)))

    async def delete_participants(self, request: Request) -> Response:
        asking, conference = self._conference(request, Operation.DELETE_PARTICIPANTS)
        await self._directory.remove_participants(conference, by=asking.actor)
        return _ok()

    async def get_participant(self, request: Request) -> Response:
        asking, target = self._participant(request, Operation.GET_PARTICIPANT)
        return _ok(wire.participant_resource(target, self._playing(asking, target)))

    async def change_participant(self, request: Request) -> Response:
        asking, target = self._participant(request, Operation.CHANGE_PARTICIPANT)
        wanted = await self._body(request, wire.ParticipantChange)
        for field in wanted.__struct_fields__:
            if getattr(wanted, field) is not None and not may_change(asking.callers(target), field):
                raise NotAllowed(f"a {asking.role} may not change `{field}`")
        changed = await self._directory.change_participant(
            target,
            by=asking.actor,
            name=wanted.name,
            priority=wanted.priority,
            role=wanted.role,
            layout=wanted.layout,
            language=wanted.language,
        )
        if wanted.source is not None:
            await self._playback.change(changed, wanted.source)
        return _ok(wire.participant_resource(changed, self._playing(asking, changed)))

    async def delete_participant(self, request: Request) -> Response:
        asking, target = self._participant(request, Operation.DELETE_PARTICIPANT)
        await self._directory.remove_participant(target, by=asking.actor)
        return _ok()

    async def open_session(self, request: Request) -> Response:
        ids = request.path_params
        named = str(ids["participant_id"]) if "participant_id" in ids else None
        participant = self._gate.session(
            _token(request), str(ids["application_id"]), str(ids["conference_id"]), named
        )
        offer = await self._body(request, wire.SessionDescription)
        connection = await self._directory.connect(participant, WebRtcOffer(offer.sdp))
        if connection.answer is None:
            raise RuntimeError("an offer was accepted without an answer")
        return _ok(wire.SessionDescription(sdp=connection.answer))

    # --- the rest ---

    async def send_message(self, request: Request) -> Response:
        asking, conference = self._conference(request, Operation.SEND_MESSAGE)
        wanted = await self._body(request, wire.MessageCreation)
        try:
            message = await self._directory.send_message(
                conference,
                by=asking.actor,
                send_to=str(wanted.send_to),
                text=wanted.text,
                persistent=wanted.persistent,
            )
        except NoSuchParticipant:
            # Not 404: the sender's client would take it for its own expulsion.
            raise BadInput("`sendTo` is no participant, nor the application or the conference") from None
        return _ok(wire.message_resource(message))

    async def get_transcription(self, request: Request) -> Response:
        self._conference(request, Operation.GET_TRANSCRIPTION)
        return _ok(wire.Started(False))

    def _not_built(self, operation: Operation) -> Endpoint:
        async def not_built(request: Request) -> Response:
            if "participant_id" in request.path_params:
                self._participant(request, operation)
            else:
                self._conference(request, operation)
            raise Refusal(501, f"{operation} is not built yet")

        return not_built

    # --- inside ---

    def _conference(self, request: Request, operation: Operation) -> tuple[Asking, Conference]:
        ids = request.path_params
        return self._gate.conference(
            _token(request), str(ids["application_id"]), str(ids["conference_id"]), operation
        )

    def _participant(self, request: Request, operation: Operation) -> tuple[Asking, Participant]:
        ids = request.path_params
        return self._gate.participant(
            _token(request),
            str(ids["application_id"]),
            str(ids["conference_id"]),
            str(ids["participant_id"]),
            operation,
        )

    @property
    def _playback(self) -> Playback:
        if self._players is None:
            raise BadInput("this server plays nothing")
        return self._players

    def _playing(self, asking: Asking, participant: Participant) -> Playing | None:
        """For the application only."""
        if self._players is None or asking.participant is not None:
            return None
        return self._players.look(participant)

    def _people(self, asking: Asking, conference: Conference) -> list[Participant]:
        """Whoever asks comes first; clients rely on it."""
        people = self._directory.participants(conference)
        first = asking.participant
        if first is not None:
            people.sort(key=lambda one: one.id != first.id)
        return people

    async def _body(self, request: Request, kind: type[AnyBody]) -> AnyBody:
        """Raises Refusal (413, 415) and BadInput."""
        return await read_body(request, kind, self._settings.body_bytes)


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


def _token(request: Request) -> str | None:
    return bearer(request.headers, request.query_params)


def _ok(resource: Any = None) -> Response:
    """200, with or without a body."""
    headers = {"Cache-Control": "no-store"}  # some hold a token
    if resource is None:
        return Response(status_code=200, headers=headers)
    return Response(msgspec.json.encode(resource), headers=headers, media_type="application/json")
