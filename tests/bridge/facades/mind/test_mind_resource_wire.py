from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from bridge.facades.mind.resource_wire import (
    Notification,
    conference_resource,
    message_resource,
    participant_resource,
)
from bridge.people import Conference, Layout, Media, Message, Participant, Role

pytestmark = pytest.mark.wire


def as_seen(value: object) -> Any:
    return json.loads(msgspec.json.encode(value))


def test_a_message_carries_milliseconds() -> None:
    # the vendor's own example
    message = Message("m", "c", "p", "c", 1516883710.0, "Message text")
    assert as_seen(message_resource(message)) == {
        "id": "m",
        "sentTo": "c",
        "sentBy": "p",
        "sentAt": 1516883710000,
        "text": "Message text",
    }


def test_a_conference_carries_seconds() -> None:
    conference = Conference("c", "a", "Meeting name", Layout.MOSAIC, 1663705995.9, 1663792395.9)
    assert as_seen(conference_resource(conference)) == {
        "id": "c",
        "name": "Meeting name",
        "layout": "mosaic",
        "recording": {"started": False},
        "endingAt": 1663792395,
    }


def test_a_participant_shows_what_is_truly_sent() -> None:
    ann = Participant(
        "p", "c", "a", "John Doe", 1.0, Role.SPEAKER, Layout.MOSAIC, "", online=True, media=Media(True, False)
    )
    assert as_seen(participant_resource(ann)) == {
        "id": "p",
        "online": True,
        "name": "John Doe",
        "priority": 1,
        "language": "",
        "role": "speaker",
        "layout": "mosaic",
        "media": {"audio": True, "video": False},
        "secondaryMedia": {"audio": False, "video": False},
    }


def test_what_was_deleted_is_not_shown() -> None:
    assert as_seen(Notification("deleted", "/participants/p")) == {
        "type": "deleted",
        "location": "/participants/p",
    }
