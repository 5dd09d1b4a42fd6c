from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.people import Conference, Role
from bridge.picture_wishes import FilePictureWishes
from bridge.recording_wishes import WhomWishes
from bridge.recordings import RecordingWishes
from tests.kit.mind import APP, Mind
from tests.kit.mind import mind as running_mind

pytestmark = pytest.mark.unit

SOUND = bytes(range(256)) * 40


@pytest.fixture
async def mind() -> AsyncIterator[Mind]:
    async with running_mind() as mind:
        yield mind


def path_of(conference: Conference, below: str = "") -> str:
    return f"/{APP}/{conference.id}/recording{below}"


async def begin(mind: Mind, conference: Conference, **body: object) -> str:
    answer = await mind.call("POST", path_of(conference, "/start"), json=body)
    assert (answer.status_code, answer.content) == (200, b"")
    recording = mind.recordings.find(conference.id)
    assert recording is not None
    return recording.id


def file(folder: Path, name: str, content: bytes = SOUND) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


async def test_everybody_is_told_that_it_is_recorded_but_who_asked_for_it(mind: Mind) -> None:
    conference = await mind.conference()
    lead, token = await mind.person(conference, "Ann", Role.MODERATOR, online=True)
    guest, _ = await mind.person(conference, "Bob", online=True)
    watching = await mind.watch(conference)
    mind.board.sent.clear()
    await mind.call("POST", path_of(conference, "/start"), token, json={})
    told = [json.loads(text) for text in watching.sent]
    assert [(one["type"], one["location"]) for one in told] == [("updated", "/")]
    assert told[0]["resource"]["recording"] == {"started": True}
    assert [who for _, who, _ in mind.board.sent] == [guest.id]
    assert (await mind.call("GET", f"/{APP}/{conference.id}")).json()["recording"] == {"started": True}
    await mind.call("POST", path_of(conference, "/stop"), json={})
    assert len(watching.sent) == 1  # the application knows what it did itself
    assert {who for _, who, _ in mind.board.sent[1:]} == {lead.id, guest.id}
    assert (await mind.call("GET", f"/{APP}/{conference.id}")).json()["recording"] == {"started": False}


async def test_what_is_asked_for_is_made(mind: Mind) -> None:
    for body, wishes in (
        ({}, RecordingWishes()),
        ({"formats": ["wav", "flac"], "participants": True}, RecordingWishes(("wav", "flac"), True)),
        ({"codec": "he-aac", "bitrate": 32_000}, RecordingWishes(codec="he-aac", bitrate=32_000)),
        ({"bitrate": 96_000, "channels": 2}, RecordingWishes(bitrate=96_000, channels=2)),
        ({"picture": None, "segmentSeconds": 15}, RecordingWishes(picture=None, segment_seconds=15.0)),
        ({"sound": False}, RecordingWishes(sound=False)),
        (
            {
                "picture": {
                    "width": 360,
                    "height": 640,
                    "fps": 15,
                    "bitrate": 500_000,
                    "background": "#ff0000",
                }
            },
            RecordingWishes(picture=FilePictureWishes(360, 640, 15, 500_000, "#ff0000")),
        ),
        (
            {"heard": {"only": ["a", "b"]}, "seen": {"without": ["c"]}},
            RecordingWishes(heard=WhomWishes(("a", "b")), seen=WhomWishes(without=("c",))),
        ),
        ({"heard": {"only": ["a"]}, "seen": None}, RecordingWishes(heard=WhomWishes(("a",)))),
    ):
        recording_id = await begin(mind, await mind.conference(), **body)
        assert mind.shelf.followed[recording_id] == wishes, body


async def test_what_is_named_is_asked_for_also_when_it_is_as_a_rule(mind: Mind) -> None:
    """An empty body leaves everything as it was before; what names one thing names all."""
    conference = await mind.conference()
    wav = RecordingWishes(("wav",), participants=True)
    recording_id = await begin(mind, conference, formats=["wav"], participants=True)
    for body, wishes in (
        ({}, wav),
        ({"unknown": 1}, wav),
        ({"formats": ["mp4"]}, RecordingWishes()),
        ({}, RecordingWishes()),
        ({"participants": True}, RecordingWishes(participants=True)),
    ):
        await mind.call("POST", path_of(conference, "/stop"))
        assert await begin(mind, conference, **body) == recording_id
        assert mind.shelf.followed[recording_id] == wishes, body


@pytest.mark.parametrize(
    "wrong",
    [
        {"formats": ["avi"]},
        {"formats": "mp4"},
        {"formats": None},
        {"formats": []},
        {"participants": "yes"},
        {"codec": "opus"},
        {"bitrate": 1},
        {"bitrate": 300_000, "channels": 2},
        {"channels": 3},
        {"sound": False, "formats": ["wav"]},
        {"picture": {"width": 1}},
        {"picture": {"background": "red"}},
        {"heard": {"only": ["a"], "without": ["b"]}},
        {"heard": None},
        {"seen": {"only": ["a"] * 33}},
        {"segmentSeconds": 31},
        {"storage": "x" * 101},
        [],
    ],
)
async def test_what_cannot_be_made_is_refused(mind: Mind, wrong: object) -> None:
    conference = await mind.conference()
    answer = await mind.call("POST", path_of(conference, "/start"), json=wrong)
    assert (answer.status_code, answer.json()["status"]) == (400, 400)
    assert mind.recordings.find(conference.id) is None


async def test_the_whole_recording_is_given_with_ranges(mind: Mind, tmp_path: Path) -> None:
    conference = await mind.conference()
    recording_id = await begin(mind, conference)
    await mind.call("POST", path_of(conference, "/stop"))
    mind.shelf.put(recording_id, file(tmp_path, "program.mp4"), "video/mp4")
    whole = await mind.call("GET", path_of(conference))
    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    assert whole.content == SOUND
    part = await mind.call("GET", path_of(conference), headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, SOUND[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(SOUND)}"
    beyond = await mind.call("GET", path_of(conference), headers={"Range": f"bytes={len(SOUND)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(SOUND)}")
    known = await mind.call("GET", path_of(conference), headers={"If-None-Match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


async def test_what_it_would_give_can_be_asked_without_getting_it(mind: Mind, tmp_path: Path) -> None:
    conference = await mind.conference()
    recording_id = await begin(mind, conference)
    mind.shelf.put(recording_id, file(tmp_path, "program.mp4"), "video/mp4", complete=False)
    got = await mind.call("HEAD", path_of(conference))
    assert (got.status_code, got.headers["content-length"], got.content) == (200, str(len(SOUND)), b"")
    part = await mind.call("HEAD", path_of(conference), headers={"Range": "bytes=-10"})
    assert (part.status_code, part.headers["content-length"]) == (206, "10")


async def test_a_plain_link_has_the_token_in_its_query(mind: Mind, tmp_path: Path) -> None:
    conference = await mind.conference()
    _, token = await mind.person(conference, "Ann", Role.MODERATOR)
    recording_id = await begin(mind, conference)
    mind.shelf.put(recording_id, file(tmp_path, "program.mp4"), "video/mp4")
    got = await mind.call("GET", path_of(conference) + f"?access_token={token}", token=None)
    assert (got.status_code, got.content) == (200, SOUND)
    _, guest = await mind.person(conference, "Bob")
    assert (
        await mind.call("GET", path_of(conference) + f"?access_token={guest}", token=None)
    ).status_code == 403


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "video/mp4"),
        ("*/*", "video/mp4"),
        ("video/mp4", "video/mp4"),
        ("image/jpeg", "image/jpeg"),
        ("image/*", "image/jpeg"),
        ("image/jpeg, */*", "image/jpeg"),
        ("image/jpeg;q=0.5, video/mp4", "video/mp4"),
        ("video/mp4;q=0.2, image/jpeg; q=0.9", "image/jpeg"),
        ("text/html,application/xhtml+xml,image/avif,*/*;q=0.8", "video/mp4"),
        ("image/jpeg;q=nonsense", "video/mp4"),
    ],
)
async def test_accept_decides_between_video_and_picture(
    mind: Mind, tmp_path: Path, accept: str, kind: str
) -> None:
    conference = await mind.conference()
    recording_id = await begin(mind, conference)
    mind.shelf.put(recording_id, file(tmp_path, "program.mp4"), "video/mp4")
    mind.shelf.put(recording_id, file(tmp_path, "thumbnail.jpg", b"\xff\xd8"), "image/jpeg")
    got = await mind.call("GET", path_of(conference), headers={"Accept": accept})
    assert (got.status_code, got.headers["content-type"]) == (200, kind)
    assert "Accept" in got.headers["vary"]  # or a cache would give one for the other


async def test_preview_manifest_and_other_files_have_paths_of_their_own(mind: Mind, tmp_path: Path) -> None:
    conference = await mind.conference()
    recording_id = await begin(mind, conference)
    mind.shelf.put(recording_id, file(tmp_path, "preview.webp", b"RIFF"), "image/webp")
    mind.shelf.put(recording_id, file(tmp_path, "program.wav"), "audio/wav")
    preview = await mind.call("GET", path_of(conference, "/preview"))
    assert (preview.content, preview.headers["content-type"]) == (b"RIFF", "image/webp")
    sound = await mind.call("GET", path_of(conference, "/files/program.wav"))
    assert (sound.content, sound.headers["content-type"]) == (SOUND, "audio/wav")
    assert (await mind.call("GET", path_of(conference, "/manifest"))).status_code == 503
    mind.shelf.manifests[recording_id] = b'{"version": 1}'
    assert (await mind.call("GET", path_of(conference, "/manifest"))).json() == {"version": 1}


async def test_a_playlist_asked_for_by_a_plain_link_has_the_token_behind_every_name(
    mind: Mind, tmp_path: Path
) -> None:
    conference = await mind.conference()
    _, token = await mind.person(conference, "Ann", Role.MODERATOR)
    recording_id = await begin(mind, conference)
    text = b'#EXTM3U\n#EXT-X-MAP:URI="h.mp4"\n#EXTINF:2,\n000000.ts\n'
    mind.shelf.put(recording_id, file(tmp_path, "media.m3u8", text), "application/vnd.apple.mpegurl")
    there = path_of(conference, "/files/media.m3u8")
    assert (await mind.call("GET", there)).content == text
    linked = await mind.http.get(f"{there}?access_token={token}")
    behind = f"?access_token={token}"
    assert linked.text == f'#EXTM3U\n#EXT-X-MAP:URI="h.mp4{behind}"\n#EXTINF:2,\n000000.ts{behind}\n'
    assert linked.headers["cache-control"] == "no-store" and "etag" not in linked.headers
    head = await mind.http.head(f"{there}?access_token={token}")
    assert (head.content, head.headers["content-length"]) == (b"", str(len(linked.content)))


async def test_names_reach_nothing_but_the_recordings_own_files(mind: Mind, tmp_path: Path) -> None:
    conference = await mind.conference()
    recording_id = await begin(mind, conference)
    await mind.call("POST", path_of(conference, "/stop"))
    mind.shelf.put(recording_id, file(tmp_path, "program.mp4"), "video/mp4")
    for name in ("../program.mp4", "%2e%2e%2fprogram.mp4", "/etc/passwd", "program.mp4/", "other.mp4"):
        assert (await mind.call("GET", path_of(conference, f"/files/{name}"))).status_code == 404, name


async def test_while_it_grows_what_there_is_now_is_given(mind: Mind, tmp_path: Path) -> None:
    conference = await mind.conference()
    recording_id = await begin(mind, conference)
    early = await mind.call("GET", path_of(conference))
    assert (early.status_code, "Retry-After" in early.headers) == (503, True)
    growing = file(tmp_path, "program.mp4")
    mind.shelf.put(recording_id, growing, "video/mp4", complete=False)
    with growing.open("ab") as more:
        more.write(b"later")
    got = await mind.call("GET", path_of(conference))
    assert got.content == SOUND + b"later"
    assert got.headers["content-length"] == str(len(SOUND) + 5)
    part = await mind.call("GET", path_of(conference), headers={"Range": f"bytes={len(SOUND)}-"})
    assert (part.status_code, part.content) == (206, b"later")
    assert part.headers["content-range"] == f"bytes {len(SOUND)}-{len(SOUND) + 4}/{len(SOUND) + 5}"


async def test_a_file_that_is_just_put_in_anothers_place_is_to_be_asked_for_again(
    mind: Mind, tmp_path: Path
) -> None:
    conference = await mind.conference()
    recording_id = await begin(mind, conference)
    mind.shelf.put(recording_id, file(tmp_path, "program.mp4"), "video/mp4")
    (tmp_path / "program.mp4").unlink()
    got = await mind.call("GET", path_of(conference))
    assert (got.status_code, "Retry-After" in got.headers) == (503, True)


async def test_one_that_is_still_being_finished_asks_for_patience(mind: Mind, tmp_path: Path) -> None:
    conference = await mind.conference()
    recording_id = await begin(mind, conference)
    await mind.call("POST", path_of(conference, "/stop"))
    mind.shelf.put(recording_id, file(tmp_path, "program.mp4"), "video/mp4", complete=False)
    mind.shelf.unsettled = True
    got = await mind.call("GET", path_of(conference))
    assert (got.status_code, "Retry-After" in got.headers) == (503, True)


async def test_after_a_stop_the_manifest_has_what_was_said_last(mind: Mind) -> None:
    conference = await mind.conference()
    recording_id = await begin(mind, conference)
    mind.shelf.manifests[recording_id] = b'{"over": false}'
    mind.shelf.settled_manifests[recording_id] = b'{"over": true}'
    assert (await mind.call("GET", path_of(conference, "/manifest"))).json() == {"over": False}
    await mind.call("POST", path_of(conference, "/stop"))
    mind.shelf.unsettled = True
    assert (await mind.call("GET", path_of(conference, "/manifest"))).json() == {"over": False}
    mind.shelf.unsettled = False
    assert (await mind.call("GET", path_of(conference, "/manifest"))).json() == {"over": True}


async def test_a_conference_that_was_never_recorded_has_none(mind: Mind) -> None:
    conference = await mind.conference()
    got = await mind.call("GET", path_of(conference))
    assert (got.status_code, got.json()["status"]) == (404, 404)
