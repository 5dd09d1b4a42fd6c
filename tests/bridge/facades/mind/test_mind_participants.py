from __future__ import annotations

from typing import Any

import pytest

from bridge.core.ports import CloseReason
from tests.kit.mind import APP, Mind

pytestmark = pytest.mark.unit

SILENT = {"audio": False, "video": False}
SOUNDING = {"audio": True, "video": False}


async def test_a_participant_as_it_is_created(mind: Mind) -> None:
    conference = await mind.conference()
    path = f"/{APP}/{conference.id}/participants"
    made = await mind.call(
        "POST",
        path,
        json={"name": "John Doe", "priority": 2, "role": "presenter", "layout": "selector", "language": "de"},
    )
    body = made.json()
    token = body.pop("token")
    assert len(token) == 100
    assert made.headers["cache-control"] == "no-store"
    assert body == {
        "id": body["id"],
        "online": False,
        "name": "John Doe",
        "priority": 2,
        "language": "de",
        "role": "presenter",
        "layout": "selector",
        "media": SILENT,
        "secondaryMedia": SILENT,
    }
    assert (await mind.call("GET", f"{path}/{body['id']}")).json() == body
    assert (await mind.call("GET", path)).json() == [body]
    assert (await mind.call("GET", path, token)).json() == [body]


async def test_everything_about_a_new_participant_may_be_left_out(mind: Mind) -> None:
    conference = (await mind.call("POST", f"/{APP}", json={"layout": "presenting_mosaic"})).json()
    made = (await mind.call("POST", f"/{APP}/{conference['id']}/participants")).json()
    shown = {key: made[key] for key in ("name", "priority", "role", "layout", "language")}
    assert shown == {
        "name": "",
        "priority": 1,
        "role": "speaker",
        "layout": "presenting_mosaic",
        "language": "",
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Jane"),
        ("name", ""),
        ("priority", 0),
        ("priority", 2.5),
        ("role", "attendee"),
        ("layout", "presenting_selector"),
        ("language", "zh"),
        ("language", ""),
    ],
)
async def test_every_field_of_a_participant_is_changed_and_echoed(mind: Mind, field: str, value: Any) -> None:
    conference = await mind.conference()
    ann, _ = await mind.person(conference)
    path = f"/{APP}/{conference.id}/participants/{ann.id}"
    before = (await mind.call("PATCH", path, json={"language": "en"})).json()
    answer = await mind.call("PATCH", path, json={field: value})
    assert answer.json() == {**before, field: value}
    assert (await mind.call("PATCH", path, json={field: None})).json() == {**before, field: value}


async def test_a_refused_change_changes_nothing(mind: Mind) -> None:
    conference = await mind.conference()
    ann, token = await mind.person(conference)
    path = f"/{APP}/{conference.id}/participants/{ann.id}"
    answer = await mind.call("PATCH", path, token, json={"name": "Queen", "role": "moderator"})
    assert answer.status_code == 403
    assert answer.json()["error"] == "a speaker may not change `role`"
    assert mind.directory.participant(conference, ann.id) == ann


async def test_presence_and_media_are_shown_for_every_kind_of_leg(mind: Mind) -> None:
    conference = await mind.conference()
    ann, _ = await mind.person(conference)
    path = f"/{APP}/{conference.id}/participants/{ann.id}"
    mind.board.up(conference.id, ann.id, "plivo")
    mind.board.sending(conference.id, ann.id)
    mind.board.sending(conference.id, ann.id, name="secondary")
    body = (await mind.call("GET", path)).json()
    assert (body["online"], body["media"], body["secondaryMedia"]) == (True, SOUNDING, SOUNDING)
    mind.board.down(conference.id, ann.id)
    body = (await mind.call("GET", path)).json()
    assert (body["online"], body["media"], body["secondaryMedia"]) == (False, SILENT, SILENT)


async def test_an_expelled_participants_token_is_worth_nothing(mind: Mind) -> None:
    conference = await mind.conference()
    ann, token = await mind.person(conference)
    await mind.call("POST", f"/{APP}/{conference.id}/", token, json={"sdp": "offer"})
    answer = await mind.call("DELETE", f"/{APP}/{conference.id}/participants/{ann.id}")
    assert answer.status_code == 200
    assert mind.board.ended == [(conference.id, ann.id, CloseReason.EXPELLED)]
    assert (await mind.call("GET", f"/{APP}/{conference.id}", token)).status_code == 401
    # What a client that missed its expulsion tries again and again: 404 makes it stop.
    again = await mind.call("POST", f"/{APP}/{conference.id}/", token, json={"sdp": "offer"})
    assert again.status_code == 404
