"""What a `call_uuid` stands for: somebody in a conference, or a whole conference."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from bridge.directory import Directory
from bridge.errors import NoSuchParticipant, NoSuchRoom
from bridge.facades.plivo.calls import Calls
from bridge.facades.plivo.names import canonical, numbers
from bridge.people import Conference, Participant
from bridge.switch_events import LegDown, LegUp, SwitchEvent


@dataclass(frozen=True, slots=True)
class Target:
    """A call that can be streamed. The values of one moment."""

    call_uuid: str
    """As it was asked for; a UUID is written in the usual way."""
    conference: Conference
    participant: Participant | None
    """None: the whole conference."""

    @property
    def id(self) -> str:
        """The same by whatever name it was asked for."""
        return self.participant.id if self.participant else self.conference.id

    @property
    def start_id(self) -> str:
        """`callId` of the streams' `start`: the SDKs take nothing but UUIDs (RFC 9562 §4)."""
        try:
            asked = UUID(self.call_uuid)
        except ValueError:
            return self.id
        return self.call_uuid if asked.version in range(1, 9) else self.id


class Targets:
    """Finds targets among the participants, the conferences, and the calls that gave themselves an id."""

    def __init__(
        self,
        directory: Directory,
        calls: Calls,
        subscribe: Callable[[Callable[[SwitchEvent], None]], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._calls = calls
        self._now = now
        self._since: dict[tuple[str, str], float] = {}
        subscribe(self._happened)

    def find(self, application_id: str, call_uuid: str) -> Target | None:
        """None when there is no such call, or none of that application; a participant need not be there."""
        call_uuid = canonical(call_uuid)
        participant = self._directory.find_participant(application_id, call_uuid)
        if participant is None:
            conference = self._directory.find(call_uuid)
            if conference is not None:
                mine = conference.application_id == application_id
                return Target(call_uuid, conference, None) if mine else None
            participant = self._called(application_id, call_uuid)
        if participant is None:
            return None
        conference = self._directory.find(participant.conference_id)
        return Target(call_uuid, conference, participant) if conference is not None else None

    def live(self, application_id: str, call_uuid: str) -> Target:
        """Raises NoSuchRoom when there is no such call, NoSuchParticipant when it is not live."""
        target = self.find(application_id, call_uuid)
        if target is None:
            raise NoSuchRoom("call not found")
        if target.participant is not None and not target.participant.online:
            raise NoSuchParticipant("the call is not live: the participant is not connected")
        return target

    def ends(self, target: Target) -> tuple[str, str]:
        """Who called and who was called, as Plivo's `from` and `to`; names where there are no numbers."""
        conference = target.conference.name or target.conference.id
        if target.participant is None:
            return "", conference
        caller, callee = numbers(self._calls.headers_of(target.participant.id))
        return caller or target.participant.name, callee or conference

    def since(self, target: Target) -> float:
        """When the call began; Unix seconds."""
        if target.participant is None:
            return target.conference.created_at
        return self._since.get((target.conference.id, target.participant.id), self._now())

    def live_ids(self, application_id: str) -> list[str]:
        """Every participant of the application who is connected."""
        return [
            participant.id
            for conference in self._directory.conferences(application_id)
            for participant in self._directory.participants(conference)
            if participant.online
        ]

    def _called(self, application_id: str, call_uuid: str) -> Participant | None:
        found = self._calls.find(application_id, call_uuid)
        if found is None:
            return None
        return self._directory.find_participant(application_id, found.id)  # as they are now

    def _happened(self, event: SwitchEvent) -> None:
        if isinstance(event, LegUp):
            self._since.setdefault((event.room_id, event.participant_id), self._now())
        elif isinstance(event, LegDown):
            self._since.pop((event.room_id, event.participant_id), None)
