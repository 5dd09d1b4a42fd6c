from __future__ import annotations

import pytest

from bridge.core.ports import WebRtcOffer
from bridge.errors import BadOffer, Draining, LimitReached, Overloaded
from bridge.people import Role
from tests.kit.mind import APP, Mind

pytestmark = pytest.mark.unit


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
