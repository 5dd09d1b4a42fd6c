"""Who is there: what a participant's role means for the mix, and what their leg means for everybody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from bridge.background import Background
from bridge.changes import Change, DigitReceived, ParticipantChanged
from bridge.core.ports import CloseReason, LegSpec
from bridge.errors import NoSuchParticipant, NoSuchRoom
from bridge.people import NO_MEDIA, Actor, Media, Participant
from bridge.register import Register
from bridge.routing import Routing
from bridge.switch_events import Digit, LegDown, LegInterruptedOn, LegUp, MediaChanged, SwitchEvent

if TYPE_CHECKING:
    from bridge.switchboard import Connection

log = logging.getLogger(__name__)


class Switching(Protocol):
    """What the directory needs of the switchboard."""

    draining: bool

    def open_room(self, room_id: str) -> None: ...
    async def close_room(self, room_id: str, reason: CloseReason) -> None: ...
    async def connect(
        self, room_id: str, participant_id: str, spec: LegSpec, routing: Routing
    ) -> Connection: ...
    async def disconnect(self, room_id: str, participant_id: str, reason: CloseReason) -> None: ...
    def route(self, room_id: str, participant_id: str, routing: Routing) -> None: ...
    def forget(self, room_id: str, participant_id: str) -> None: ...
    def subscribe(self, listener: Callable[[SwitchEvent], None]) -> None: ...


def after(participant: Participant, event: SwitchEvent) -> Participant:
    """The participant as they are once `event` has happened to them."""
    match event:
        case LegUp(kind=kind):
            return replace(participant, online=True, leg_kind=kind)
        case LegDown():
            return replace(participant, online=False, leg_kind=None, media=NO_MEDIA, secondary_media=NO_MEDIA)
        case MediaChanged(input_name="primary", sending=sending):
            return replace(participant, media=Media(sending, participant.media.video))
        case MediaChanged(sending=sending):
            return replace(participant, secondary_media=Media(sending, participant.secondary_media.video))
        case _:
            return participant


def routing_of(participant: Participant) -> Routing:
    """What the participant gives to the mix and takes from it."""
    return Routing(
        primary_in_mix=participant.role.primary_in_mix,
        secondary_in_mix=participant.role.secondary_in_mix,
        muted=participant.muted,
        hears=participant.hears,
        tags=participant.tags,
        hears_only=participant.service.hears if participant.service else None,
        heard_by=participant.service.heard_by if participant.service else None,
    )


class Presence:
    """Connects participants, and keeps the register true to what the switchboard reports.

    `call_over` removes a transient participant whose leg is down.
    """

    def __init__(
        self,
        register: Register,
        switchboard: Switching,
        emit: Callable[[Change], None],
        call_over: Callable[[Participant], Awaitable[None]],
    ) -> None:
        self._register = register
        self._switchboard = switchboard
        self._emit = emit
        self._call_over = call_over
        self._background = Background(log, "a caller could not be removed")
        switchboard.subscribe(self._switch_event)

    async def connect(self, participant: Participant, spec: LegSpec) -> Connection:
        """Raises NoSuchRoom, NoSuchParticipant, and what the switchboard raises."""
        current = self._register.newest(participant)
        routing = routing_of(current)
        connection = await self._switchboard.connect(current.conference_id, current.id, spec, routing)
        try:
            newest = self._register.newest(current)
        except (NoSuchRoom, NoSuchParticipant):  # removed while the leg was being made
            await self.say_goodbye([current])
            raise
        if routing_of(newest) != routing:
            self.reroute(newest)
        if connection.renegotiated:
            log.debug("- renegotiated", extra=_where(newest))
        return connection

    def reroute(self, participant: Participant) -> None:
        """Mix them as their values now say."""
        self._switchboard.route(participant.conference_id, participant.id, routing_of(participant))

    async def say_goodbye(self, gone: list[Participant]) -> None:
        """End the legs of those who were removed."""
        await asyncio.gather(
            *(self._switchboard.disconnect(one.conference_id, one.id, CloseReason.EXPELLED) for one in gone)
        )
        for one in gone:
            self._switchboard.forget(one.conference_id, one.id)

    async def close(self) -> None:
        """Wait for those who are still being removed."""
        await self._background.close()

    def _switch_event(self, event: SwitchEvent) -> None:
        before = self._register.find(event.room_id, event.participant_id)
        if before is None:
            return
        by = Actor.participant(before.id)
        if isinstance(event, Digit):
            self._emit(DigitReceived(before.conference_id, by, before.id, event.digit))
            return
        if isinstance(event, LegInterruptedOn):
            log.debug("- interrupted: %s", event.cause, extra=_where(before))
        changed = after(before, event)
        if changed != before:
            self._register.put(changed)
            self._emit(ParticipantChanged(before.conference_id, by, before, changed))
        if isinstance(event, LegDown) and before.transient:
            self._background.start(self._leave(changed))

    async def _leave(self, participant: Participant) -> None:
        try:
            await self._call_over(participant)
        except (NoSuchRoom, NoSuchParticipant):
            return  # somebody else was faster
        except Exception:
            log.exception(
                "x a caller could not be removed",
                extra=_where(participant),
            )


def _where(participant: Participant) -> dict[str, str | None]:
    """What a log line carries beside its text."""
    return {"room": participant.conference_id, "participant": participant.id, "leg": participant.leg_kind}
