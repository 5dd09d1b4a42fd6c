"""Participants that play something, by the API: ours, for the application only."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bridge.core.ports import PlayerSource
from bridge.people import Conference, Role
from tests.kit.mind import APP, Mind
from tests.kit.mind import mind as running_mind

pytestmark = pytest.mark.unit

URL = "rtmps://live.example/app/a-secret-key?token=hush"


@pytest.fixture
async def mind() -> AsyncIterator[Mind]:
    async with running_mind() as mind:
        yield mind


def people_of(conference: Conference, below: str = "") -> str:
    return f"/{APP}/{conference.id}/participants{below}"


async def test_a_player_from_its_creation_to_its_end(mind: Mind) -> None:
    conference = await mind.conference()
    wanted = {"name": "Radio", "role": "presenter", "source": {"url": URL, "volume": 50, "loop": True}}
    made = await mind.call("POST", people_of(conference), json=wanted)
    assert made.status_code == 200, made.text
    body = made.json()
    assert (body["name"], body["role"]) == ("Radio", "presenter") and body["token"]
    assert body["source"] == {"state": "connecting", "volume": 50.0, "loop": True, "paused": False}
    assert "secret" not in made.text and "hush" not in made.text
    assert mind.board.connected[conference.id, body["id"]] == PlayerSource(URL, "", 0.5, loop=True)
    one = people_of(conference, "/" + body["id"])
    changed = await mind.call("PATCH", one, json={"name": "Jingle", "source": {"paused": True}})
    assert changed.json()["source"] == {"state": "connecting", "volume": 50.0, "loop": True, "paused": True}
    assert changed.json()["name"] == "Jingle"
    assert mind.board.connected[conference.id, body["id"]] == PlayerSource(URL, "", 0.5, True, True)
    for answer in (await mind.call("GET", one), await mind.call("GET", people_of(conference))):
        assert '"paused":true' in answer.text and "secret" not in answer.text
    assert (await mind.call("DELETE", one)).status_code == 200
    assert mind.board.connected == {}


async def test_participants_do_not_see_what_others_play_nor_change_it(mind: Mind) -> None:
    conference = await mind.conference()
    made = (await mind.call("POST", people_of(conference), json={"source": {"url": URL}})).json()
    one = people_of(conference, "/" + made["id"])
    for role in (Role.MODERATOR, Role.SPEAKER):
        _, token = await mind.person(conference, "Mo", role)
        for path in (one, people_of(conference), f"/{APP}/{conference.id}?detailed=true"):
            seen = await mind.call("GET", path, token)
            assert seen.status_code == 200 and "source" not in seen.text
        assert (await mind.call("PATCH", one, token, json={"source": {"volume": 0}})).status_code == 403
    itself = await mind.call("PATCH", one, made["token"], json={"source": {"volume": 0}})
    assert itself.status_code == 403
    socket = await mind.watch(conference)
    await mind.call("PATCH", one, json={"source": {"volume": 3}})
    mind.board.up(conference.id, made["id"], "player")
    assert socket.sent and not any(b'"source"' in message for message in socket.sent)


@pytest.mark.parametrize(
    "source",
    [
        {},
        {"url": URL, "file": "a.wav"},
        {"file": "missing"},
        {"file": "a.wav", "volume": 201},
        {"file": "a.wav", "volume": "loud"},
        {"file": "a.wav", "speed": 2},
        {"url": "file:///etc/passwd"},
        {"url": "gopher://live.example/x"},
        {"url": "rtmp://127.0.0.1/app/key"},
        {"url": "http://user:password@live.example/x"},
        {"url": "x" * 5_000},
        [],
        "a.wav",
    ],
)
async def test_sources_that_cannot_be_are_bad_input(mind: Mind, source: object) -> None:
    conference = await mind.conference()
    answer = await mind.call("POST", people_of(conference), json={"source": source})
    assert (answer.status_code, answer.json()["status"]) == (400, 400), answer.text
    assert "password@" not in answer.text
    assert (await mind.call("GET", people_of(conference))).json() == []


async def test_there_are_only_so_many(mind: Mind) -> None:
    conference = await mind.conference()
    for expected in (200, 200, 200, 503):
        answer = await mind.call("POST", people_of(conference), json={"source": {"file": "a.wav"}})
        assert answer.status_code == expected
    assert "players.per_conference" in answer.text


async def test_who_plays_nothing_has_no_source(mind: Mind) -> None:
    conference = await mind.conference()
    person, _ = await mind.person(conference)
    one = people_of(conference, "/" + person.id)
    assert "source" not in (await mind.call("GET", one)).json()
    answer = await mind.call("PATCH", one, json={"source": {"volume": 1}})
    assert (answer.status_code, answer.json()["error"]) == (400, "this participant plays nothing")
    unchanged = await mind.call("PATCH", one, json={"source": None, "name": "Ben"})
    assert unchanged.status_code == 200


async def test_a_server_may_play_nothing() -> None:
    async with running_mind(plays=False) as mind:
        conference = await mind.conference()
        answer = await mind.call("POST", people_of(conference), json={"source": {"file": "a.wav"}})
        assert (answer.status_code, answer.json()["error"]) == (400, "this server plays nothing")
