from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import BadInput
from bridge.facades.mind.body_wire import (
    ConferenceChange,
    ConferenceCreation,
    MessageCreation,
    ParticipantChange,
    ParticipantCreation,
    SessionDescription,
    parse,
)

pytestmark = pytest.mark.wire

KINDS = (
    ConferenceCreation,
    ConferenceChange,
    ParticipantCreation,
    ParticipantChange,
    MessageCreation,
    SessionDescription,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
FIELDS = ("name", "layout", "priority", "role", "language", "sendTo", "text", "persistent", "sdp")


def test_an_empty_body_is_an_empty_object() -> None:
    assert parse(b"", ConferenceChange) == ConferenceChange()
    with pytest.raises(BadInput, match="sdp"):
        parse(b"", SessionDescription)


def test_error_texts_are_short() -> None:
    with pytest.raises(BadInput) as wrong:
        parse(json.dumps({"role": "x" * 10_000}).encode(), ParticipantCreation)
    assert len(str(wrong.value)) < 400


@settings(deadline=None, max_examples=60)
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_garbage_is_refused_in_one_way(body: bytes) -> None:
    for kind in KINDS:
        try:
            parse(body, kind)
        except BadInput:
            continue


@settings(deadline=None, max_examples=60)
@given(values=st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_wrong_values_in_known_fields_are_refused_by_name(values: dict[str, Any]) -> None:
    body = json.dumps(values).encode()
    for kind in KINDS:
        try:
            parsed = parse(body, kind)
        except BadInput as wrong:
            named = [field for field in FIELDS if field in str(wrong)]
            assert named or "JSON" in str(wrong) or "truncated" in str(wrong)
        else:
            for name, given_value in json.loads(msgspec.json.encode(parsed)).items():
                if name in values and values[name] is not None:
                    assert given_value == values[name] or name == "sendTo"


@settings(deadline=None, max_examples=60)
@given(name=st.text(max_size=50))
def test_every_name_that_json_can_carry_survives(name: str) -> None:
    body = json.dumps({"name": name}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if "\0" in name:
        with pytest.raises(BadInput, match="name"):
            parse(body, ConferenceCreation)
    else:
        assert parse(body, ConferenceCreation).name == name
