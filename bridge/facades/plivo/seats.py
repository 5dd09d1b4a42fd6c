"""The places of streams in rooms: seats beside a call, and participants that are services.

A stream on one call has a seat of its own, under the stream's id: it hears nobody, is heard by the call it
belongs to, and takes its sound from that call's tracks. A stream on a conference is a transient participant,
whose leg it is; the directory knows it as it knows everybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Protocol
from uuid import uuid4

from bridge.core.ports import (
    CallStart,
    CaptureOrder,
    CloseReason,
    HeardSource,
    LegSpec,
    MixSource,
    ServiceStream,
    SoloSource,
    Source,
)
from bridge.directory import Directory
from bridge.errors import NoSuchParticipant, NoSuchRoom
from bridge.facades.plivo.accounts import PlivoAccounts
from bridge.facades.plivo.callbacks import signed
from bridge.facades.plivo.fork import Fork
from bridge.people import Actor, Audience, Conference, Role
from bridge.routing import Routing
from bridge.status import RoomStatus
from bridge.switch_events import SwitchEvent

STREAM = "stream"
"""The tag of streams' seats."""
SITTING_DOWN = 2
"""Streams that take their places at a time: a hundred that are asked for at once must not hold up a tick."""


class Switching(Protocol):
    """What is needed of the switchboard."""

    @property
    def draining(self) -> bool: ...

    async def connect(self, room_id: str, participant_id: str, spec: LegSpec, routing: Routing) -> object: ...

    async def disconnect(self, room_id: str, participant_id: str, reason: CloseReason) -> None: ...

    def forget(self, room_id: str, participant_id: str) -> None: ...

    def look(self, room_id: str) -> RoomStatus: ...

    def press(self, room_id: str, participant_id: str, track: str, digit: str) -> None: ...

    def subscribe(self, listener: Callable[[SwitchEvent], None]) -> None: ...


class Seats:
    """Takes and gives up places, and knows which stream is where."""

    def __init__(self, directory: Directory, switchboard: Switching, accounts: PlivoAccounts) -> None:
        self._directory = directory
        self._switchboard = switchboard
        self._accounts = accounts
        self._rooms: dict[str, dict[str, Fork]] = {}
        """Room → seat → the stream in it."""
        self._sitting_down = asyncio.Semaphore(SITTING_DOWN)
        self._calls: dict[tuple[str, str], dict[str, Fork]] = {}
        """Room and participant → the streams of that call."""

    def at(self, room_id: str, seat_id: str) -> Fork | None:
        """The stream in that seat."""
        return self._rooms.get(room_id, {}).get(seat_id)

    def in_room(self, room_id: str) -> list[Fork]:
        """Every stream that has a place in it."""
        return list(self._rooms.get(room_id, {}).values())

    def of_call(self, room_id: str, participant_id: str) -> list[Fork]:
        """The streams of one participant's call."""
        return list(self._calls.get((room_id, participant_id), {}).values())

    def hears(self, fork: Fork, who: str) -> bool:
        """Whether its service hears that participant, as far as roles and audiences say."""
        if fork.participant_id is not None:
            return who == fork.participant_id
        speaker = self._directory.find_participant(fork.application_id, who)
        bot = self._directory.find_participant(fork.application_id, fork.bot_id or "")
        if speaker is None or bot is None or speaker.id == bot.id or not speaker.role.primary_in_mix:
            return False
        wanted, meant_for = fork.request.hears, speaker.service.heard_by if speaker.service else None
        return (wanted is None or not wanted.isdisjoint(speaker.tags)) and (
            meant_for is None or not meant_for.isdisjoint(bot.tags)
        )

    def hearing(self, room_id: str, who: str) -> list[Fork]:
        """The streams whose services hear what that participant says."""
        bots = [fork for fork in self.in_room(room_id) if fork.bot_id is not None and self.hears(fork, who)]
        return self.of_call(room_id, who) + bots

    async def sit_down(self, fork: Fork) -> None:
        """Beside the call that it is a stream of. Raises what the switchboard raises.

        The place stays taken until `leave`, whatever happens.
        """
        assert fork.participant_id is not None
        heard_by = fork.request.heard_by
        routing = Routing(
            primary_in_mix=True,
            tags=frozenset((fork.id, STREAM)),
            hears_only=frozenset(),
            heard_by=frozenset((fork.participant_id,)) if heard_by is None else heard_by,
        )
        spec = self._spec(fork, sources_of(fork.request.audio_track, fork.participant_id))
        room_id = fork.conference_id
        await self._take(fork, lambda: self._switchboard.connect(room_id, fork.id, spec, routing))

    async def join(self, fork: Fork, conference: Conference) -> None:
        """As a participant. Raises what the directory raises; nobody is left there then.

        The place stays taken until `leave`, whatever happens.
        """
        request = fork.request
        bot, _ = await self._directory.add_participant(
            conference,
            by=Actor.application(fork.application_id),
            name=request.title,
            role=Role.SPEAKER if request.bidirectional else Role.ATTENDEE,
            transient=True,
            service=Audience(request.hears, request.heard_by),
        )
        fork.bot_id = fork.start_id = bot.id
        spec = self._spec(fork, {"inbound": MixSource()})
        try:
            await self._take(fork, lambda: self._directory.connect(bot, spec))
        except BaseException:
            await self._remove_bot(fork)
            raise

    def leave(self, fork: Fork) -> None:
        """Its leg is over, or was never there."""
        seats = self._rooms.get(fork.conference_id, {})
        if seats.get(fork.seat_id) is fork:
            del seats[fork.seat_id]
            if not seats:
                del self._rooms[fork.conference_id]
        if fork.participant_id is not None:
            call = (fork.conference_id, fork.participant_id)
            streams = self._calls.get(call, {})
            streams.pop(fork.id, None)
            if not streams:
                self._calls.pop(call, None)
        if fork.bot_id is None:
            self._switchboard.forget(fork.conference_id, fork.id)

    async def close(self, fork: Fork) -> None:
        """End its leg, if there is one; a service that is a participant is removed."""
        if fork.bot_id is not None:
            await self._remove_bot(fork)
        else:
            await self._switchboard.disconnect(fork.conference_id, fork.id, CloseReason.HANGUP)

    async def _take(self, fork: Fork, connect: Callable[[], Awaitable[object]]) -> None:
        self._rooms.setdefault(fork.conference_id, {})[fork.seat_id] = fork
        if fork.participant_id is not None:
            self._calls.setdefault((fork.conference_id, fork.participant_id), {})[fork.id] = fork
        async with self._sitting_down:
            await asyncio.sleep(0)  # a tick that is due comes first
            await connect()

    async def _remove_bot(self, fork: Fork) -> None:
        bot = self._directory.find_participant(fork.application_id, fork.bot_id or "")
        if bot is not None:
            with suppress(NoSuchRoom, NoSuchParticipant):  # somebody else was faster
                await self._directory.remove_participant(bot, by=Actor.application(fork.application_id))

    def _spec(self, fork: Fork, sources: Mapping[str, Source]) -> ServiceStream:
        request = fork.request
        account_id = fork.auth_id or fork.application_id
        if request.capture:
            fork.capture_id = str(uuid4())
        return ServiceStream(
            url=request.service_url,
            call=CallStart(
                fork.start_id, fork.id, account_id, tuple(sources), request.audio_format, request.headers
            ),
            sources=sources,
            ledger=fork.ledger,
            bidirectional=request.bidirectional,
            handshake=lambda: signed(self._accounts, fork.auth_id, "GET", request.service_url, {}),
            redial=request.redial,
            say_stop=request.say_stop,
            timeout_s=float(request.timeout_s),
            capture=CaptureOrder(fork.capture_id, fork.application_id) if fork.capture_id else None,
        )


def sources_of(track: str, participant_id: str) -> dict[str, Source]:
    """What is sent of a call: what the participant says, what they hear, or both."""
    sources: dict[str, Source] = {}
    if track != "outbound":
        sources["inbound"] = SoloSource(participant_id)
    if track in ("outbound", "both"):
        sources["outbound"] = HeardSource(participant_id)
    return sources
