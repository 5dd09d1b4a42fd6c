"""What the operator's page needs and the Mind API has no call for, behind the application's token.

GET    /operator/api/server                          how the server does
GET    /operator/api/conferences                     all conferences of the application
PATCH  /operator/api/{conference}/participants/{id}  {"muted": bool, "hears": {participant id: gain | null}}
DELETE /operator/api/{conference}/streams/{id}       a stream to a service, or a part of one, ends
GET    /operator/api/{conference}/recording/files    what there is of its recording, and how uploads go

Errors are JSON: {"error": text}.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict

import msgspec
from fastapi import APIRouter, Request, Response

from bridge.bearer import bearer
from bridge.errors import BadInput, BridgeError, Draining, NoSuchParticipant, NoSuchRoom, NotAllowed
from bridge.people import Actor, Conference, Participant
from bridge.records import ParticipantFields
from bridge.request_body import whole_body
from bridge.web.live_wire import conference_view, person_view
from bridge.web.ports import FiguresNow, Outputs, People, Rooms, Streams, Tokens

MAX_GAIN = 4.0
"""About 12 dB: enough to lift a quiet phone, too little to hurt."""
MAX_BODY_BYTES = 64 * 1024

_STATUS: tuple[tuple[type[BridgeError], int], ...] = (
    (NotAllowed, 403),
    (NoSuchRoom, 404),
    (NoSuchParticipant, 404),
    (BadInput, 400),
    (Draining, 503),
    (BridgeError, 409),
)

Work = Callable[[Request, str], Awaitable[object]]


class ParticipantPatch(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a PATCH. A gain of null gives the crosspoint back to the source's role."""

    muted: bool | msgspec.UnsetType = msgspec.UNSET
    hears: dict[str, float | None] | msgspec.UnsetType = msgspec.UNSET


class OperatorApi:
    """The calls, on the directory and the switchboard."""

    def __init__(
        self,
        directory: People,
        switchboard: Rooms,
        applications: Tokens,
        figures: FiguresNow,
        streams: Streams,
        outputs: Outputs,
    ) -> None:
        self._directory = directory
        self._switchboard = switchboard
        self._applications = applications
        self._figures = figures
        self._streams = streams
        self._outputs = outputs
        self._changing = asyncio.Lock()

    def router(self) -> APIRouter:
        """Its routes, to be included at the root."""
        router = APIRouter(prefix="/operator/api", tags=["operator"])
        for method, path, work, summary in (
            ("GET", "/server", self._server, "How the server does"),
            ("GET", "/conferences", self._conferences, "All conferences of the application"),
            (
                "PATCH",
                "/{conference_id}/participants/{participant_id}",
                self._change_participant,
                "Mute a participant, or change whom it hears",
            ),
            (
                "DELETE",
                "/{conference_id}/streams/{stream_id}",
                self._end_stream,
                "End a stream to a service, or a part of one",
            ),
            ("GET", "/{conference_id}/recording/files", self._files, "The files of a recording"),
        ):
            router.add_api_route(
                path, self._answer(work), methods=[method], summary=summary, response_model=None
            )
        return router

    def _answer(self, work: Work) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            token = bearer(request.headers, {})
            application_id = self._applications.authenticate(token) if token else None
            if application_id is None:
                return _json(401, {"error": "no valid application token was given"})
            try:
                return _json(200, await work(request, application_id))
            except BridgeError as error:
                status = next(status for kind, status in _STATUS if isinstance(error, kind))
                return _json(status, {"error": str(error)})

        return answer

    async def _server(self, request: Request, application_id: str) -> object:
        return {
            "application_id": application_id,
            "legs": dict(self._switchboard.legs()),
            **asdict(self._figures()),
        }

    async def _conferences(self, request: Request, application_id: str) -> object:
        return {
            "conferences": [
                self._summary(conference) for conference in self._directory.conferences(application_id)
            ]
        }

    async def _change_participant(self, request: Request, application_id: str) -> object:
        patch = await _patch_of(request)
        # One at a time: overrides are merged with what is there, and none may be lost between the two.
        async with self._changing:
            conference = self._directory.conference(application_id, request.path_params["conference_id"])
            participant = self._directory.participant(conference, request.path_params["participant_id"])
            fields = ParticipantFields()
            if patch.muted is not msgspec.UNSET:
                fields["muted"] = patch.muted
            if patch.hears is not msgspec.UNSET:
                present = {other.id for other in self._directory.participants(conference)}
                fields["hears"] = _merged(participant, patch.hears, present)
            if fields:
                by = Actor.application(application_id)
                participant = await self._directory.change_participant(participant, by=by, **fields)
        return person_view(participant)

    async def _end_stream(self, request: Request, application_id: str) -> object:
        conference = self._directory.conference(application_id, request.path_params["conference_id"])
        stream_id: str = request.path_params["stream_id"]
        await self._streams.end(application_id, conference.id, stream_id)
        return {"id": stream_id}

    async def _files(self, request: Request, application_id: str) -> object:
        conference = self._directory.conference(application_id, request.path_params["conference_id"])
        return await self._outputs.files(conference)

    def _summary(self, conference: Conference) -> dict[str, object]:
        participants = self._directory.participants(conference)
        online = [participant for participant in participants if participant.online]
        return {
            **msgspec.structs.asdict(conference_view(conference)),
            "participants": len(participants),
            "online": len(online),
            "legs": dict(Counter(participant.leg_kind or "unknown" for participant in online)),
        }


def _merged(participant: Participant, wanted: dict[str, float | None], present: set[str]) -> dict[str, float]:
    """The participant's overrides with the wanted ones. Raises BadInput."""
    hears = dict(participant.hears)
    for source, gain in wanted.items():
        if source == participant.id:
            raise BadInput("nobody hears himself")
        if source not in present:
            raise BadInput("hears names somebody who is not in this conference")
        if gain is None:
            hears.pop(source, None)
        elif math.isfinite(gain) and 0 <= gain <= MAX_GAIN:
            hears[source] = gain
        else:
            raise BadInput(f"a gain is a number from 0 to {MAX_GAIN:g}")
    return hears


async def _patch_of(request: Request) -> ParticipantPatch:
    body = await whole_body(request, MAX_BODY_BYTES)
    try:
        return msgspec.json.decode(body, type=ParticipantPatch)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(str(error)) from None


def _json(status: int, content: object) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(msgspec.json.encode(content), status, headers, "application/json")
