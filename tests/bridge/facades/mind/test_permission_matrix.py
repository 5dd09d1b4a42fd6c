"""Every operation by every caller, against a table written by hand from the API's description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from bridge.facades.mind.permissions import Operation
from bridge.people import Actor, Role
from tests.kit.mind import APP, OTHER_APP, OTHER_TOKEN, TOKEN, Mind

pytestmark = pytest.mark.unit

CALLERS = ("application", "moderator", "presenter", "speaker", "attendee", "itself")
STREAMING = "/streamings/3eb26018-7147-4762-a01c-967c1d2522ab"


@dataclass(frozen=True)
class Row:
    """`who`: one letter for each of CALLERS, y(es) or n(o); `done` is the status of a yes."""

    operation: str
    method: str
    path: str
    who: str
    done: int = 200
    body: Any = None


# application moderator presenter speaker attendee, and a speaker on itself
MATRIX = (
    Row("createConference", "POST", "/{app}", "ynnnnn", body={}),
    Row("getConference", "GET", "/{app}/{conf}", "yyyyyy"),
    Row("getConference", "GET", "/{app}/{conf}/?detailed=true", "yyyyyy"),
    Row("changeConference", "PATCH", "/{app}/{conf}", "yynnnn", body={"name": "x"}),
    Row("deleteConference", "DELETE", "/{app}/{conf}", "ynnnnn"),
    Row("openSession", "POST", "/{app}/{conf}/participants/{target}/session", "nnnnny", body={"sdp": "o"}),
    Row("listParticipants", "GET", "/{app}/{conf}/participants", "yyyyyy"),
    Row("createParticipant", "POST", "/{app}/{conf}/participants", "ynnnnn", body={}),
    Row("deleteParticipants", "DELETE", "/{app}/{conf}/participants", "ynnnnn"),
    Row("getParticipant", "GET", "/{app}/{conf}/participants/{target}", "yyyyyy"),
    Row("changeParticipant", "PATCH", "/{app}/{conf}/participants/{target}", "yynnny", body={}),
    Row("changeParticipant", "PATCH", "/{app}/{conf}/participants/{target}", "yynnny", body={"name": "x"}),
    Row(
        "changeParticipant",
        "PATCH",
        "/{app}/{conf}/participants/{target}",
        "yynnny",
        body={"layout": "selector", "name": None, "role": None, "priority": None, "language": None},
    ),
    Row("changeParticipant", "PATCH", "/{app}/{conf}/participants/{target}", "yynnnn", body={"priority": 2}),
    Row(
        "changeParticipant",
        "PATCH",
        "/{app}/{conf}/participants/{target}",
        "yynnnn",
        body={"role": "moderator"},
    ),
    Row(
        "changeParticipant", "PATCH", "/{app}/{conf}/participants/{target}", "yynnnn", body={"language": "de"}
    ),
    Row("deleteParticipant", "DELETE", "/{app}/{conf}/participants/{target}", "ynnnnn"),
    Row("dial", "POST", "/{app}/{conf}/participants/{target}/dial", "yynnnn", 501, {}),
    Row("forward", "POST", "/{app}/{conf}/participants/{target}/forward", "yynnnn", 501, {}),
    Row("hangUp", "POST", "/{app}/{conf}/participants/{target}/hangup", "yynnnn", 501),
    Row("sendMessage", "POST", "/{app}/{conf}/messages", "yyyyyy", body={"sendTo": "{conf}", "text": "hi"}),
    Row("getRecording", "GET", "/{app}/{conf}/recording", "yynnnn", 404),
    Row("getRecordingPreview", "GET", "/{app}/{conf}/recording/preview", "yynnnn", 404),
    Row("getRecordingManifest", "GET", "/{app}/{conf}/recording/manifest", "yynnnn", 404),
    Row("getRecordingFile", "GET", "/{app}/{conf}/recording/files/program.wav", "yynnnn", 404),
    Row("startRecording", "POST", "/{app}/{conf}/recording/start", "yynnnn"),
    Row("startRecording", "POST", "/{app}/{conf}/recording/start", "yynnnn", body={"formats": ["wav"]}),
    Row("stopRecording", "POST", "/{app}/{conf}/recording/stop", "yynnnn", body={}),
    Row("getRecordingTranscription", "GET", "/{app}/{conf}/recording/transcription", "yynnnn", 501),
    Row("getTranscription", "GET", "/{app}/{conf}/transcription", "yyyyyy"),
    Row("changeTranscription", "PATCH", "/{app}/{conf}/transcription", "ynnnnn", 501, {"started": True}),
    Row("listStreamings", "GET", "/{app}/{conf}/streamings", "ynnnnn"),
    Row(
        "createStreaming", "POST", "/{app}/{conf}/streamings", "ynnnnn", body={"url": "rtmp://x.example/y/z"}
    ),
    Row("deleteStreamings", "DELETE", "/{app}/{conf}/streamings", "ynnnnn"),
    Row("getStreaming", "GET", "/{app}/{conf}" + STREAMING, "ynnnnn", 404),
    Row("markStreaming", "POST", "/{app}/{conf}" + STREAMING + "/metadata", "ynnnnn", 404, {"payload": "x"}),
    Row("deleteStreaming", "DELETE", "/{app}/{conf}" + STREAMING, "ynnnnn", 404),
)


@dataclass
class Scene:
    """A conference with one of each role, and a target for those who act on somebody else."""

    ids: dict[str, str]
    tokens: dict[str, str]


async def set_up(mind: Mind) -> Scene:
    application = Actor.application(APP)
    conference = await mind.directory.open_conference(APP, by=application)
    tokens = {"application": TOKEN}
    for role in Role:
        _, tokens[role.value] = await mind.directory.add_participant(conference, by=application, role=role)
    target, tokens["itself"] = await mind.directory.add_participant(conference, by=application)
    return Scene({"app": APP, "conf": conference.id, "target": target.id}, tokens)


def filled(body: Any, ids: dict[str, str]) -> dict[str, Any]:
    if body is None:
        return {}
    return {"json": {key: ids["conf"] if value == "{conf}" else value for key, value in body.items()}}


def test_the_table_names_every_operation() -> None:
    assert {row.operation for row in MATRIX} | {"watch"} == {operation.value for operation in Operation}


async def test_who_may_do_what(mind: Mind) -> None:
    for row in MATRIX:
        for caller, allowed in zip(CALLERS, row.who, strict=True):
            scene = await set_up(mind)
            path = row.path.format(**scene.ids)
            answer = await mind.call(row.method, path, scene.tokens[caller], **filled(row.body, scene.ids))
            expected = row.done if allowed == "y" else 403
            assert answer.status_code == expected, (caller, row, answer.text)
            if expected != 200:
                assert answer.json()["status"] == expected, (caller, row)


async def test_a_slash_at_the_end_changes_nothing(mind: Mind) -> None:
    for row in MATRIX:
        scene = await set_up(mind)
        caller = "application" if row.who[0] == "y" else "itself"
        path = row.path.format(**scene.ids)
        path = path + "/" if "?" not in path else path.replace("/?", "?")
        answer = await mind.call(row.method, path, scene.tokens[caller], **filled(row.body, scene.ids))
        assert answer.status_code == row.done, path


async def test_strangers_find_nothing(mind: Mind) -> None:
    scene = await set_up(mind)
    elsewhere = await mind.conference("elsewhere")
    _, neighbour = await mind.person(elsewhere, role=Role.MODERATOR)
    foreign = (await mind.call("POST", f"/{OTHER_APP}", OTHER_TOKEN, json={})).json()["id"]
    guest = await mind.call("POST", f"/{OTHER_APP}/{foreign}/participants", OTHER_TOKEN, json={})
    for row in MATRIX:
        path = row.path.format(**scene.ids)
        body = filled(row.body, scene.ids)
        expected = {
            OTHER_TOKEN: 404,
            guest.json()["token"]: 404,
            # knows its application, but may not open conferences in it
            neighbour: 403 if row.operation == "createConference" else 404,
            "nonsense": 401,
            "": 401,
        }
        for token, status in expected.items():
            answer = await mind.call(row.method, path, token, **body)
            assert (answer.status_code, answer.json()["status"]) == (status, status), (row, answer.text)
        assert answer.headers["www-authenticate"] == "Bearer"
        basic = await mind.call(row.method, path, None, headers={"Authorization": f"Basic {TOKEN}"}, **body)
        assert basic.status_code == 401, row


async def test_what_does_not_exist_is_not_found(mind: Mind) -> None:
    scene = await set_up(mind)
    for row in MATRIX:
        if "{conf}" not in row.path or row.operation == "openSession":
            continue
        body = filled(row.body, scene.ids)
        nowhere = row.path.format(app=APP, conf=uuid4(), target=scene.ids["target"])
        assert (await mind.call(row.method, nowhere, **body)).status_code == 404, row
        if "{target}" in row.path:
            nobody = row.path.format(app=APP, conf=scene.ids["conf"], target=uuid4())
            assert (await mind.call(row.method, nobody, **body)).status_code == 404, row


async def test_a_session_on_the_conference_is_the_token_holders_own(mind: Mind) -> None:
    for caller in CALLERS:
        for slash in ("", "/"):
            scene = await set_up(mind)
            path = f"/{APP}/{scene.ids['conf']}{slash}"
            answer = await mind.call("POST", path, scene.tokens[caller], json={"sdp": "offer"})
            assert answer.status_code == (403 if caller == "application" else 200), caller


async def test_paths_whose_ids_are_not_uuids_are_not_ours(mind: Mind) -> None:
    conference = await mind.conference()
    for path in (f"/{APP}/conference", f"/app/{conference.id}", "/app", f"/{APP}/{conference.id}/nothing"):
        for method in ("GET", "POST"):
            assert (await mind.call(method, path)).status_code == 404
    odd = f"/{APP}/{conference.id}/participants/me"
    assert (await mind.call("GET", odd)).status_code == 404
