from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from bridge.errors import Overloaded
from tests.kit.mind import APP, TOKEN, Mind

pytestmark = pytest.mark.unit


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
