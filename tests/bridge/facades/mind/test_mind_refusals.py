from __future__ import annotations

import re

import pytest

from bridge.directory import DirectorySettings
from tests.kit.mind import APP, TOKEN, Mind
from tests.kit.mind import mind as running_mind

pytestmark = pytest.mark.unit


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
