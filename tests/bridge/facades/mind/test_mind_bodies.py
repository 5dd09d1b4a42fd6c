from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from bridge.facades.mind import MindSettings
from tests.kit.mind import APP, TOKEN, Mind
from tests.kit.mind import mind as running_mind

pytestmark = pytest.mark.unit


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
