"""The Mind API's calls about participants: who they are, what they play, and their sessions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from bridge.core.ports import WebRtcOffer
from bridge.directory import Directory
from bridge.errors import BadInput, NotAllowed
from bridge.facades.mind.answers import ok
from bridge.facades.mind.body_wire import ParticipantChange, ParticipantCreation, SessionDescription
from bridge.facades.mind.gate import Asking
from bridge.facades.mind.permissions import Operation, may_change
from bridge.facades.mind.reach import Reach
from bridge.facades.mind.resource_wire import invited_resource, participant_resource
from bridge.people import Actor, Conference, Participant
from bridge.players import Playing, SourceChange, SourceWishes


class Playback(Protocol):
    """What is needed of `bridge.players.Players`."""

    async def play(
        self, conference: Conference, wishes: SourceWishes, *, by: Actor, **fields: Any
    ) -> tuple[Participant, str]: ...
    async def change(self, participant: Participant, change: SourceChange) -> None: ...
    def look(self, participant: Participant) -> Playing | None: ...


class ParticipantCalls:
    """Without `players` nothing is played."""

    def __init__(self, directory: Directory, reach: Reach, players: Playback | None) -> None:
        self._directory = directory
        self._reach = reach
        self._players = players

    async def list(self, request: Request) -> Response:
        """All of the conference; whoever asks comes first."""
        asking, conference = self._reach.conference(request, Operation.LIST_PARTICIPANTS)
        people = asking.first(self._directory.participants(conference))
        return ok([participant_resource(one, self._playing(asking, one)) for one in people])

    async def create(self, request: Request) -> Response:
        """A new one; ours: with a `source`, which is played in place of a person."""
        asking, conference = self._reach.conference(request, Operation.CREATE_PARTICIPANT)
        wanted = await self._reach.body(request, ParticipantCreation)
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
        return ok(invited_resource(participant, token, self._playing(asking, participant)))

    async def delete_all(self, request: Request) -> Response:
        """Expel everybody."""
        asking, conference = self._reach.conference(request, Operation.DELETE_PARTICIPANTS)
        await self._directory.remove_participants(conference, by=asking.actor)
        return ok()

    async def get(self, request: Request) -> Response:
        """One of them."""
        asking, target = self._reach.participant(request, Operation.GET_PARTICIPANT)
        return ok(participant_resource(target, self._playing(asking, target)))

    async def change(self, request: Request) -> Response:
        """What the body names, as far as whoever asks may change it."""
        asking, target = self._reach.participant(request, Operation.CHANGE_PARTICIPANT)
        wanted = await self._reach.body(request, ParticipantChange)
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
        return ok(participant_resource(changed, self._playing(asking, changed)))

    async def delete(self, request: Request) -> Response:
        """Expel one of them."""
        asking, target = self._reach.participant(request, Operation.DELETE_PARTICIPANT)
        await self._directory.remove_participant(target, by=asking.actor)
        return ok()

    async def open_session(self, request: Request) -> Response:
        """An offer of whoever asks, for an answer."""
        participant = self._reach.session(request)
        offer = await self._reach.body(request, SessionDescription)
        connection = await self._directory.connect(participant, WebRtcOffer(offer.sdp))
        if connection.answer is None:
            raise RuntimeError("an offer was accepted without an answer")
        return ok(SessionDescription(sdp=connection.answer))

    # --- inside ---

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
