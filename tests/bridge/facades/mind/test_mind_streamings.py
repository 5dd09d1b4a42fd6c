from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bridge.core.ports import HlsSpec, PictureCoding, PushSpec, SoundCoding
from bridge.errors import BadInput
from bridge.people import Conference
from tests.kit.mind import APP, Mind
from tests.kit.mind import mind as running_mind

pytestmark = pytest.mark.unit

URL = "rtmps://live.example/live2/abcd-efgh-ijkl"


@pytest.fixture
async def mind() -> AsyncIterator[Mind]:
    async with running_mind() as mind:
        yield mind


def path_of(conference: Conference, below: str = "") -> str:
    return f"/{APP}/{conference.id}/streamings{below}"


async def test_a_streaming_from_its_creation_to_its_end(mind: Mind) -> None:
    conference = await mind.conference()
    made = await mind.call("POST", path_of(conference), json={"url": URL})
    body = made.json()
    assert body == {"id": body["id"], "url": URL, "alive": True}
    assert made.headers["cache-control"] == "no-store"
    assert (await mind.call("GET", path_of(conference))).json() == [body]
    assert (await mind.call("GET", path_of(conference, "/" + body["id"]))).json() == body
    detailed = await mind.call("GET", f"/{APP}/{conference.id}?detailed=true")
    assert detailed.json()["streamings"] == [body]
    assert (await mind.call("DELETE", path_of(conference, "/" + body["id"]))).status_code == 200
    assert (await mind.call("GET", path_of(conference))).json() == []
    gone = await mind.call("GET", path_of(conference, "/" + body["id"]))
    assert (gone.status_code, gone.json()["status"]) == (404, 404)


async def test_all_are_deleted_at_once(mind: Mind) -> None:
    conference = await mind.conference()
    for _ in range(3):
        await mind.call("POST", path_of(conference), json={"url": URL})
    assert (await mind.call("DELETE", path_of(conference))).status_code == 200
    assert (await mind.call("GET", path_of(conference))).json() == []


async def test_participants_never_see_where_it_is_streamed_to(mind: Mind) -> None:
    conference = await mind.conference()
    _, token = await mind.person(conference, "Ann")
    await mind.call("POST", path_of(conference), json={"url": URL})
    seen = await mind.call("GET", f"/{APP}/{conference.id}?detailed=true", token)
    assert "streamings" not in seen.json()
    assert "abcd" not in seen.text


async def test_how_it_is_coded_can_be_said(mind: Mind) -> None:
    conference = await mind.conference()
    asked = {"url": URL, "audio": {"codec": "mp3", "bitrate": 96_000, "channels": 2}, "picture": None}
    assert (await mind.call("POST", path_of(conference), json=asked)).status_code == 200
    asked = {"hls": {"segmentSeconds": 2, "partSeconds": 0.4}, "picture": {"width": 320, "height": 180}}
    made = await mind.call("POST", path_of(conference), json=asked)
    assert made.json()["url"].startswith("http://bridge/hls/")
    push, hls = mind.made
    assert isinstance(push, PushSpec)
    assert push == PushSpec(URL, SoundCoding("mp3", 96_000, 2, 44_100), None, push.stream_id)
    assert isinstance(hls, HlsSpec)
    assert (hls.segment_s, hls.part_s, hls.picture) == (2, 0.4, PictureCoding(320, 180))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"url": ""},
        {"url": 7},
        {"url": "http://live.example/app/key"},
        {"url": "rtmp://user:pass@live.example/app/key"},
        {"url": "rtmp://127.0.0.1/app/key"},
        {"url": "rtmp://169.254.169.254/app/key"},
        {"url": URL, "audio": {"codec": "speex"}},
        {"url": URL, "picture": {"fps": 100}},
        {"url": URL, "hls": {}},
        {"hls": {"partSeconds": 9}},
        {"url": URL, "levels": 1},
        {"hls": {}, "levels": True},
    ],
)
async def test_what_cannot_be_is_refused_without_the_key_in_the_answer(
    mind: Mind, wrong: dict[str, object]
) -> None:
    conference = await mind.conference()
    answer = await mind.call("POST", path_of(conference), json=wrong)
    assert (answer.status_code, answer.json()["status"]) == (400, 400), answer.text
    assert "key" not in answer.text
    assert mind.made == []


async def test_levels_may_be_asked_for(mind: Mind) -> None:
    conference = await mind.conference()
    made = await mind.call("POST", path_of(conference), json={"url": URL, "levels": True})
    assert made.status_code == 200
    (push,) = mind.made
    assert isinstance(push, PushSpec) and push.levels and push.stream_id == made.json()["id"]


async def test_streamings_take_timed_metadata(mind: Mind) -> None:
    conference = await mind.conference()
    hls = (await mind.call("POST", path_of(conference), json={"hls": {}})).json()["id"]
    push = (await mind.call("POST", path_of(conference), json={"url": URL})).json()["id"]
    asked = {"payload": "a question ☕", "duration": 5}
    for streaming in (hls, push):
        marked = await mind.call("POST", path_of(conference, f"/{streaming}/metadata"), json=asked)
        assert marked.status_code == 200
    assert mind.outputs.marks == [(hls, "a question ☕", 5.0), (push, "a question ☕", 5.0)]
    for wrong in ({"payload": ""}, {"payload": "x" * 4_001}, {"payload": "x", "duration": -1}, {}):
        answer = await mind.call("POST", path_of(conference, f"/{push}/metadata"), json=wrong)
        assert answer.status_code == 400, wrong
    assert len(mind.outputs.marks) == 2


async def test_metadata_that_nobody_would_get_is_refused(mind: Mind) -> None:
    conference = await mind.conference()
    push = (await mind.call("POST", path_of(conference), json={"url": URL})).json()["id"]
    mind.outputs.marks_fail = BadInput("this streaming is not published at the moment")
    asked = {"payload": "a question"}
    answer = await mind.call("POST", path_of(conference, f"/{push}/metadata"), json=asked)
    assert (answer.status_code, answer.json()["error"]) == (
        400, "this streaming is not published at the moment",
    )  # fmt: skip
    nobody = "00000000-0000-4000-8000-000000000000"
    answer = await mind.call("POST", path_of(conference, f"/{nobody}/metadata"), json=asked)
    assert answer.status_code == 404
