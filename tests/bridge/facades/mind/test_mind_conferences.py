from __future__ import annotations

import time
from typing import Any

import pytest

from bridge.core.ports import CloseReason
from bridge.people import Role
from tests.kit.mind import APP, TOKEN, Mind

pytestmark = pytest.mark.unit


async def test_a_conference_as_it_is_created(mind: Mind) -> None:
    before = time.time()
    made = await mind.call("POST", f"/{APP}", json={"name": "Meeting name", "layout": "selector"})
    body = made.json()
    assert made.headers["content-type"] == "application/json"
    assert body == {
        "id": body["id"],
        "name": "Meeting name",
        "layout": "selector",
        "recording": {"started": False},
        "endingAt": body["endingAt"],
    }
    assert isinstance(body["endingAt"], int)
    assert 0 <= body["endingAt"] - int(before + 24 * 3600) <= 2
    assert (await mind.call("GET", f"/{APP}/{body['id']}")).json() == body


async def test_everything_about_a_new_conference_may_be_left_out(mind: Mind) -> None:
    bodies: list[dict[str, Any]] = [
        {"content": b""},
        {"json": {}},
        {"json": {"recordingLayout": "mosaic", "unknown": 1}},
    ]
    for body in bodies:
        made = (await mind.call("POST", f"/{APP}", **body)).json()
        assert (made["name"], made["layout"]) == ("", "mosaic")


async def test_ids_are_known_in_capitals_too(mind: Mind) -> None:
    conference = await mind.conference()
    answer = await mind.call("GET", f"/{APP.upper()}/{conference.id.upper()}")
    assert answer.json()["id"] == conference.id


async def test_details_are_shown_on_request(mind: Mind) -> None:
    conference = await mind.conference()
    ann, _ = await mind.person(conference, "Ann")
    bob, token = await mind.person(conference, "Bob")
    path = f"/{APP}/{conference.id}"
    plain = (await mind.call("GET", path)).json()
    assert set(plain) == {"id", "name", "layout", "recording", "endingAt"}
    assert (await mind.call("GET", path + "?detailed=false")).json() == plain
    detailed = (await mind.call("GET", path + "?detailed=true")).json()
    assert detailed["transcription"] == {"started": False}
    assert [one["id"] for one in detailed["participants"]] == [ann.id, bob.id]
    assert detailed["streamings"] == []
    as_bob = (await mind.call("GET", path + "/?detailed=true", token)).json()
    assert [one["id"] for one in as_bob["participants"]] == [bob.id, ann.id]
    assert "streamings" not in as_bob
    wrong = await mind.call("GET", path + "?detailed=maybe")
    assert (wrong.status_code, "detailed" in wrong.json()["error"]) == (400, True)


async def test_a_conference_is_renamed_and_echoed(mind: Mind) -> None:
    conference = await mind.conference()
    _, token = await mind.person(conference, role=Role.MODERATOR)
    path = f"/{APP}/{conference.id}/"
    for name, by in (("Retro", TOKEN), ("Ретро ☕", token)):
        answer = await mind.call("PATCH", path, by, json={"name": name})
        assert answer.json()["name"] == name
    assert (await mind.call("PATCH", path, json={"name": None})).json()["name"] == "Ретро ☕"
    assert (await mind.call("PATCH", path, json={})).json()["name"] == "Ретро ☕"


async def test_deleting_a_conference_expels_everybody(mind: Mind) -> None:
    conference = await mind.conference()
    ann, token = await mind.person(conference)
    await mind.call("POST", f"/{APP}/{conference.id}/", token, json={"sdp": "offer"})
    answer = await mind.call("DELETE", f"/{APP}/{conference.id}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert mind.board.ended == [(conference.id, ann.id, CloseReason.ENDED)]
    assert (await mind.call("GET", f"/{APP}/{conference.id}")).status_code == 404
    assert (await mind.call("GET", f"/{APP}/{conference.id}", token)).status_code == 401
