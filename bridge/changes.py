"""What the directory says: plain values, in the order in which it happened."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.people import Actor, Conference, Message, Participant

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConferenceChanged:
    """A conference has new parameters."""

    before: Conference
    after: Conference
    by: Actor

    @property
    def conference_id(self) -> str:
        """Which one."""
        return self.after.id


@dataclass(frozen=True, slots=True)
class ConferenceClosed:
    """A conference is over, and everybody in it gone: nothing more is said of them."""

    conference: Conference
    by: Actor
    expired: bool
    """Its time was up."""

    @property
    def conference_id(self) -> str:
        """Which one."""
        return self.conference.id


@dataclass(frozen=True, slots=True)
class ParticipantAdded:
    """Somebody was invited; not there yet."""

    participant: Participant
    by: Actor

    @property
    def conference_id(self) -> str:
        """Where."""
        return self.participant.conference_id


@dataclass(frozen=True, slots=True)
class ParticipantChanged:
    """Somebody has new parameters, came or left, began or ceased to send."""

    before: Participant
    after: Participant
    by: Actor

    @property
    def conference_id(self) -> str:
        """Where."""
        return self.after.conference_id


@dataclass(frozen=True, slots=True)
class ParticipantRemoved:
    """Somebody is gone for good."""

    participant: Participant
    by: Actor

    @property
    def conference_id(self) -> str:
        """Where."""
        return self.participant.conference_id


@dataclass(frozen=True, slots=True)
class MessageSent:
    """Somebody wrote."""

    message: Message
    by: Actor

    @property
    def conference_id(self) -> str:
        """Where."""
        return self.message.conference_id


@dataclass(frozen=True, slots=True)
class DigitReceived:
    """Somebody pressed a key."""

    conference_id: str
    participant_id: str
    by: Actor
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


class ChangeFeed:
    """Passes changes on to whoever subscribed, in the order of subscription."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Change], None]] = []

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Call `listener` with every change from now on; it must not block."""
        self._listeners.append(listener)

    def tell(self, change: Change) -> None:
        """A listener that fails is logged, and stops nobody."""
        for listener in self._listeners:
            try:
                listener(change)
            except Exception:
                log.exception("x a listener failed on %s", type(change).__name__)
