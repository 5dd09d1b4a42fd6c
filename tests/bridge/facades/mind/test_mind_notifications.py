from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from bridge.core.ports import CloseReason
from bridge.directory import DirectorySettings
from bridge.people import Actor, Conference, Participant, Role
from bridge.sockets import Accept, Refuse
from tests.kit.mind import APP, OTHER_APP, OTHER_TOKEN, FakeSocket, Mind
from tests.kit.mind import mind as running_mind

pytestmark = pytest.mark.unit

SILENT = {"audio": False, "video": False}


class Audience:
    """Everybody who is told: the application (`app`) and three participants, by name."""

    def __init__(self, mind: Mind, conference: Conference, app: FakeSocket) -> None:
        self.mind = mind
        self.conference = conference
        self.app = app
        self.people: dict[str, Participant] = {}
        self.tokens: dict[str, str] = {}
        self.base = f"/{APP}/{conference.id}"

    async def join(self, name: str, role: Role) -> None:
        self.people[name], self.tokens[name] = await self.mind.person(
            self.conference, name, role, online=True
        )

    def told(self) -> dict[str, list[Any]]:
        """What each was told since the last time; who was told nothing is left out."""
        heard: dict[str, list[Any]] = {}
        names = {person.id: name for name, person in self.people.items()}
        for text in self.app.sent:
            heard.setdefault("app", []).append(json.loads(text))
        for room, participant_id, said in self.mind.board.sent:
            assert room == self.conference.id
            heard.setdefault(names.get(participant_id, participant_id), []).append(json.loads(said))
        self.app.sent.clear()
        self.mind.board.sent.clear()
        return heard


@pytest.fixture
async def audience(mind: Mind) -> Audience:
    conference = await mind.conference()
    audience = Audience(mind, conference, await mind.watch(conference))
    await audience.join("mod", Role.MODERATOR)
    await audience.join("ann", Role.SPEAKER)
    await audience.join("bob", Role.ATTENDEE)
    audience.told()
    return audience


# --- who is told what ---


async def test_a_new_name_by_a_moderator_is_told_to_all_others(audience: Audience) -> None:
    await audience.mind.call("PATCH", audience.base, audience.tokens["mod"], json={"name": "Retro"})
    conference = (await audience.mind.call("GET", audience.base)).json()
    expected = {"type": "updated", "location": "/", "resource": conference}
    assert conference["name"] == "Retro"
    assert audience.told() == {"app": [expected], "ann": [expected], "bob": [expected]}


async def test_the_applications_own_changes_are_not_told_to_it(audience: Audience) -> None:
    await audience.mind.call("PATCH", audience.base, json={"name": "Retro"})
    told = audience.told()
    assert set(told) == {"mod", "ann", "bob"}
    assert told["ann"][0]["resource"]["recording"] == {"started": False}


async def test_a_new_participant_is_told_without_the_token(audience: Audience) -> None:
    made = (await audience.mind.call("POST", f"{audience.base}/participants", json={"name": "Eve"})).json()
    token = made.pop("token")
    told = audience.told()
    expected = {"type": "created", "location": f"/participants/{made['id']}", "resource": made}
    del told[made["id"]]  # not there yet: the switchboard drops it
    assert told == {"mod": [expected], "ann": [expected], "bob": [expected]}
    assert token not in json.dumps(told)


async def test_a_participant_made_by_the_bridge_itself_is_told_to_the_application(audience: Audience) -> None:
    await audience.mind.directory.add_participant(
        audience.conference, by=Actor.system(), name="+15550100", transient=True
    )
    assert audience.told()["app"][0]["resource"]["name"] == "+15550100"


async def test_what_a_participant_does_is_told_to_all_but_that_one(audience: Audience) -> None:
    ann = audience.people["ann"]
    await audience.mind.call(
        "PATCH", f"{audience.base}/participants/{ann.id}", audience.tokens["ann"], json={"name": "Anne"}
    )
    told = audience.told()
    assert set(told) == {"app", "mod", "bob"}
    assert told["mod"] == told["app"] == told["bob"]
    assert told["app"] == [
        {
            "type": "updated",
            "location": f"/participants/{ann.id}",
            "resource": {
                "id": ann.id,
                "online": True,
                "name": "Anne",
                "priority": 1,
                "language": "",
                "role": "speaker",
                "layout": "mosaic",
                "media": SILENT,
                "secondaryMedia": SILENT,
            },
        }
    ]


async def test_who_is_changed_by_somebody_else_is_told_too(audience: Audience) -> None:
    ann = audience.people["ann"]
    path = f"{audience.base}/participants/{ann.id}"
    await audience.mind.call("PATCH", path, audience.tokens["mod"], json={"role": "presenter"})
    told = audience.told()
    assert set(told) == {"app", "ann", "bob"}
    assert told["ann"][0]["resource"]["role"] == "presenter"


async def test_coming_and_going_and_sending_is_told_in_order(audience: Audience) -> None:
    room, ann = audience.conference.id, audience.people["ann"].id
    board = audience.mind.board
    board.sending(room, ann)
    board.sending(room, ann, name="secondary")
    board.sending(room, ann, False)
    board.down(room, ann)
    board.up(room, ann, "plivo")
    told = audience.told()
    assert set(told) == {"app", "mod", "bob"}
    seen = [
        (
            one["resource"]["online"],
            one["resource"]["media"]["audio"],
            one["resource"]["secondaryMedia"]["audio"],
        )
        for one in told["bob"]
    ]
    assert seen == [
        (True, True, False),
        (True, True, True),
        (True, False, True),
        (False, False, False),
        (True, False, False),
    ]
    assert told["app"] == told["mod"] == told["bob"]
    assert {one["type"] for one in told["bob"]} == {"updated"}


async def test_what_the_api_does_not_show_is_not_told(audience: Audience) -> None:
    await audience.mind.directory.change_participant(
        audience.people["ann"], by=Actor.application(APP), muted=True, hears={"x": 0.0}
    )
    assert audience.told() == {}


async def test_an_expulsion_is_told_to_those_who_are_left(audience: Audience) -> None:
    ann = audience.people["ann"]
    await audience.mind.call("DELETE", f"{audience.base}/participants/{ann.id}")
    expected = {"type": "deleted", "location": f"/participants/{ann.id}"}
    assert audience.told() == {"mod": [expected], "bob": [expected]}
    assert audience.mind.board.ended == [(audience.conference.id, ann.id, CloseReason.EXPELLED)]


async def test_a_caller_who_hangs_up_is_told_as_deleted(audience: Audience) -> None:
    caller, _ = await audience.mind.directory.add_participant(
        audience.conference, by=Actor.system(), name="+15550100", transient=True
    )
    audience.mind.board.up(audience.conference.id, caller.id, "plivo")
    audience.told()
    audience.mind.board.down(audience.conference.id, caller.id)
    await audience.mind.directory.close()  # waits for the removal
    told = audience.told()
    assert [one["type"] for one in told["app"]] == ["updated", "deleted"]
    assert told["app"] == told["ann"]


@pytest.mark.parametrize(
    ("by", "to", "hear"),
    [
        ("app", "conference", {"mod", "ann", "bob"}),
        ("app", "ann", {"ann"}),
        ("app", "app", set()),
        ("ann", "conference", {"app", "mod", "bob"}),
        ("ann", "app", {"app"}),
        ("ann", "bob", {"bob"}),
        ("ann", "ann", set()),
    ],
)
async def test_messages_are_heard_by_their_addressees_only(
    audience: Audience, by: str, to: str, hear: set[str]
) -> None:
    addresses = {name: person.id for name, person in audience.people.items()}
    addresses |= {"app": APP, "conference": audience.conference.id}
    answer = await audience.mind.call(
        "POST",
        f"{audience.base}/messages",
        **({"token": audience.tokens[by]} if by != "app" else {}),
        json={"sendTo": addresses[to], "text": "hi"},
    )
    message = answer.json()
    assert message["sentBy"] == addresses[by]
    expected = {"type": "created", "location": f"/messages/{message['id']}", "resource": message}
    assert audience.told() == {name: [expected] for name in hear}


async def test_digits_are_told_to_the_application_and_the_moderators(audience: Audience) -> None:
    for name in ("bob", "mod"):
        audience.mind.board.press(audience.conference.id, audience.people[name].id, "#")
    by_bob, by_mod = (
        {
            "type": "created",
            "location": f"/participants/{audience.people[name].id}/dtmf",
            "resource": {"digit": "#"},
        }
        for name in ("bob", "mod")
    )
    assert audience.told() == {"app": [by_bob, by_mod], "mod": [by_bob]}


async def test_digits_of_a_stream_which_is_nobody_there_are_told_to_the_application_alone(
    audience: Audience,
) -> None:
    audience.mind.directory.tell_digit(audience.conference.id, "a-stream", "#")
    told = {"type": "created", "location": "/participants/a-stream/dtmf", "resource": {"digit": "#"}}
    assert audience.told() == {"app": [told]}


async def test_other_conferences_hear_nothing(audience: Audience) -> None:
    elsewhere = await audience.mind.conference("elsewhere")
    stranger, _ = await audience.mind.person(elsewhere, online=True)
    their_socket = await audience.mind.watch(elsewhere)
    audience.mind.board.sent.clear()
    await audience.mind.call("PATCH", audience.base, json={"name": "Retro"})
    assert their_socket.sent == []
    assert stranger.id not in {participant_id for _, participant_id, _ in audience.mind.board.sent}


# --- the application's socket ---


@pytest.mark.parametrize(
    ("token", "status"), [(None, 401), ("nonsense", 401), (OTHER_TOKEN, 404), ("participant", 403)]
)
async def test_only_the_application_may_watch(mind: Mind, token: str | None, status: int) -> None:
    conference = await mind.conference()
    _, participants = await mind.person(conference, role=Role.MODERATOR)
    answer = await mind.knock(f"/{APP}/{conference.id}", participants if token == "participant" else token)
    assert isinstance(answer, Refuse)
    assert (answer.status, json.loads(answer.body)["status"]) == (status, status)
    assert (("WWW-Authenticate", "Bearer") in answer.headers) == (status == 401)


async def test_the_door_knows_its_own_paths(mind: Mind) -> None:
    conference = await mind.conference()
    base = f"/{APP}/{conference.id}"
    assert isinstance(await mind.knock(base), Accept)
    assert isinstance(await mind.knock(base + "/"), Accept)
    assert isinstance(await mind.knock(base.upper(), in_query=True), Accept)
    unknown = await mind.knock(f"/{APP}/{uuid4()}")
    assert isinstance(unknown, Refuse) and unknown.status == 404
    other = await mind.knock(f"/{OTHER_APP}/{conference.id}")
    assert isinstance(other, Refuse) and other.status == 404
    for path in (base + "/plivo", f"/{APP}", "/live", f"{base}//", f"/{'-' * 36}/{'-' * 36}"):
        assert await mind.knock(path) is None


async def test_a_newer_socket_replaces_the_old_one_with_4001(mind: Mind) -> None:
    conference = await mind.conference()
    old = await mind.watch(conference)
    new = await mind.watch(conference)
    assert old.closed_with is not None and old.closed_with[0] == 4001
    assert new.closed_with is None
    ann, _ = await mind.person(conference)
    mind.board.up(conference.id, ann.id)
    assert (len(old.sent), len(new.sent)) == (0, 1)
    assert mind.facade.notifications.watchers == 1


async def test_the_end_of_the_time_is_said_with_4000() -> None:
    async with running_mind(DirectorySettings(conference_s=3600)) as mind:
        conference = await mind.conference()
        ann, _ = await mind.person(conference, online=True)
        socket = await mind.watch(conference)
        await mind.directory.close_conference(conference, by=Actor.system(), expired=True)
        assert [json.loads(text) for text in socket.sent] == [{"type": "deleted", "location": "/"}]
        assert socket.closed_with is not None and socket.closed_with[0] == 4000
        assert mind.board.ended == [(conference.id, ann.id, CloseReason.ENDED)]
        assert mind.facade.notifications.watchers == 0


async def test_a_conference_that_the_application_deletes_closes_the_socket_normally(mind: Mind) -> None:
    conference = await mind.conference()
    socket = await mind.watch(conference)
    await mind.call("DELETE", f"/{APP}/{conference.id}")
    assert socket.closed_with is not None and socket.closed_with[0] == 1000
    assert socket.sent == []


async def test_a_conference_that_ended_while_the_socket_opened_closes_it(mind: Mind) -> None:
    conference = await mind.conference()
    accepted = await mind.knock(f"/{APP}/{conference.id}")
    assert isinstance(accepted, Accept)
    await mind.call("DELETE", f"/{APP}/{conference.id}")
    socket = FakeSocket(receiver=accepted.receiver)
    accepted.receiver.opened(socket)
    assert socket.closed_with is not None
    assert mind.facade.notifications.watchers == 0


async def test_an_application_that_does_not_keep_up_is_sent_away_and_counted(mind: Mind) -> None:
    conference = await mind.conference()
    ann, _ = await mind.person(conference)
    socket = await mind.watch(conference, room=2)
    mind.board.up(conference.id, ann.id)
    mind.board.sending(conference.id, ann.id)
    assert socket.closed_with is None
    mind.board.sending(conference.id, ann.id, False)
    assert socket.closed_with is not None and socket.closed_with[0] == 1013
    assert mind.facade.notifications.overflows == 1
    mind.board.sending(conference.id, ann.id)  # nobody is told, nothing breaks
    assert (await mind.watch(conference)).closed_with is None


async def test_a_socket_that_closes_is_forgotten_and_may_say_what_it_likes(mind: Mind) -> None:
    conference = await mind.conference()
    socket = await mind.watch(conference)
    assert socket.receiver is not None
    socket.receiver.received(b"hello", True)
    socket.receiver.closed(1006, "")
    assert mind.facade.notifications.watchers == 0
