"""Tells clients what changed in their conference: the application by WebSocket, participants over their legs.

| change | the application | the participants |
|---|---|---|
| of a conference or a participant | unless it made the change | all but the one who made it |
| a participant came, left, sends or not | yes | all but that one |
| a message | when it is for it or for all | the addressee, or all but the sender |
| a pressed key | yes | the moderators but for the one who pressed it |
| a participant was removed | unless it did so | all who are left; the removed one's leg says 4001 |
| the conference ended | when its time was up: `deleted`, then 4000 | their legs say 4000 |

Everybody gets them in the order in which they happened. An application's socket that takes no more is closed
with 1013, so that the application comes back and asks for the whole state.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Literal, Protocol

import msgspec

from bridge.changes import (
    Change,
    ConferenceChanged,
    ConferenceClosed,
    DigitReceived,
    MessageSent,
    ParticipantAdded,
    ParticipantChanged,
    ParticipantRemoved,
)
from bridge.directory import Directory
from bridge.facades.mind.resource_wire import (
    DigitResource,
    Notification,
    Resource,
    conference_resource,
    message_resource,
    participant_resource,
)
from bridge.people import Conference, Participant, Role
from bridge.sockets import Socket

log = logging.getLogger(__name__)

NORMAL = 1000
TRY_AGAIN_LATER = 1013
ENDED = 4000
REPLACED = 4001


class Sender(Protocol):
    """What the facade needs of the switchboard."""

    def send(self, room_id: str, participant_id: str, text: str) -> None: ...


class Watcher:
    """An application's WebSocket for one conference: the receiver that the door gives."""

    def __init__(self, notifications: Notifications, conference_id: str) -> None:
        self._notifications = notifications
        self._conference_id = conference_id
        self._socket: Socket | None = None

    def opened(self, socket: Socket) -> None:
        """From now on this one is told, and no older one."""
        self._socket = socket
        self._notifications.watch(self._conference_id, self)

    def received(self, message: bytes, is_text: bool) -> None:
        """Applications have nothing to say here."""

    def closed(self, code: int, reason: str) -> None:
        """It is gone."""
        self._notifications.unwatch(self._conference_id, self)

    def tell(self, text: bytes) -> bool:
        """False when the socket takes no more."""
        return self._socket is not None and self._socket.send_text(text)

    def close(self, code: int, reason: str) -> None:
        """Say goodbye."""
        if self._socket is not None:
            self._socket.close(code, reason)


class Notifications:
    """See the module's docstring. Subscribes to the directory when made."""

    def __init__(self, directory: Directory, sender: Sender) -> None:
        self._directory = directory
        self._sender = sender
        self._watchers: dict[str, Watcher] = {}
        self.sent = 0
        self.overflows = 0
        """Application sockets closed because they did not keep up."""
        directory.subscribe(self._changed)

    @property
    def watchers(self) -> int:
        """Applications' sockets, open now."""
        return len(self._watchers)

    def watch(self, conference_id: str, watcher: Watcher) -> None:
        """In place of an older one, which is closed."""
        log.debug("- the application watches", extra={"room": conference_id})
        old = self._watchers.get(conference_id)
        self._watchers[conference_id] = watcher
        if old is not None:
            old.close(REPLACED, "replaced by a newer WebSocket")
        if self._directory.find(conference_id) is None:  # it ended while the socket was being opened
            del self._watchers[conference_id]
            watcher.close(NORMAL, "the conference has ended")

    def unwatch(self, conference_id: str, watcher: Watcher) -> None:
        """Nothing happens when a newer one took its place."""
        if self._watchers.get(conference_id) is watcher:
            del self._watchers[conference_id]
            log.debug("- the application watches no longer", extra={"room": conference_id})

    # --- from changes to notifications ---

    def _changed(self, change: Change) -> None:
        match change:
            case ConferenceChanged(after=conference):
                self._tell_all_but(change, "updated", "/", conference_resource(conference))
            case ConferenceClosed(conference=conference, expired=expired):
                self._say_end(change, conference, expired)
            case ParticipantAdded(participant=participant):
                self._tell_all_but(change, "created", _place(participant), participant_resource(participant))
            case ParticipantChanged(before=before, after=after):
                resource = participant_resource(after)
                if resource != participant_resource(before):
                    self._tell_all_but(change, "updated", _place(after), resource)
            case ParticipantRemoved(participant=participant):
                self._tell_all_but(change, "deleted", _place(participant), None)
            case MessageSent():
                self._pass_on(change)
            case DigitReceived(participant_id=participant_id, digit=digit):
                text = _text("created", f"/participants/{participant_id}/dtmf", DigitResource(digit))
                people = self._people(change)
                # The SDKs of clients know participants; streams are the application's own.
                known = any(one.id == participant_id for one in people)
                moderators = [one.id for one in people if known and one.role is Role.MODERATOR]
                self._tell(change, text, moderators, to_application=True)

    def _tell_all_but(
        self,
        change: Change,
        kind: Literal["created", "updated", "deleted"],
        location: str,
        resource: Resource | None,
    ) -> None:
        everybody = (participant.id for participant in self._people(change))
        self._tell(change, _text(kind, location, resource), everybody, to_application=True)

    def _pass_on(self, change: MessageSent) -> None:
        message = change.message
        text = _text("created", f"/messages/{message.id}", message_resource(message))
        to_all = message.sent_to == change.conference_id
        people = [one.id for one in self._people(change) if to_all or message.sent_to == one.id]
        self._tell(change, text, people, to_application=to_all or not people)

    def _say_end(self, change: Change, conference: Conference, expired: bool) -> None:
        if change.by.kind != "application":
            self._tell(change, _text("deleted", "/", None), (), to_application=True)
        watcher = self._watchers.pop(conference.id, None)
        if watcher is not None and expired:
            watcher.close(ENDED, "the conference has reached its time limit")
        elif watcher is not None:
            watcher.close(NORMAL, "the conference was deleted")

    def _tell(
        self, change: Change, text: str, participant_ids: Iterable[str], *, to_application: bool
    ) -> None:
        conference_id, by = change.conference_id, change.by
        sent_before = self.sent
        watcher = self._watchers.get(conference_id)
        if watcher is not None and to_application and by.kind != "application":
            self.sent += 1
            if not watcher.tell(text.encode()):
                self.overflows += 1
                log.warning("x an application reads too slowly", extra={"room": conference_id})
                del self._watchers[conference_id]
                watcher.close(TRY_AGAIN_LATER, "notifications were not read fast enough")
        for participant_id in participant_ids:
            if participant_id != by.id:
                self.sent += 1
                self._sender.send(conference_id, participant_id, text)
        told = self.sent - sent_before
        log.debug("> %s told to %d clients", type(change).__name__, told, extra={"room": conference_id})

    def _people(self, change: Change) -> list[Participant]:
        conference = self._directory.find(change.conference_id)
        return self._directory.participants(conference) if conference else []


def _place(participant: Participant) -> str:
    return f"/participants/{participant.id}"


def _text(kind: Literal["created", "updated", "deleted"], location: str, resource: Resource | None) -> str:
    notification = Notification(kind, location, msgspec.UNSET if resource is None else resource)
    return msgspec.json.encode(notification).decode()
