"""The directory: who exists, whatever vendor's API made them, written through to the store.

Order of calls: `load`, then everything else, then `close`. A change is kept before the call returns, and told
to the subscribers in the order in which it happened; what the switchboard reports (who is there, who sends)
is never kept. Every verb takes values that may be old and works on those of now: it raises NoSuchRoom or
NoSuchParticipant when they are gone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack
from uuid import uuid4

from bridge.changes import (
    Change,
    ChangeFeed,
    ConferenceChanged,
    ConferenceClosed,
    DigitReceived,
    MessageSent,
    ParticipantAdded,
    ParticipantChanged,
    ParticipantRemoved,
)
from bridge.core.ports import CloseReason, LegSpec
from bridge.endings import Endings
from bridge.errors import Draining, NoSuchParticipant, NoSuchRoom
from bridge.people import Actor, Audience, Conference, Layout, Message, Participant, Role, storable
from bridge.presence import Presence, Switching, routing_of
from bridge.records import ParticipantFields, Records
from bridge.register import DirectorySettings, Register
from bridge.tokens import hash_of, new_token

if TYPE_CHECKING:
    from bridge.switchboard import Connection

__all__ = ["Directory", "DirectorySettings", "ParticipantFields", "Records", "Switching"]

log = logging.getLogger(__name__)


class Directory:
    """See the module's docstring. `now` gives Unix seconds."""

    def __init__(
        self,
        records: Records,
        switchboard: Switching,
        settings: DirectorySettings | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._switchboard = switchboard
        self._settings = settings or DirectorySettings()
        self._now = now
        self._register = Register(self._settings)
        self._endings = Endings(self.end_expired)
        self._feed = ChangeFeed()
        self._presence = Presence(
            self._register,
            switchboard,
            self._feed.tell,
            call_over=lambda gone: self.remove_participant(gone, by=Actor.system()),
        )

    async def load(self) -> None:
        """Bring back what was kept, but who was made for a call; from now on, end conferences in time."""
        kept = await self._records.load()
        staying = tuple((person, token) for person, token in kept.participants if not person.transient)
        await self._records.remove_participants(
            [person.id for person, _ in kept.participants if person.transient]
        )
        self._register.fill(replace(kept, participants=staying))
        for conference in kept.conferences:
            self._switchboard.open_room(conference.id)
        self._endings.start()

    async def close(self) -> None:
        """Stop the clock, and wait for what is still being removed. The store is its owner's to close."""
        await self._endings.close()
        await self._presence.close()

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Call `listener` with every change, on the loop; it must not block."""
        self._feed.subscribe(listener)

    # --- conferences ---

    async def open_conference(
        self,
        application_id: str,
        *,
        by: Actor,
        name: str = "",
        layout: Layout = Layout.MOSAIC,
        conference_id: str | None = None,
    ) -> Conference:
        """A new conference. Raises Draining, LimitReached, and ValueError when the given id is taken."""
        self._refuse_when_draining()
        if conference_id in self._register.gatherings:
            raise ValueError("there is a conference of that id")
        opened_at = self._now()
        conference = Conference(
            conference_id or str(uuid4()),
            application_id,
            storable(name),
            Layout(layout),
            opened_at,
            opened_at + self._settings.conference_s,
        )
        with self._register.place_for_conference(conference):
            await self._records.add_conference(conference)
        self._register.add_conference(conference)
        self._switchboard.open_room(conference.id)
        self._endings.look_again()
        log.info("- conference opened by %s", by.kind, extra={"room": conference.id})
        return conference

    def conference(self, application_id: str, conference_id: str) -> Conference:
        """Raises NoSuchRoom, also when it is another application's."""
        conference = self._register.gathering(conference_id).conference
        if conference.application_id != application_id:
            raise NoSuchRoom("no such conference")
        return conference

    def find(self, conference_id: str) -> Conference | None:
        """The conference of that id, whosever it is."""
        gathering = self._register.gatherings.get(conference_id)
        return gathering.conference if gathering else None

    def conferences(self, application_id: str | None = None) -> list[Conference]:
        """All of that application's, or of all applications."""
        everything = (gathering.conference for gathering in self._register.gatherings.values())
        return [one for one in everything if application_id in (None, one.application_id)]

    async def change_conference(
        self, conference: Conference, *, by: Actor, name: str | None = None
    ) -> Conference:
        """None leaves things as they are."""
        async with self._register.gathering(conference.id).lock:
            gathering = self._register.gathering(conference.id)
            if name is None or name == gathering.conference.name:
                return gathering.conference
            await self._records.change_conference(replace(gathering.conference, name=name))
            before = gathering.conference  # its recording may have begun or ended meanwhile
            gathering.conference = replace(before, name=name)
            self._feed.tell(ConferenceChanged(conference.id, by, before, gathering.conference))
            return gathering.conference

    def note_recording(self, conference_id: str, recording: bool, *, by: Actor) -> None:
        """It is being recorded from now on, or not any more. Nothing happens when it is gone."""
        gathering = self._register.gatherings.get(conference_id)
        if gathering is not None and gathering.conference.recording != recording:
            before = gathering.conference
            gathering.conference = replace(before, recording=recording)
            self._feed.tell(ConferenceChanged(conference_id, by, before, gathering.conference))

    async def close_conference(self, conference: Conference, *, by: Actor, expired: bool = False) -> None:
        """Expel everybody and delete everything."""
        async with self._register.gathering(conference.id).lock:
            newest = self._register.gathering(conference.id).conference
            await self._records.remove_conference(conference.id, self._now() if expired else None)
            self._register.drop_conference(conference.id)
            self._feed.tell(ConferenceClosed(conference.id, by, newest, expired))
        log.info("- conference %s", "expired" if expired else "closed", extra={"room": conference.id})
        await self._switchboard.close_room(conference.id, CloseReason.ENDED)

    async def end_expired(self) -> float | None:
        """Close every conference whose time is up; gives the seconds to the next end."""
        now = self._now()
        for conference in self.conferences():
            if conference.ends_at <= now:
                try:
                    await self.close_conference(conference, by=Actor.system(), expired=True)
                except NoSuchRoom:
                    continue  # somebody else was faster
        ends = [conference.ends_at for conference in self.conferences()]
        return min(ends) - self._now() if ends else None

    # --- participants ---

    async def add_participant(
        self,
        conference: Conference,
        *,
        by: Actor,
        name: str = "",
        priority: float = 1.0,
        role: Role = Role.SPEAKER,
        layout: Layout | None = None,
        language: str = "",
        transient: bool = False,
        service: Audience | None = None,
    ) -> tuple[Participant, str]:
        """A new participant, and their token: it is never given again. Raises Draining, LimitReached.

        `service` is for bots, which are transient. A transient one is removed when their leg ends; when it
        never begins, whoever made them removes them.
        """
        self._refuse_when_draining()
        token = new_token()
        participant = Participant(
            str(uuid4()),
            conference.id,
            conference.application_id,
            storable(name),
            priority,
            Role(role),
            Layout(layout or conference.layout),
            language,
            transient,
            service=service,
        )
        async with self._register.gathering(conference.id).lock:
            self._register.gathering(conference.id)
            with self._register.place_for_participant(participant):
                await self._records.add_participant(participant, hash_of(token))
            self._register.add_participant(participant, hash_of(token))
            self._feed.tell(ParticipantAdded(conference.id, by, participant))
        return participant, token

    def participant(self, conference: Conference, participant_id: str) -> Participant:
        """Raises NoSuchRoom, NoSuchParticipant."""
        participant = self._register.gathering(conference.id).participants.get(participant_id)
        if participant is None:
            raise NoSuchParticipant("no such participant")
        return participant

    def find_participant(self, application_id: str, participant_id: str) -> Participant | None:
        """Whoever has that id in any conference of the application."""
        found = self._register.find_anywhere(participant_id)
        return found if found is not None and found.application_id == application_id else None

    def participants(self, conference: Conference) -> list[Participant]:
        """Everybody invited, there or not, in the order of invitation. Raises NoSuchRoom."""
        return list(self._register.gathering(conference.id).participants.values())

    def participant_by_token(self, token: str) -> Participant | None:
        """Whose token it is."""
        owner = self._register.tokens.owner(token)
        return self._register.find(*owner) if owner else None

    def is_token_of_the_gone(self, token: str) -> bool:
        """Whether it was the token of somebody who was removed, of the last 20,000."""
        return self._register.tokens.was_known(token)

    async def change_participant(
        self, participant: Participant, *, by: Actor, **fields: Unpack[ParticipantFields]
    ) -> Participant:
        """What decides over the mix takes effect at the next tick. `hears` of the gone is dropped."""
        wanted = {name: value for name, value in fields.items() if value is not None}
        async with self._register.gathering(participant.conference_id).lock:
            current = self._register.newest(participant)
            if (hears := fields.get("hears")) is not None:
                wanted["hears"] = self._register.only_present(current.conference_id, hears)
            if replace(current, **wanted) == current:  # type: ignore[arg-type]
                return current
            await self._records.change_participant(replace(current, **wanted))  # type: ignore[arg-type]
            before = self._register.newest(participant)  # a leg may have come or gone meanwhile
            changed = replace(before, **wanted)  # type: ignore[arg-type]
            self._register.put(changed)
            if routing_of(changed) != routing_of(before):
                self._presence.reroute(changed)
            self._feed.tell(ParticipantChanged(changed.conference_id, by, before, changed))
            return changed

    async def remove_participant(self, participant: Participant, *, by: Actor) -> None:
        """Expel them; their token is worth nothing from now on."""
        async with self._register.gathering(participant.conference_id).lock:
            leaving = [self._register.newest(participant)]
            await self._remove(leaving, by)
        await self._presence.say_goodbye(leaving)

    async def remove_participants(self, conference: Conference, *, by: Actor) -> None:
        """Expel everybody."""
        async with self._register.gathering(conference.id).lock:
            leaving = self.participants(conference)
            await self._remove(leaving, by)
        await self._presence.say_goodbye(leaving)

    # --- what they do ---

    async def connect(self, participant: Participant, spec: LegSpec) -> Connection:
        """Give them a leg, or renegotiate the one they have.

        Raises NoSuchRoom, NoSuchParticipant, BadOffer, Draining, Overloaded, LimitReached.
        """
        return await self._presence.connect(participant, spec)

    async def disconnect(self, participant: Participant, reason: CloseReason) -> None:
        """End their leg; they stay, offline."""
        await self._switchboard.disconnect(participant.conference_id, participant.id, reason)

    async def send_message(
        self, conference: Conference, *, by: Actor, send_to: str, text: str, persistent: bool = False
    ) -> Message:
        """To a participant, to the application, or (with the conference's id) to all of them.

        Raises NoSuchParticipant for anything else, LimitReached when too many persistent ones are kept.
        """
        async with self._register.gathering(conference.id).lock:
            self._register.gathering(conference.id)
            if send_to not in (conference.id, conference.application_id):
                self.participant(conference, send_to)
            message = Message(
                str(uuid4()), conference.id, by.id or conference.application_id, send_to, self._now(), text
            )
            if persistent:
                with self._register.place_for_message(conference.id):
                    await self._records.add_message(message)
            self._feed.tell(MessageSent(conference.id, by, message))
            return message

    def tell_digit(self, conference_id: str, stream_id: str, digit: str) -> None:
        """A service that streams somebody's call, and is nobody here itself, sounded a key to them."""
        self._feed.tell(DigitReceived(conference_id, Actor.participant(stream_id), stream_id, digit))

    # --- inside ---

    def _refuse_when_draining(self) -> None:
        if self._switchboard.draining:
            raise Draining()

    async def _remove(self, leaving: list[Participant], by: Actor) -> None:
        await self._records.remove_participants([participant.id for participant in leaving])
        for participant in leaving:
            newest = self._register.newest(participant)
            self._register.drop_participant(newest)
            self._feed.tell(ParticipantRemoved(newest.conference_id, by, newest))
