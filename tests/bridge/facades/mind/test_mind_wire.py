from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import BadInput
from bridge.facades.mind import wire
from bridge.people import Conference, Layout, Media, Message, Participant, Role

pytestmark = pytest.mark.wire

KINDS = (
    wire.ConferenceCreation,
    wire.ConferenceChange,
    wire.ParticipantCreation,
    wire.ParticipantChange,
    wire.MessageCreation,
    wire.SessionDescription,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
FIELDS = ("name", "layout", "priority", "role", "language", "sendTo", "text", "persistent", "sdp")


def as_seen(value: object) -> Any:
    return json.loads(msgspec.json.encode(value))


def test_a_message_carries_milliseconds() -> None:
    # the vendor's own example
    message = Message("m", "c", "p", "c", 1516883710.0, "Message text")
    assert as_seen(wire.message_resource(message)) == {
        "id": "m",
        "sentTo": "c",
        "sentBy": "p",
        "sentAt": 1516883710000,
        "text": "Message text",
    }


def test_a_conference_carries_seconds() -> None:
    conference = Conference("c", "a", "Meeting name", Layout.MOSAIC, 1663705995.9, 1663792395.9)
    assert as_seen(wire.conference_resource(conference)) == {
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
    assert as_seen(wire.participant_resource(ann)) == {
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
    assert as_seen(wire.Notification("deleted", "/participants/p")) == {
        "type": "deleted",
        "location": "/participants/p",
    }


def test_an_empty_body_is_an_empty_object() -> None:
    assert wire.parse(b"", wire.ConferenceChange) == wire.ConferenceChange()
    with pytest.raises(BadInput, match="sdp"):
        wire.parse(b"", wire.SessionDescription)


def test_error_texts_are_short() -> None:
    with pytest.raises(BadInput) as wrong:
        wire.parse(json.dumps({"role": "x" * 10_000}).encode(), wire.ParticipantCreation)
    assert len(str(wrong.value)) < 400


@settings(deadline=None, max_examples=60)
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_garbage_is_refused_in_one_way(body: bytes) -> None:
    for kind in KINDS:
        try:
            wire.parse(body, kind)
        except BadInput:
            continue


@settings(deadline=None, max_examples=60)
@given(values=st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_wrong_values_in_known_fields_are_refused_by_name(values: dict[str, Any]) -> None:
    body = json.dumps(values).encode()
    for kind in KINDS:
        try:
            parsed = wire.parse(body, kind)
        except BadInput as wrong:
            named = [field for field in FIELDS if field in str(wrong)]
            assert named or "JSON" in str(wrong) or "truncated" in str(wrong)
        else:
            for name, given_value in as_seen(parsed).items():
                if name in values and values[name] is not None:
                    assert given_value == values[name] or name == "sendTo"


@settings(deadline=None, max_examples=60)
@given(name=st.text(max_size=50))
def test_every_name_that_json_can_carry_survives(name: str) -> None:
    body = json.dumps({"name": name}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if "\0" in name:
        with pytest.raises(BadInput, match="name"):
            wire.parse(body, wire.ConferenceCreation)
    else:
        assert wire.parse(body, wire.ConferenceCreation).name == name
