from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.openapi.models import OpenAPI

from tests.kit.mind import APP, Mind

pytestmark = pytest.mark.unit

CONFERENCE = "/{application_id}/{conference_id}"
PERSON = CONFERENCE + "/participants/{participant_id}"
STREAMING = CONFERENCE + "/streamings/{streaming_id}"


async def described(mind: Mind) -> dict[str, Any]:
    answer = await mind.call("GET", "/openapi.json", None)
    whole: dict[str, Any] = answer.json()
    OpenAPI.model_validate(whole)
    return whole


async def test_every_call_is_described_once(mind: Mind) -> None:
    paths = (await described(mind))["paths"]
    assert {path: set(methods) for path, methods in paths.items()} == {
        "/{application_id}": {"post"},
        CONFERENCE: {"get", "post", "patch", "delete"},
        CONFERENCE + "/participants": {"get", "post", "delete"},
        PERSON: {"get", "patch", "delete"},
        PERSON + "/session": {"post"},
        PERSON + "/dial": {"post"},
        PERSON + "/forward": {"post"},
        PERSON + "/hangup": {"post"},
        CONFERENCE + "/messages": {"post"},
        CONFERENCE + "/recording": {"get"},
        CONFERENCE + "/recording/preview": {"get"},
        CONFERENCE + "/recording/manifest": {"get"},
        CONFERENCE + "/recording/files/{name}": {"get"},
        CONFERENCE + "/recording/start": {"post"},
        CONFERENCE + "/recording/stop": {"post"},
        CONFERENCE + "/recording/transcription": {"get"},
        CONFERENCE + "/transcription": {"get", "patch"},
        CONFERENCE + "/streamings": {"get", "post", "delete"},
        STREAMING: {"get", "delete"},
        STREAMING + "/metadata": {"post"},
    }
    names = [call["operationId"] for methods in paths.values() for call in methods.values()]
    assert len(names) == len(set(names))


async def test_what_is_described_is_what_is_answered(mind: Mind) -> None:
    conference = await mind.conference()
    paths = (await described(mind))["paths"]
    shown = paths[CONFERENCE]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    detailed = (await mind.call("GET", f"/{APP}/{conference.id}?detailed=true")).json()
    assert set(detailed) == set(shown["properties"])
    plain = (await mind.call("GET", f"/{APP}/{conference.id}")).json()
    assert set(plain) == set(shown["required"])
    made = (await mind.call("POST", f"/{APP}/{conference.id}/participants")).json()
    shown = paths[CONFERENCE + "/participants"]["post"]["responses"]["200"]["content"]["application/json"]
    assert set(made) == set(shown["schema"]["required"])
    assert set(made) == set(shown["schema"]["properties"]) - {"source"}  # ours, of players only
    wanted = paths[CONFERENCE + "/participants"]["post"]["requestBody"]["content"]["application/json"][
        "schema"
    ]
    assert set(wanted["properties"]) == {"name", "priority", "role", "layout", "language", "source"}
    assert wanted["properties"]["role"]["enum"] == ["attendee", "moderator", "presenter", "speaker"]
    assert wanted["properties"]["role"]["default"] == "speaker"
    assert wanted["properties"]["priority"] == {"type": "number", "minimum": 0, "default": 1.0}


async def test_every_status_is_described(mind: Mind) -> None:
    paths = (await described(mind))["paths"]
    assert list(paths[CONFERENCE]["post"]["responses"]) == [
        "200", "400", "401", "403", "404", "413", "415", "500", "503",
    ]  # fmt: skip
    assert list(paths[CONFERENCE]["delete"]["responses"]) == ["200", "401", "403", "404", "500"]
    assert "400" in paths[CONFERENCE]["get"]["responses"]
    assert set(paths[STREAMING]["get"]["responses"]) == {"200", "401", "403", "404", "500"}
    recording = paths[CONFERENCE + "/recording"]["get"]["responses"]
    assert set(recording) == {"200", "401", "403", "404", "500", "503"}
    assert list(recording["200"]["content"]) == ["video/mp4"]
    dial = paths[PERSON + "/dial"]["post"]["responses"]
    assert set(dial) == {"401", "403", "404", "500", "501"}
    error = paths[CONFERENCE]["get"]["responses"]["404"]["content"]["application/json"]["schema"]
    assert set(error["properties"]) == {"error", "status"}
    assert paths[CONFERENCE]["get"]["description"].startswith("Permitted to: application, attendee")


async def test_the_page_loads_nothing_from_elsewhere(mind: Mind) -> None:
    page = await mind.call("GET", "/docs", None)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    parts = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert parts and all(part.startswith("/") for part in parts)
    assert not re.search(r"<script>|<style>|\son\w+=|style=", page.text)
    for part in parts:
        answer = await mind.call("GET", part, None)
        assert answer.status_code == 200
        assert "//" not in re.sub(
            r"^\s*//.*$|// \w.*$", "", answer.text, flags=re.MULTILINE
        ) or part.endswith(".json")


async def test_the_page_writes_text_and_never_markup(mind: Mind) -> None:
    script = (await mind.call("GET", "/docs/docs.js", None)).text
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script
    )
