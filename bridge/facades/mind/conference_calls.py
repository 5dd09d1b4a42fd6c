"""The Mind API's calls about conferences, and the messages in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from bridge.directory import Directory
from bridge.errors import BadInput, NoSuchParticipant
from bridge.facades.mind.answers import ok
from bridge.facades.mind.body_wire import ConferenceChange, ConferenceCreation, MessageCreation, parse_flag
from bridge.facades.mind.permissions import Operation
from bridge.facades.mind.reach import Reach
from bridge.facades.mind.resource_wire import (
    Started,
    conference_resource,
    created_resource,
    message_resource,
)
from bridge.facades.mind.streaming_calls import Streamer
from bridge.people import Conference


class Declarer(Protocol):
    """Begins streams to services together with a conference."""

    async def prepare(self, streams: Sequence[Mapping[str, object]]) -> Sequence[Any]:
        """Read and check them before the conference is opened. Raises BadInput."""

    async def declare(self, conference: Conference, prepared: Sequence[Any]) -> list[str]:
        """Begin them; gives their ids. Raises BridgeError, and then none is left."""


class ConferenceCalls:
    """Without a `declarer` no conference begins with streams."""

    def __init__(
        self, directory: Directory, reach: Reach, streamings: Streamer, declarer: Declarer | None
    ) -> None:
        self._directory = directory
        self._reach = reach
        self._streamings = streamings
        self._declarer = declarer

    async def create(self, request: Request) -> Response:
        """A new one; ours: with streams to services from its beginning."""
        asking = self._reach.application(request, Operation.CREATE_CONFERENCE)
        wanted = await self._reach.body(request, ConferenceCreation)
        declarer = self._declarer if wanted.streams else None
        if wanted.streams and declarer is None:
            raise BadInput("this server streams to nobody")
        prepared = await declarer.prepare(wanted.streams) if declarer is not None else ()
        conference = await self._directory.open_conference(
            asking.application_id, by=asking.actor, name=wanted.name, layout=wanted.layout
        )
        stream_ids: list[str] = []
        if declarer is not None and prepared:
            try:
                stream_ids = await declarer.declare(conference, prepared)
            except BaseException:
                await self._directory.close_conference(conference, by=asking.actor)
                raise
        return ok(created_resource(conference, stream_ids))

    async def get(self, request: Request) -> Response:
        """As it is; `detailed` with everybody, and for the application with its streamings."""
        asking, conference = self._reach.conference(request, Operation.GET_CONFERENCE)
        if not parse_flag("detailed", request.query_params.get("detailed")):
            return ok(conference_resource(conference))
        people = asking.first(self._directory.participants(conference))
        streamings = self._streamings.all_of(conference) if asking.participant is None else None
        return ok(conference_resource(conference, people, streamings=streamings))

    async def change(self, request: Request) -> Response:
        """Give it another name."""
        asking, conference = self._reach.conference(request, Operation.CHANGE_CONFERENCE)
        wanted = await self._reach.body(request, ConferenceChange)
        changed = await self._directory.change_conference(conference, by=asking.actor, name=wanted.name)
        return ok(conference_resource(changed))

    async def delete(self, request: Request) -> Response:
        """End it, and expel everybody."""
        asking, conference = self._reach.conference(request, Operation.DELETE_CONFERENCE)
        await self._directory.close_conference(conference, by=asking.actor)
        return ok()

    async def send_message(self, request: Request) -> Response:
        """To a participant, to the application, or to all of them."""
        asking, conference = self._reach.conference(request, Operation.SEND_MESSAGE)
        wanted = await self._reach.body(request, MessageCreation)
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
        return ok(message_resource(message))

    async def get_transcription(self, request: Request) -> Response:
        """Nothing is transcribed."""
        self._reach.conference(request, Operation.GET_TRANSCRIPTION)
        return ok(Started(False))
