from __future__ import annotations

from dataclasses import replace

import pytest

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
from bridge.people import Actor, Audience, Conference, Layout, Message, Participant, Role

pytestmark = pytest.mark.unit

BY = Actor.system()
ROOM = Conference("room", "app", "Board meeting", Layout.MOSAIC, 0.0, 1.0)
ANN = Participant("ann", "room", "app", "Ann Smith", 1.0, Role.SPEAKER, Layout.MOSAIC, "")
NOTE = Message("note", "room", "ann", "room", 0.0, "between us")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (ConferenceChanged("room", BY, ROOM, replace(ROOM, name="x")), "conference changed: name"),
        (ConferenceClosed("room", BY, ROOM, expired=True), "conference expired"),
        (ConferenceClosed("room", BY, ROOM, expired=False), "conference closed"),
        (ParticipantAdded("room", BY, ANN), "participant added as speaker"),
        (ParticipantAdded("room", BY, replace(ANN, transient=True)), "caller added as speaker"),
        (ParticipantAdded("room", BY, replace(ANN, transient=True, service=Audience())), "bot added"),
        (
            ParticipantChanged("room", BY, ANN, replace(ANN, online=True, muted=True)),
            "changed: muted, online",
        ),
        (ParticipantRemoved("room", BY, ANN), "participant removed"),
        (MessageSent("room", BY, NOTE), "message of 10 characters to room"),
        (DigitReceived("room", BY, "ann", "7"), "key pressed"),
    ],
)
def test_a_debug_line_says_what_changed_and_nothing_that_anybody_wrote_or_pressed(
    change: Change, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="bridge")
    ChangeFeed().tell(change)
    (record,) = caplog.records
    assert says in record.getMessage() and record.getMessage().endswith(", by system")
    assert record.room == "room"  # type: ignore[attr-defined]
    assert not any(word in caplog.text for word in ("Ann Smith", "Board meeting", "between us", "7,"))
