"""Who exists, in memory: conferences with their people, tokens, and the places taken. No I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from bridge.errors import NoSuchParticipant, NoSuchRoom
from bridge.people import Conference, Participant
from bridge.quota import Limit, Quota
from bridge.records import Kept
from bridge.tokens import TokenIndex


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """Limits."""

    conference_s: float = 24 * 3600.0
    """How long a conference lasts."""
    conferences: int = 2_000
    conferences_per_application: int = 1_000
    participants: int = 10_000
    participants_per_application: int = 5_000
    participants_per_conference: int = 500
    messages_per_conference: int = 10_000
    """Persistent ones."""


@dataclass(slots=True)
class Gathering:
    """A conference and its people."""

    conference: Conference
    participants: dict[str, Participant] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever changes what is kept of them."""


class Register:
    """See the module's docstring. Look-ups raise NoSuchRoom and NoSuchParticipant.

    `hears` never names anybody who is gone: what is kept may, and is put right when it is brought back.
    """

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._quota = Quota()
        self.gatherings: dict[str, Gathering] = {}
        self._where: dict[str, str] = {}
        """Participant id → conference id."""
        self.tokens = TokenIndex()

    def fill(self, kept: Kept) -> None:
        """Bring back what was kept, all of it, even above limits that were lowered since."""
        for conference in kept.conferences:
            self._quota.take(*self._conference_limits(conference), enforce=False)
            self.add_conference(conference)
        for participant, token_hash in kept.participants:
            self._quota.take(*self._participant_limits(participant), enforce=False)
            self.add_participant(participant, token_hash)
        for participant, _ in kept.participants:
            hears = self.only_present(participant.conference_id, participant.hears)
            self.put(replace(participant, hears=hears))
        self.tokens.recall(kept.gone_tokens)
        for conference_id, count in kept.messages.items():
            self._quota.take(self._message_limit(conference_id), count=count, enforce=False)

    # --- places: taken before the slow work, given back when it fails ---

    @contextmanager
    def place_for_conference(self, conference: Conference) -> Iterator[None]:
        """Raises LimitReached."""
        with self._place(*self._conference_limits(conference)):
            yield

    @contextmanager
    def place_for_participant(self, participant: Participant) -> Iterator[None]:
        """Raises LimitReached."""
        with self._place(*self._participant_limits(participant)):
            yield

    @contextmanager
    def place_for_message(self, conference_id: str) -> Iterator[None]:
        """Raises LimitReached."""
        with self._place(self._message_limit(conference_id)):
            yield

    # --- conferences ---

    def add_conference(self, conference: Conference) -> None:
        """Its place is taken already."""
        self.gatherings[conference.id] = Gathering(conference)

    def gathering(self, conference_id: str) -> Gathering:
        """Raises NoSuchRoom."""
        gathering = self.gatherings.get(conference_id)
        if gathering is None:
            raise NoSuchRoom("no such conference")
        return gathering

    def drop_conference(self, conference_id: str) -> None:
        """With everybody in it."""
        gathering = self.gatherings[conference_id]
        for participant in list(gathering.participants.values()):
            self._drop(participant)
        del self.gatherings[conference_id]
        self._quota.give_back(*self._conference_limits(gathering.conference))
        self._quota.forget(self._message_limit(conference_id))

    # --- participants ---

    def add_participant(self, participant: Participant, token_hash: str) -> None:
        """Their place is taken already."""
        self.put(participant)
        self.tokens.add(token_hash, participant.conference_id, participant.id)

    def put(self, participant: Participant) -> None:
        """These are their values now."""
        self.gathering(participant.conference_id).participants[participant.id] = participant
        self._where[participant.id] = participant.conference_id

    def find(self, conference_id: str, participant_id: str) -> Participant | None:
        """Their values now; None when they or the conference are gone."""
        gathering = self.gatherings.get(conference_id)
        return gathering.participants.get(participant_id) if gathering else None

    def find_anywhere(self, participant_id: str) -> Participant | None:
        """The same in whatever conference they are."""
        return self.find(self._where.get(participant_id, ""), participant_id)

    def newest(self, participant: Participant) -> Participant:
        """Their values now. Raises NoSuchRoom, NoSuchParticipant."""
        newest = self.gathering(participant.conference_id).participants.get(participant.id)
        if newest is None:
            raise NoSuchParticipant("no such participant")
        return newest

    def drop_participant(self, participant: Participant) -> None:
        """Their token means nobody any more, and nobody hears them in a way of their own."""
        self._drop(participant)
        for other in list(self.gathering(participant.conference_id).participants.values()):
            if participant.id in other.hears:
                self.put(replace(other, hears=self.only_present(other.conference_id, other.hears)))

    def only_present(self, conference_id: str, hears: Mapping[str, float]) -> dict[str, float]:
        """`hears` without those who are not in the conference."""
        present = self.gathering(conference_id).participants
        return {participant_id: gain for participant_id, gain in hears.items() if participant_id in present}

    # --- inside ---

    def _drop(self, participant: Participant) -> None:
        del self.gatherings[participant.conference_id].participants[participant.id]
        del self._where[participant.id]
        # Nobody was ever given the token of somebody who was made for a call.
        self.tokens.remove(participant.id, remember=not participant.transient)
        self._quota.give_back(*self._participant_limits(participant))

    @contextmanager
    def _place(self, *limits: Limit) -> Iterator[None]:
        self._quota.take(*limits)
        try:
            yield
        except BaseException:
            self._quota.give_back(*limits)
            raise

    def _conference_limits(self, conference: Conference) -> tuple[Limit, ...]:
        settings, application_id = self._settings, conference.application_id
        return (
            Limit("conferences_per_application", settings.conferences_per_application, application_id),
            Limit("conferences", settings.conferences),
        )

    def _participant_limits(self, participant: Participant) -> tuple[Limit, ...]:
        settings = self._settings
        conference_id, application_id = participant.conference_id, participant.application_id
        return (
            Limit("participants_per_conference", settings.participants_per_conference, conference_id),
            Limit("participants_per_application", settings.participants_per_application, application_id),
            Limit("participants", settings.participants),
        )

    def _message_limit(self, conference_id: str) -> Limit:
        return Limit("messages_per_conference", self._settings.messages_per_conference, conference_id)
