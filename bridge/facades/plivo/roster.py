"""`audio_track=participants`: a stream on a conference with one socket for each participant.

A participant gets a socket when their leg works and loses it when it ends. One whose socket the service
closed gets the next one when they come again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from uuid import uuid4

from bridge.directory import Directory
from bridge.facades.plivo.fork import Fork
from bridge.people import Participant


class Rosters:
    """Which conferences are streamed participant by participant; `open_child` makes each socket."""

    def __init__(self, directory: Directory, open_child: Callable[[Fork, Participant], None]) -> None:
        self._directory = directory
        self._open_child = open_child
        self._parents: dict[str, list[Fork]] = {}

    def begin(self, parent: Fork) -> None:
        """For everybody who is there now, and whoever comes. Raises NoSuchRoom."""
        conference = self._directory.conference(parent.application_id, parent.conference_id)
        self._parents.setdefault(parent.conference_id, []).append(parent)
        for participant in self._directory.participants(conference):
            if participant.online:
                self._consider(parent, participant)

    def end(self, parent: Fork) -> None:
        """Nobody gets a socket any more."""
        parents = self._parents.get(parent.conference_id, [])
        if parent in parents:
            parents.remove(parent)
            if not parents:
                del self._parents[parent.conference_id]

    def of(self, conference_id: str) -> list[Fork]:
        """Those of one conference."""
        return list(self._parents.get(conference_id, ()))

    def came(self, conference_id: str, participant_id: str) -> None:
        """A leg works; it may be a stream's own, which is nobody's."""
        parents = self.of(conference_id)
        if not parents:
            return
        application_id = parents[0].application_id
        participant = self._directory.find_participant(application_id, participant_id)
        if participant is not None:
            for parent in parents:
                self._consider(parent, participant)

    def _consider(self, parent: Fork, participant: Participant) -> None:
        if participant.service is not None and not parent.request.bots:
            return
        has_one = any(
            child.participant_id == participant.id and child.ending is None
            for child in parent.children.values()
        )
        if not has_one and parent.ending is None:
            self._open_child(parent, participant)


def child_of(parent: Fork, participant: Participant, now: float) -> Fork:
    """One participant's part of a stream.

    Its `callId` is its own id, so that a service which hangs up the call it was told of ends its own part
    and nobody's call.
    """
    about = {"id": participant.id, "name": participant.name, "role": participant.role.value}
    headers: Mapping[str, str] = {**parent.request.headers, **about}
    child_id = str(uuid4())
    return Fork(
        id=child_id,
        application_id=parent.application_id,
        auth_id=parent.auth_id,
        call_uuid=parent.call_uuid,
        target_id=parent.target_id,
        conference_id=parent.conference_id,
        request=replace(parent.request, headers=headers),
        start_id=child_id,
        ends=(participant.name, parent.ends[1]),
        created_at=now,
        participant_id=participant.id,
        parent=parent,
    )
