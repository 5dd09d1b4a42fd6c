"""Streams of calls to services as they are asked for: which calls, and whether they can be.

What becomes of them is their `fork_course`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from uuid import uuid4

from bridge.errors import BadInput, Draining, LimitReached, NoSuchParticipant, NoSuchRoom
from bridge.facades.plivo.accounts import KnownAccount, PlivoAccounts
from bridge.facades.plivo.fork import CALL_HANGUP, Fork
from bridge.facades.plivo.fork_course import ForkCourse
from bridge.facades.plivo.names import canonical
from bridge.facades.plivo.rest_wire import StreamRequest
from bridge.facades.plivo.seats import Switching
from bridge.facades.plivo.stream_requests import StreamRequests
from bridge.facades.plivo.targets import Target, Targets
from bridge.people import Conference


class Forks:
    """`per_call`: streams of one call, or of one conference, at one time."""

    def __init__(
        self,
        switchboard: Switching,
        accounts: PlivoAccounts,
        targets: Targets,
        requests: StreamRequests,
        course: ForkCourse,
        *,
        per_call: int = 100,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._switchboard = switchboard
        self._accounts = accounts
        self._targets = targets
        self._requests = requests
        self._course = course
        self._per_call = per_call
        self._now = now

    async def start(self, account: KnownAccount, call_uuid: str, given: Mapping[str, object]) -> Fork:
        """A stream as `given` describes it.

        Raises NoSuchRoom and NoSuchParticipant for what is no live call, BadInput (EgressRefused, too) for
        what cannot be, Draining, Overloaded and LimitReached for what cannot be now.
        """
        if self._switchboard.draining:
            raise Draining()
        target = self._targets.live(account.application_id, call_uuid)
        request = self._requests.read(given, whole_conference=target.participant is None)
        self._refuse_second(account.application_id, target, request)
        await self._requests.check(request)
        target = self._targets.live(account.application_id, call_uuid)  # it may be over by now
        return await self._open(account.auth_id, target, request)

    async def prepare(self, streams: Sequence[Mapping[str, object]]) -> list[StreamRequest]:
        """Streams to be declared with a conference, read and checked before it is opened. Raises BadInput."""
        return await self._requests.read_declared(streams)

    async def declare(self, conference: Conference, prepared: Sequence[StreamRequest]) -> list[str]:
        """Begin what was prepared, before anybody is there; gives the streams' ids.

        Raises as `start`, and then none is left.
        """
        account = self._accounts.account_of(conference.application_id)
        target = Target(conference.id, conference, None)
        begun: list[Fork] = []
        try:
            for request in prepared:
                begun.append(await self._open(account.auth_id if account else "", target, request))
        except BaseException:
            for fork in begun:
                await self._course.stop(fork)
            raise
        return [fork.id for fork in begun]

    async def hang_up(self, application_id: str, call_uuid: str) -> None:
        """End a call, or the stream that goes by that id. Raises NoSuchRoom and NoSuchParticipant."""
        target = self._targets.find(application_id, call_uuid)
        participant = target.participant if target else None
        own_id = participant.id if participant else canonical(call_uuid)
        for fork in self._course.records.live(application_id):
            if fork.start_id == own_id and (fork.bot_id or fork.parent):
                await self._course.stop(fork, CALL_HANGUP)
                return
        if target is None:
            raise NoSuchRoom("call not found")
        if participant is None:
            raise NoSuchParticipant("a conference is no call to hang up; end it where it was created")
        if not participant.online:
            raise NoSuchParticipant("the call is over")
        await self._course.hang_up(participant)

    # --- inside ---

    def _refuse_second(self, application_id: str, target: Target, request: StreamRequest) -> None:
        if self._course.records.streams_to(application_id, target.id, request.service_url):
            raise BadInput("an active stream is already supplied to this service_url")
        if self._course.records.count(application_id, target.id) >= self._per_call:
            raise LimitReached("streams.per_call", self._per_call)

    async def _open(self, auth_id: str, target: Target, request: StreamRequest) -> Fork:
        conference, participant = target.conference, target.participant
        self._refuse_second(conference.application_id, target, request)
        fork = Fork(
            id=str(uuid4()),
            application_id=conference.application_id,
            auth_id=auth_id,
            call_uuid=target.call_uuid,
            target_id=target.id,
            conference_id=conference.id,
            request=request,
            start_id=target.start_id,
            ends=self._targets.ends(target),
            created_at=self._now(),
            participant_id=participant.id if participant else None,
            roster=request.audio_track == "participants",
        )
        await self._course.begin(fork, conference)
        return fork
