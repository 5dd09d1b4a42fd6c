from __future__ import annotations

import time
from uuid import uuid4

import pytest

from tests.kit.mind import APP, Mind

pytestmark = pytest.mark.unit


async def test_a_message_as_it_is_sent(mind: Mind) -> None:
    conference = await mind.conference()
    ann, token = await mind.person(conference)
    before = int(time.time() * 1000)
    answer = await mind.call(
        "POST",
        f"/{APP}/{conference.id}/messages",
        token,
        json={"sendTo": conference.id, "text": "Message text", "persistent": False},
    )
    body = answer.json()
    assert body == {
        "id": body["id"],
        "sentTo": conference.id,
        "sentBy": ann.id,
        "sentAt": body["sentAt"],
        "text": "Message text",
    }
    assert before <= body["sentAt"] <= before + 5000
    assert isinstance(body["sentAt"], int)
    assert mind.records.messages == []


async def test_only_persistent_messages_are_kept(mind: Mind) -> None:
    conference = await mind.conference()
    path = f"/{APP}/{conference.id}/messages"
    await mind.call("POST", path, json={"sendTo": APP.upper(), "text": "keep", "persistent": True})
    assert [(kept.sent_by, kept.sent_to, kept.text) for kept in mind.records.messages] == [(APP, APP, "keep")]


async def test_an_addressee_who_is_gone_is_an_invalid_value_and_not_404(mind: Mind) -> None:
    conference = await mind.conference()
    _, token = await mind.person(conference)
    answer = await mind.call(
        "POST", f"/{APP}/{conference.id}/messages", token, json={"sendTo": str(uuid4()), "text": "hi"}
    )
    assert (answer.status_code, "sendTo" in answer.json()["error"]) == (400, True)
