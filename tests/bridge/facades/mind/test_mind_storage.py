"""Recordings whose storage a request names, and files that are in their storage only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from bridge.core.ports import OWN_STORAGE, GivenStorage
from bridge.errors import BridgeError
from bridge.people import Conference, Role
from bridge.recordings import RecordingWishes
from tests.kit.mind import APP, Mind
from tests.kit.mind import mind as running_mind

pytestmark = pytest.mark.unit

SECRET = "a-very-secret-key"
BODY = {
    "kind": "s3", "bucket": "calls", "prefix": "2026", "region": "eu-central-1",
    "endpoint": "https://minio.example", "accessKey": "an-id", "secretKey": SECRET, "sessionToken": SECRET,
    "sessionExpires": 2_000_000_000, "encryption": "kms", "kmsKey": "1234", "tags": {"team": "calls"},
}  # fmt: skip
CONTENT = bytes(range(200))


@pytest.fixture
async def mind() -> AsyncIterator[Mind]:
    async with running_mind() as mind:
        yield mind


def path_of(conference: Conference, below: str = "") -> str:
    return f"/{APP}/{conference.id}/recording{below}"


async def start(mind: Mind, **body: object) -> tuple[Conference, str]:
    conference = await mind.conference()
    answer = await mind.call("POST", path_of(conference, "/start"), json=body)
    assert (answer.status_code, answer.content) == (200, b"")
    recording = mind.recordings.find(conference.id)
    assert recording is not None
    return conference, recording.id


async def test_a_recording_may_have_a_storage_of_its_own(
    mind: Mind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    conference, recording_id = await start(mind, formats=["wav"], storage=BODY)
    assert mind.shelf.own[recording_id] == GivenStorage(
        "s3", "calls", "2026", "eu-central-1", "https://minio.example", "an-id", SECRET, SECRET,
        2e9, "kms", "1234", (("team", "calls"),),
    )  # fmt: skip
    assert mind.shelf.followed[recording_id] == RecordingWishes(("wav",), storage=OWN_STORAGE)
    shown = await mind.call("GET", f"/{APP}/{conference.id}")
    assert SECRET not in shown.text + caplog.text


async def test_a_moderator_may_name_one_and_a_guest_may_not(mind: Mind) -> None:
    conference = await mind.conference()
    for role, status in ((Role.SPEAKER, 403), (Role.MODERATOR, 200)):
        _, token = await mind.person(conference, "Ann", role)
        answer = await mind.call("POST", path_of(conference, "/start"), token, json={"storage": BODY})
        assert answer.status_code == status


@pytest.mark.parametrize(
    "wrong",
    [
        BODY | {"kind": "tape"},
        BODY | {"bucket": 1},
        BODY | {"bucket": "refused"},
        BODY | {"secretKey": 5},
        BODY | {"encryption": "rot13"},
        BODY | {"tags": ["team"]},
        BODY | {"tags": {"team": 7}},
        BODY | {"prefix": "a" * 600},
        {"kind": "s3"},
        {"bucket": "calls"},
        ["s3"],
        7,
        "elsewhere",
    ],
)
async def test_what_is_no_storage_is_refused_without_repeating_its_keys(mind: Mind, wrong: object) -> None:
    conference = await mind.conference()
    answer = await mind.call("POST", path_of(conference, "/start"), json={"storage": wrong})
    assert answer.status_code == 400
    assert "storage" in answer.json()["error"]
    assert SECRET not in answer.text
    assert mind.recordings.find(conference.id) is None


# --- files that are in their storage only ---


@dataclass
class Away:
    """A file in a storage that can sign addresses, or cannot, or does not answer."""

    media_type: str = "video/mp4"
    signed: str = "https://bucket.test/r/program.mp4?signature=1"
    fails: BridgeError | KeyError | None = None
    size: int = len(CONTENT)
    tag: str = '"md5"'
    content: bytes = CONTENT

    async def link(self, for_s: float = 300.0) -> str:
        if self.fails is not None:
            raise self.fails
        return f"{self.signed}&for={for_s:g}" if self.signed else ""

    async def pieces(self, begin: int, end: int) -> AsyncIterator[bytes]:
        if self.fails is not None:
            raise self.fails
        for at in range(begin, end, 7):
            yield self.content[at : min(at + 7, end)]


async def put_away(mind: Mind, name: str, away: Away) -> Conference:
    conference, recording_id = await start(mind)
    await mind.call("POST", path_of(conference, "/stop"))
    mind.shelf.away_stock[recording_id, name] = away
    return conference


async def test_who_asks_is_sent_to_the_storage_for_as_long_as_the_address_is_good(mind: Mind) -> None:
    conference = await put_away(mind, "program.mp4", Away())
    for path in ("", "/files/program.mp4"):
        answer = await mind.call("GET", path_of(conference, path))
        assert (answer.status_code, answer.headers["location"]) == (302, f"{Away.signed}&for=300")
        assert answer.headers["cache-control"] == "no-store"
    _, guest = await mind.person(conference, "Bob")
    assert (await mind.call("GET", path_of(conference), guest)).status_code == 403


async def test_how_long_the_address_is_good_can_be_said(mind: Mind) -> None:
    conference = await put_away(mind, "program.mp4", Away())
    for seconds in ("60", "3600", "604800"):
        answer = await mind.call("GET", path_of(conference, f"?linkSeconds={seconds}"))
        assert (answer.status_code, answer.headers["location"]) == (302, f"{Away.signed}&for={seconds}")
    for wrong in ("59", "604801", "-60", "1e3", "", "soon", "\u0661\u0662\u0660"):
        answer = await mind.call("GET", path_of(conference, f"?linkSeconds={wrong}"))
        assert (answer.status_code, "linkSeconds" in answer.json()["error"]) == (400, True), wrong


@pytest.mark.parametrize(
    ("header", "status", "content", "range_given"),
    [
        (None, 200, CONTENT, None),
        ("bytes=10-19", 206, CONTENT[10:20], "bytes 10-19/200"),
        ("bytes=190-", 206, CONTENT[190:], "bytes 190-199/200"),
        ("bytes=-5", 206, CONTENT[-5:], "bytes 195-199/200"),
        ("bytes=200-", 416, b"", "bytes */200"),
    ],
)
async def test_what_cannot_be_signed_is_passed_on_with_ranges(
    mind: Mind, header: str | None, status: int, content: bytes, range_given: str | None
) -> None:
    conference = await put_away(mind, "program.mp4", Away(signed=""))
    answer = await mind.call("GET", path_of(conference), headers={"Range": header} if header else {})
    assert (answer.status_code, answer.content) == (status, content)
    assert answer.headers.get("content-range") == range_given
    assert answer.headers["content-type"] == "video/mp4"
    if status == 200:
        known = await mind.call("GET", path_of(conference), headers={"If-None-Match": '"md5"'})
        assert (known.status_code, known.content) == (304, b"")


async def test_who_may_talk_to_nobody_else_gets_it_through_the_server(mind: Mind) -> None:
    conference = await put_away(mind, "program.mp4", Away())
    answer = await mind.call("GET", path_of(conference, "/files/program.mp4?through=true"))
    assert (answer.status_code, answer.content) == (200, CONTENT)


async def test_a_playlist_is_passed_on_so_that_what_it_names_is_found_beside_it(mind: Mind) -> None:
    name = "program-hls-ts/index.m3u8"
    conference = await put_away(mind, name, Away("application/vnd.apple.mpegurl"))
    answer = await mind.call("GET", path_of(conference, f"/files/{name}"))
    assert (answer.status_code, answer.content) == (200, CONTENT)


async def test_by_a_plain_link_what_a_playlist_names_can_be_asked_for_by_its_token_too(mind: Mind) -> None:
    name, text = "program-hls-ts/index.m3u8", b"#EXTM3U\nmedia.m3u8\n"
    away = Away("application/vnd.apple.mpegurl", size=len(text), content=text)
    conference = await put_away(mind, name, away)
    _, token = await mind.person(conference, "Ann", Role.MODERATOR)
    linked = await mind.http.get(path_of(conference, f"/files/{name}?access_token={token}"))
    assert (linked.status_code, linked.text) == (200, f"#EXTM3U\nmedia.m3u8?access_token={token}\n")
    away.fails = BridgeError("main: access is denied")
    linked = await mind.http.get(path_of(conference, f"/files/{name}?access_token={token}"))
    assert linked.status_code == 503


async def test_what_it_would_give_can_be_asked_without_going_there(mind: Mind) -> None:
    conference = await put_away(mind, "program.mp4", Away())
    answer = await mind.call("HEAD", path_of(conference))
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "200", b"")


@pytest.mark.parametrize("fails", [BridgeError("main: access is denied"), KeyError("main")])
@pytest.mark.parametrize("media_type", ["video/mp4", "application/vnd.apple.mpegurl"])
async def test_a_storage_that_does_not_answer_asks_for_patience(
    mind: Mind, fails: BridgeError | KeyError, media_type: str
) -> None:
    conference = await put_away(mind, "program.mp4", Away(media_type, fails=fails))
    answer = await mind.call("GET", path_of(conference))
    assert answer.status_code == 503
    assert answer.json()["error"] == "the storage of this recording cannot be read now"
