"""Who is asking, for what, and whether they may.

| the token | the answer |
|---|---|
| none, or one that never was | 401 |
| of somebody who was removed, or whose conference ended | 401; for a session 404 |
| of another application, or of somebody in another conference | 404, as if there were no such conference |
| of the right application or conference, without the permission | 403 |

A client that lost its connection opens a session again and again; 404 tells it of the expulsion it missed.
The order is: token, conference, participant, permission; only then is the body read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bridge.directory import Directory
from bridge.errors import NoSuchRoom, NotAllowed
from bridge.facades.mind.errors import Refusal
from bridge.facades.mind.permissions import APPLICATION, Allowed, Caller, Operation, callers_of, may
from bridge.people import Actor, Conference, Participant


class Tokens(Protocol):
    """What the facade needs of the applications."""

    def authenticate(self, token: str) -> str | None:
        """The id of the application whose token this is."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Who holds the token."""

    application_id: str
    participant: Participant | None
    """None: the application itself."""

    @property
    def actor(self) -> Actor:
        """Whose change it will be."""
        if self.participant is None:
            return Actor.application(self.application_id)
        return Actor.participant(self.participant.id)

    @property
    def role(self) -> str:
        """In the words of the permission table."""
        return self.participant.role.value if self.participant else Caller.APPLICATION.value

    def callers(self, target: Participant | None = None) -> Allowed:
        """Everything they are when they act on `target`."""
        if self.participant is None:
            return APPLICATION
        itself = target is not None and target.id == self.participant.id
        return callers_of(self.participant.role, itself=itself)

    def first(self, people: list[Participant]) -> list[Participant]:
        """`people` with whoever asks at the beginning; clients rely on it."""
        first = self.participant
        return people if first is None else sorted(people, key=lambda one: one.id != first.id)


class Gate:
    """Every way in raises Refusal (401), NoSuchRoom, NoSuchParticipant or NotAllowed."""

    def __init__(self, directory: Directory, applications: Tokens) -> None:
        self._directory = directory
        self._applications = applications

    def ask(self, token: str | None) -> Asking:
        """Who holds this token. Raises Refusal."""
        if token:
            application_id = self._applications.authenticate(token)
            if application_id is not None:
                return Asking(application_id, None)
            participant = self._directory.participant_by_token(token)
            if participant is not None:
                return Asking(participant.application_id, participant)
        raise Refusal(401, "no valid token was provided")

    def application(self, token: str | None, application_id: str, operation: Operation) -> Asking:
        """Into an application."""
        asking = self.ask(token)
        if asking.application_id != application_id:
            raise NoSuchRoom("no such application")
        _check(asking, operation)
        return asking

    def conference(
        self, token: str | None, application_id: str, conference_id: str, operation: Operation
    ) -> tuple[Asking, Conference]:
        """Into a conference."""
        asking, conference = self._reach(token, application_id, conference_id)
        _check(asking, operation)
        return asking, conference

    def participant(
        self,
        token: str | None,
        application_id: str,
        conference_id: str,
        participant_id: str,
        operation: Operation,
    ) -> tuple[Asking, Participant]:
        """To a participant."""
        asking, conference = self._reach(token, application_id, conference_id)
        target = self._directory.participant(conference, participant_id)
        _check(asking, operation, target)
        return asking, target

    def session(
        self, token: str | None, application_id: str, conference_id: str, participant_id: str | None
    ) -> Participant:
        """To one's own place, which the token names; `participant_id` may name it too."""
        if token and self._directory.is_token_of_the_gone(token):
            raise NoSuchRoom("this participant was removed, or the conference has ended")
        asking, conference = self._reach(token, application_id, conference_id)
        target = asking.participant
        if participant_id is not None:
            target = self._directory.participant(conference, participant_id)
        if target is None or not may(asking.callers(target), Operation.OPEN_SESSION):
            raise NotAllowed("a session is opened by the participant itself")
        return target

    def _reach(self, token: str | None, application_id: str, conference_id: str) -> tuple[Asking, Conference]:
        asking = self.ask(token)
        if asking.application_id == application_id:
            conference = self._directory.conference(application_id, conference_id)
            if asking.participant is None or asking.participant.conference_id == conference.id:
                return asking, conference
        raise NoSuchRoom("no such conference")


def _check(asking: Asking, operation: Operation, target: Participant | None = None) -> None:
    if not may(asking.callers(target), operation):
        raise NotAllowed(f"{operation} is not permitted to this {asking.role}")
