"""What the directory says: plain values, in the order in which it happened."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, fields

from bridge.feed import Feed
from bridge.people import Actor, Conference, Message, Participant

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Happened:
    """What all changes say."""

    conference_id: str
    by: Actor


@dataclass(frozen=True, slots=True)
class ConferenceChanged(_Happened):
    """A conference has new parameters."""

    before: Conference
    after: Conference


@dataclass(frozen=True, slots=True)
class ConferenceClosed(_Happened):
    """A conference is over, and everybody in it gone: nothing more is said of them."""

    conference: Conference
    expired: bool
    """Its time was up."""


@dataclass(frozen=True, slots=True)
class ParticipantAdded(_Happened):
    """Somebody was invited; not there yet."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class ParticipantChanged(_Happened):
    """Somebody has new parameters, came or left, began or ceased to send."""

    before: Participant
    after: Participant


@dataclass(frozen=True, slots=True)
class ParticipantRemoved(_Happened):
    """Somebody is gone for good."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class MessageSent(_Happened):
    """Somebody wrote."""

    message: Message


@dataclass(frozen=True, slots=True)
class DigitReceived(_Happened):
    """Somebody pressed a key."""

    participant_id: str
    """Or the id of the stream whose service did so to somebody."""
    digit: str = field(repr=False)


Change = (
    ConferenceChanged
    | ConferenceClosed
    | ParticipantAdded
    | ParticipantChanged
    | ParticipantRemoved
    | MessageSent
    | DigitReceived
)


class ChangeFeed(Feed[Change]):
    """What the directory's subscribers are told."""

    def tell(self, happened: Change) -> None:
        """With a line for the log, that holds nothing of what people wrote."""
        if log.isEnabledFor(logging.DEBUG):
            what, participant_id = _in_words(happened)
            where = {"room": happened.conference_id, "participant": participant_id}
            log.debug("- %s, by %s", what, happened.by.kind, extra=where)
        super().tell(happened)


def _in_words(change: Change) -> tuple[str, str | None]:
    """For the log: what happened, without what people wrote or pressed, and to which participant."""
    match change:
        case ConferenceChanged(before=before, after=after):
            return f"conference changed: {_differing(before, after)}", None
        case ConferenceClosed(expired=expired):
            return "conference expired" if expired else "conference closed", None
        case ParticipantAdded(participant=participant):
            kind = "bot" if participant.service else "caller" if participant.transient else "participant"
            return f"{kind} added as {participant.role}", participant.id
        case ParticipantChanged(before=before, after=after):
            return f"participant changed: {_differing(before, after)}", after.id
        case ParticipantRemoved(participant=participant):
            return "participant removed", participant.id
        case MessageSent(message=message):
            return f"message of {len(message.text)} characters to {message.sent_to}", None
        case DigitReceived(participant_id=participant_id):
            return "key pressed", participant_id


def _differing(before: Conference | Participant, after: Conference | Participant) -> str:
    names = (one.name for one in fields(after))
    return ", ".join(name for name in names if getattr(before, name) != getattr(after, name))
