from __future__ import annotations

import json
import re
import time
from typing import Any
from uuid import uuid4

import pytest

from bridge.core.ports import CloseReason, WebRtcOffer
from bridge.directory import DirectorySettings
from bridge.errors import BadOffer, Draining, LimitReached, Overloaded
from bridge.facades.mind import MindSettings
from bridge.people import Role
from tests.kit.mind import APP, TOKEN, Mind
from tests.kit.mind import mind as running_mind

pytestmark = pytest.mark.unit

SILENT = {"audio": False, "video": False}
SOUNDING = {"audio": True, "video": False}


# --- conferences ---


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


# --- participants ---


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


# --- sessions ---


async def test_a_session_gives_the_answer(mind: Mind) -> None:
    conference = await mind.conference()
    ann, token = await mind.person(conference, role=Role.ATTENDEE)
    base = f"/{APP}/{conference.id}"
    for path in (base + "/", base, f"{base}/participants/{ann.id}/session"):
        answer = await mind.call("POST", path, token, json={"sdp": "v=0\r\n…"})
        assert (answer.status_code, answer.json()) == (200, {"sdp": "answer to v=0\r\n…"})
    assert mind.board.connected == {(conference.id, ann.id): WebRtcOffer("v=0\r\n…")}
    assert not mind.board.routings[conference.id, ann.id].primary_in_mix


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (BadOffer("no fingerprint"), 400, None),
        (Draining(7), 503, "7"),
        (Overloaded(), 503, "5"),
        (LimitReached("legs", 10), 503, "30"),
        (RuntimeError("secret inside"), 500, None),
    ],
)
async def test_a_session_that_is_not_granted(
    mind: Mind, error: Exception, status: int, retry_after: str | None
) -> None:
    conference = await mind.conference()
    _, token = await mind.person(conference)
    mind.board.errors = [error]
    answer = await mind.call("POST", f"/{APP}/{conference.id}/", token, json={"sdp": "offer"})
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
    said = answer.json()
    assert said["status"] == status
    assert (str(error) in said["error"]) == (status != 500)


async def test_who_is_expelled_while_joining_is_told_404(mind: Mind) -> None:
    conference = await mind.conference()
    ann, token = await mind.person(conference)
    mind.board.while_connecting = lambda: mind.call("DELETE", f"/{APP}/{conference.id}/participants/{ann.id}")
    answer = await mind.call("POST", f"/{APP}/{conference.id}/", token, json={"sdp": "offer"})
    assert answer.status_code == 404
    assert mind.board.connected == {}


# --- messages ---


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


# --- bodies ---


@pytest.mark.parametrize(
    ("path", "body", "names"),
    [
        ("", {"name": 1}, "$.name"),
        ("", {"name": None}, "$.name"),
        ("", {"layout": "spiral"}, "$.layout"),
        ("", {"recordingLayout": "spiral"}, "$.recordingLayout"),
        ("", {"name": "x" * 1001}, "$.name"),
        ("", {"name": "a\0b"}, "$.name"),
        ("", [], "object"),
        ("/participants", {"priority": -1}, "$.priority"),
        ("/participants", {"priority": "1"}, "$.priority"),
        ("/participants", {"priority": True}, "$.priority"),
        ("/participants", {"role": "king"}, "$.role"),
        ("/participants", {"language": "tlh"}, "$.language"),
        ("/messages", {"text": "hi"}, "sendTo"),
        ("/messages", {"sendTo": APP}, "text"),
        ("/messages", {"sendTo": "everybody", "text": "hi"}, "$.sendTo"),
        ("/messages", {"sendTo": APP, "text": "x" * 16001}, "$.text"),
        ("/messages", {"sendTo": APP, "text": "hi", "persistent": "no"}, "$.persistent"),
    ],
)
async def test_wrong_values_are_refused_by_name(mind: Mind, path: str, body: Any, names: str) -> None:
    conference = await mind.conference()
    answer = await mind.call("POST", f"/{APP}/{conference.id}{path}" if path else f"/{APP}", json=body)
    assert (answer.status_code, answer.json()["status"]) == (400, 400)
    assert names in answer.json()["error"]


@pytest.mark.parametrize(
    "content",
    [b"{", b"nonsense", b'{"name": NaN}', b'{"name": "\xff"}', b'{"name": "\\ud800"}', b"[" * 5000, b"{}{}"],
)
async def test_what_is_not_json_is_refused(mind: Mind, content: bytes) -> None:
    answer = await mind.call("POST", f"/{APP}", content=content)
    assert answer.status_code == 400
    assert json.loads(answer.content)["error"].startswith("the request body: ")


async def test_bodies_are_json_or_nothing(mind: Mind) -> None:
    statuses = {}
    for kind in (
        "application/json",
        "application/json; charset=UTF-8",
        "Application/JSON;charset=utf-8",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "",
    ):
        answer = await mind.call("POST", f"/{APP}", content=b"{}", headers={"Content-Type": kind})
        statuses[kind] = answer.status_code
    assert list(statuses.values()) == [200, 200, 200, 415, 415, 415, 415]
    unnamed = await mind.call("POST", f"/{APP}", content=b"{}")
    assert unnamed.status_code == 200
    empty = await mind.call("POST", f"/{APP}", headers={"Content-Type": "text/plain"})
    assert empty.status_code == 200
    get = await mind.call(
        "GET", f"/{APP}/{uuid4()}", headers={"Content-Type": "application/json; charset=UTF-8"}
    )
    assert get.status_code == 404


async def test_huge_bodies_are_not_read_to_the_end() -> None:
    read = 0

    async def endless() -> Any:
        nonlocal read
        while True:
            read += 1000
            yield b"x" * 1000

    async with running_mind(limits=MindSettings(body_bytes=10_000)) as mind:
        answer = await mind.call("POST", f"/{APP}", content=endless())
        assert (answer.status_code, answer.json()["status"]) == (413, 413)
        assert read <= 20_000


async def test_strangers_bodies_are_not_read(mind: Mind) -> None:
    answer = await mind.call("POST", f"/{APP}", "nonsense", content=b"{" * 100)
    assert answer.status_code == 401


async def test_bodies_of_what_is_not_built_are_not_looked_at(mind: Mind) -> None:
    conference = await mind.conference()
    person, _ = await mind.person(conference)
    path = f"/{APP}/{conference.id}/participants/{person.id}/dial"
    bodies: list[dict[str, Any]] = [
        {},
        {"json": {}},
        {"content": b"", "headers": {"Content-Type": "application/json"}},
    ]
    for body in bodies:
        answer = await mind.call("POST", path, **body)
        assert (answer.status_code, answer.json()["status"]) == (501, 501)


# --- limits, draining, failures ---


async def test_limits_answer_503_with_a_time_to_come_back() -> None:
    async with running_mind(DirectorySettings(conferences=1, participants=1)) as mind:
        conference = await mind.conference()
        await mind.person(conference)
        for path in (f"/{APP}", f"/{APP}/{conference.id}/participants"):
            answer = await mind.call("POST", path, json={})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
            assert "= 1 is reached" in answer.json()["error"]


async def test_draining_refuses_new_work_only(mind: Mind) -> None:
    conference = await mind.conference()
    ann, token = await mind.person(conference)
    mind.board.draining = True
    base = f"/{APP}/{conference.id}"
    for path in (f"/{APP}", f"{base}/participants"):
        answer = await mind.call("POST", path, json={})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert (await mind.call("GET", base, token)).status_code == 200
    assert (
        await mind.call("POST", base + "/messages", token, json={"sendTo": APP, "text": "hi"})
    ).status_code == 200
    assert (await mind.call("DELETE", f"{base}/participants/{ann.id}")).status_code == 200


async def test_a_broken_store_is_500_in_json_and_says_nothing_of_itself(
    mind: Mind, caplog: pytest.LogCaptureFixture
) -> None:
    conference = await mind.conference()
    mind.records.broken = OSError("disk full in /var/lib")
    answer = await mind.call("PATCH", f"/{APP}/{conference.id}", json={"name": "x"})
    assert (answer.status_code, answer.json()) == (
        500,
        {"error": "something went wrong on the server", "status": 500},
    )
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "disk full" in caplog.text
    assert mind.directory.conference(APP, conference.id) == conference


async def test_the_token_may_come_as_a_parameter(mind: Mind) -> None:
    conference = await mind.conference()
    path = f"/{APP}/{conference.id}"
    assert (await mind.call("GET", path, None, params={"access_token": TOKEN})).status_code == 200
    assert (await mind.call("GET", path, None, params={"access_token": "no"})).status_code == 401
    both = await mind.call("GET", path, "no", params={"access_token": TOKEN})
    assert both.status_code == 401
    odd = await mind.call("GET", path, None, headers={"Authorization": f"bEARER  {TOKEN} "})
    assert odd.status_code == 200


# --- other origins ---


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
async def test_browsers_may_ask_from_any_origin(mind: Mind, method: str) -> None:
    for path in (f"/{APP}", f"/{APP}/{uuid4()}/", f"/{APP}/{uuid4()}/participants/{uuid4()}"):
        answer = await mind.call(
            "OPTIONS",
            path,
            None,
            headers={
                "Origin": "https://page.example",
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": "authorization,content-type,mind-sdk",
            },
        )
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == "*"
        assert method in answer.headers["access-control-allow-methods"].split(", ")
        allowed = answer.headers["access-control-allow-headers"].split(", ")
        assert set(allowed) >= {"authorization", "content-type", "mind-sdk"}
        assert int(answer.headers["access-control-max-age"]) > 600


async def test_every_answer_may_be_read_from_any_origin(mind: Mind) -> None:
    conference = await mind.conference()
    _, token = await mind.person(conference)
    base = f"/{APP}/{conference.id}"
    mind.board.errors = [Overloaded(), RuntimeError("no")]
    asked: list[tuple[int, str, str, str | None, dict[str, Any]]] = [
        (200, "GET", base, TOKEN, {}),
        (400, "PATCH", base, TOKEN, {"json": {"name": 1}}),
        (401, "GET", base, None, {}),
        (403, "DELETE", base, token, {}),
        (404, "GET", f"/{APP}/{uuid4()}", TOKEN, {}),
        (404, "GET", f"{base}/nothing", TOKEN, {}),
        (405, "PUT", base, TOKEN, {}),
        (415, "PATCH", base, TOKEN, {"content": b"{}", "headers": {"Content-Type": "text/plain"}}),
        (501, "GET", f"{base}/recording/transcription", TOKEN, {}),
        (503, "POST", f"{base}/", token, {"json": {"sdp": "o"}}),
        (500, "POST", f"{base}/", token, {"json": {"sdp": "o"}}),
    ]
    for status, method, path, by, more in asked:
        answer = await mind.call(method, path, by, **more)
        assert answer.status_code == status
        assert answer.headers.get_list("access-control-allow-origin") == ["*"]
        assert "Retry-After" in answer.headers["access-control-expose-headers"]


async def test_paths_outside_of_applications_are_left_alone(mind: Mind) -> None:
    assert "access-control-allow-origin" not in (await mind.call("GET", "/openapi.json")).headers
    assert (await mind.call("OPTIONS", "/openapi.json")).status_code == 405


# --- the log ---


async def test_a_client_that_goes_away_in_its_body_is_no_error_of_ours(
    mind: Mind, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[Any] = []
    events = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(events)

    async def send(message: Any) -> None:
        answers.append(message)

    scope = {
        "type": "http", "method": "POST", "path": f"/{APP}", "root_path": "", "query_string": b"",
        "headers": [(b"authorization", f"Bearer {TOKEN}".encode())],
    }  # fmt: skip
    await mind.app(scope, receive, send)
    assert answers[0]["status"] == 400
    assert "error" not in {record.levelname.lower() for record in caplog.records}


async def test_debug_lines_say_what_was_asked_and_why_it_was_refused(
    mind: Mind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="bridge")
    conference = await mind.conference()
    ann, token = await mind.person(conference, "Somebody's name")
    await mind.watch(conference)
    path = f"/{APP}/{conference.id}"
    await mind.call("PATCH", f"{path}/participants/{ann.id}", token, json={"role": "moderator"})
    await mind.call("PATCH", f"{path}/participants/{ann.id}", token, json={"name": "Another name"})
    await mind.call("POST", f"{path}/messages", token, json={"sendTo": conference.id, "text": "for you"})
    await mind.knock(path, "no-such-token")
    lines = [record.getMessage() for record in caplog.records]
    for said in (
        r"< createConference: 200 in \d+ ms",
        "- participant added as speaker, by application",
        "- the application watches",
        r"< changeParticipant: 403 in \d+ ms: a speaker may not change `role`",
        "- participant changed: name, by participant",
        "> ParticipantChanged told to 1 clients",
        rf"- message of 7 characters to {conference.id}, by participant",
        "x a watcher was refused with 401: no valid token was provided",
    ):
        assert any(re.fullmatch(said, line) for line in lines), (said, lines)
    everything = " ".join(lines)
    secrets = (TOKEN, token, "no-such-token", "Somebody's name", "Another name", "for you")
    assert [secret for secret in secrets if secret in everything] == []
    (changed,) = [one for one in caplog.records if "participant changed" in one.getMessage()]
    assert (changed.room, changed.participant) == (conference.id, ann.id)  # type: ignore[attr-defined]
