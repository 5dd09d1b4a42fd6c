from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from bridge.directory import Directory
from bridge.output_status import FilesStatus, FileStatus
from bridge.people import Actor, Conference, Participant
from bridge.web import ServerFigures, WebPages
from tests.bridge.web.stage import Stage
from tests.bridge.web.staged_outputs import StagedOutputs
from tests.bridge.web.staged_streams import StagedStreams, stream
from tests.kit.records import MemoryRecords

pytestmark = pytest.mark.unit

TOKENS = {"token-a": "app-a", "token-b": "app-b"}


class Tokens:
    def authenticate(self, token: str) -> str | None:
        return TOKENS.get(token)


class Scene:
    """The operator's calls on the real directory; A's conference has Ada and Bob."""

    ada: Participant
    bob: Participant
    conference: Conference

    def __init__(self) -> None:
        self.stage = Stage()
        self.directory = Directory(MemoryRecords(), self.stage)  # type: ignore[arg-type]
        figures = ServerFigures("9.9", 60.0, 6.0, 3000, 2, 0, 0.1, 0.9, 1.0, 2.0)
        app = FastAPI()
        self.streams = StagedStreams()
        self.outputs = StagedOutputs()
        pages = WebPages(
            self.directory,
            self.stage,
            Tokens(),
            lambda: figures,
            streams=self.streams,
            outputs=self.outputs,
        )
        app.include_router(pages.router())
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bridge")

    async def fill(self) -> None:
        by = Actor.application("app-a")
        self.conference = await self.directory.open_conference("app-a", by=by, name="Quiz")
        self.ada, self.ada_token = await self.directory.add_participant(self.conference, by=by, name="Ada")
        self.streams.add(self.conference.id, stream("s1", self.ada))
        self.bob, _ = await self.directory.add_participant(self.conference, by=by, name="Bob")

    async def get(self, path: str, token: str | None = "token-a") -> httpx.Response:
        return await self.http.get(path, headers=_bearer(token))

    async def patch(self, body: Any, token: str | None = "token-a", **ids: str) -> httpx.Response:
        conference = ids.get("conference", self.conference.id)
        path = f"/operator/api/{conference}/participants/{ids.get('participant', self.ada.id)}"
        if isinstance(body, bytes):
            return await self.http.patch(path, content=body, headers=_bearer(token))
        return await self.http.patch(path, json=body, headers=_bearer(token))

    async def end(self, stream_id: str, token: str | None = "token-a", **ids: str) -> httpx.Response:
        path = f"/operator/api/{ids.get('conference', self.conference.id)}/streams/{stream_id}"
        return await self.http.delete(path, headers=_bearer(token))

    def hears(self) -> dict[str, float]:
        return dict(self.directory.participant(self.conference, self.ada.id).hears)


def _bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    await scene.fill()
    yield scene
    await scene.http.aclose()
    await scene.directory.close()


@pytest.mark.parametrize("token", [None, "", "nobody", "token-a token-b"])
async def test_without_an_application_s_token_nothing_is_told(scene: Scene, token: str | None) -> None:
    answers = [
        await scene.get("/operator/api/server", token),
        await scene.get("/operator/api/conferences", token),
        await scene.patch({"muted": True}, token),
        await scene.end("s1", token),
    ]
    for answer in answers:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "Quiz" not in answer.text
    assert not scene.directory.participant(scene.conference, scene.ada.id).muted
    assert scene.streams.ended == []


async def test_a_participant_s_token_is_not_enough(scene: Scene) -> None:
    assert (await scene.end("s1", scene.ada_token)).status_code == 401
    assert (await scene.get("/operator/api/conferences", scene.ada_token)).status_code == 401
    assert (await scene.patch({"muted": True}, scene.ada_token)).status_code == 401


async def test_the_server_tells_its_figures_and_whose_token_it_was(scene: Scene) -> None:
    scene.stage.bring(scene.conference.id, scene.bob.id, "plivo", -20)
    told = (await scene.get("/operator/api/server")).json()
    assert told["application_id"] == "app-a"
    assert told["legs"] == {"plivo": 1}
    assert (told["version"], told["lateness_p99_ms"], told["draining"]) == ("9.9", 0.9, False)


async def test_conferences_are_listed_with_who_is_there(scene: Scene) -> None:
    scene.stage.bring(scene.conference.id, scene.bob.id, "plivo", -20)
    answer = await scene.get("/operator/api/conferences")
    assert answer.headers["cache-control"] == "no-store"
    (listed,) = answer.json()["conferences"]
    assert listed["id"] == scene.conference.id
    assert (listed["name"], listed["participants"], listed["online"]) == ("Quiz", 2, 1)
    assert listed["legs"] == {"plivo": 1}


async def test_another_application_sees_none_of_it(scene: Scene) -> None:
    assert (await scene.get("/operator/api/conferences", "token-b")).json() == {"conferences": []}
    refused = await scene.patch({"muted": True}, "token-b")
    assert refused.status_code == 404
    assert not scene.directory.participant(scene.conference, scene.ada.id).muted


async def test_muting_reaches_the_mix(scene: Scene) -> None:
    told = (await scene.patch({"muted": True})).json()
    assert told["muted"] is True
    assert scene.stage.routings[scene.conference.id, scene.ada.id].muted
    assert (await scene.patch({"muted": False})).json()["muted"] is False
    assert not scene.stage.routings[scene.conference.id, scene.ada.id].muted


async def test_gains_are_merged_and_null_gives_one_back(scene: Scene) -> None:
    caro, _ = await scene.directory.add_participant(scene.conference, by=Actor.system(), name="Caro")
    await scene.patch({"hears": {scene.bob.id: 0.5}})
    await scene.patch({"hears": {caro.id: 0}})
    assert scene.hears() == {scene.bob.id: 0.5, caro.id: 0.0}
    assert scene.stage.routings[scene.conference.id, scene.ada.id].hears == scene.hears()
    await scene.patch({"hears": {scene.bob.id: None}})
    assert scene.hears() == {caro.id: 0.0}


async def test_changes_at_the_same_time_do_not_undo_each_other(scene: Scene) -> None:
    by = Actor.system()
    others = [(await scene.directory.add_participant(scene.conference, by=by))[0].id for _ in range(8)]
    await asyncio.gather(*(scene.patch({"hears": {other: 0.25}}) for other in others))
    assert scene.hears() == dict.fromkeys(others, 0.25)


async def test_overrides_of_those_who_left_are_dropped_with_the_next_change(scene: Scene) -> None:
    caro, _ = await scene.directory.add_participant(scene.conference, by=Actor.system(), name="Caro")
    await scene.patch({"hears": {caro.id: 0.5}})
    await scene.directory.remove_participant(caro, by=Actor.system())
    await scene.patch({"hears": {scene.bob.id: 2}})
    assert scene.hears() == {scene.bob.id: 2.0}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        {"muted": "yes"},
        {"muted": None},
        {"muted": True, "volume": 3},
        {"hears": {"ADA": 1}},
        {"hears": {"nobody": 1}},
        {"hears": {"BOB": -0.1}},
        {"hears": {"BOB": 4.01}},
        {"hears": {"BOB": "loud"}},
        {"hears": [1]},
        b'{"hears": {"BOB": 1e999}}',
        b'{"hears": {"BOB": NaN}}',
        b'{"muted": true, "x": "' + b"x" * 70_000 + b'"}',
    ],
)
async def test_what_cannot_be_understood_is_refused_and_changes_nothing(scene: Scene, body: Any) -> None:
    def fill(text: str) -> str:
        return text.replace("ADA", scene.ada.id).replace("BOB", scene.bob.id)

    if isinstance(body, dict) and isinstance(body.get("hears"), dict):
        body = {"hears": {fill(key): value for key, value in body["hears"].items()}}
    elif isinstance(body, bytes) and b"BOB" in body:
        body = fill(body.decode()).encode()
    refused = await scene.patch(body)
    assert refused.status_code == 400
    assert refused.json()["error"]
    assert scene.directory.participant(scene.conference, scene.ada.id) == scene.ada


async def test_an_empty_change_gives_the_participant_as_it_is(scene: Scene) -> None:
    assert (await scene.patch({})).json()["name"] == "Ada"


@pytest.mark.parametrize("ids", [{"conference": "nowhere"}, {"participant": "nobody"}])
async def test_unknown_ids_are_not_found(scene: Scene, ids: dict[str, str]) -> None:
    assert (await scene.patch({"muted": True}, **ids)).status_code == 404


async def test_a_stream_is_ended(scene: Scene) -> None:
    assert (await scene.end("s1")).json() == {"id": "s1"}
    assert scene.streams.ended == ["s1"]


async def test_a_stream_of_another_application_or_conference_is_not_found(scene: Scene) -> None:
    by = Actor.application("app-b")
    other = await scene.directory.open_conference("app-b", by=by)
    elsewhere = await scene.directory.open_conference("app-a", by=by)
    for stream_id, token, conference in (
        ("s1", "token-b", scene.conference.id),
        ("s1", "token-b", other.id),
        ("s1", "token-a", elsewhere.id),
        ("s1", "token-a", "nowhere"),
        ("s2", "token-a", scene.conference.id),
    ):
        refused = await scene.end(stream_id, token, conference=conference)
        assert refused.status_code == 404, (stream_id, token, conference)
        assert refused.json()["error"]
    assert scene.streams.ended == []


async def test_the_files_of_a_recording_are_listed(scene: Scene) -> None:
    path = f"/operator/api/{scene.conference.id}/recording/files"
    assert (await scene.get(path)).json() == {"files": [], "left_out": 0}
    uploads = {"failing": 1, "uploaded": 2}
    file = FileStatus(
        "p-hls-ts/", "application/vnd.apple.mpegurl", 410, False, 3, "index.m3u8", uploads, "no"
    )
    scene.outputs.stock[scene.conference.id] = FilesStatus([file], 7)
    told = (await scene.get(path)).json()
    assert told["left_out"] == 7
    assert told["files"] == [
        {
            "name": "p-hls-ts/", "media_type": "application/vnd.apple.mpegurl", "size": 410,
            "complete": False, "files": 3, "playlist": "index.m3u8", "uploads": uploads, "problem": "no",
            "away": 0,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("token-b", 404)])
async def test_files_are_shown_to_nobody_else(scene: Scene, token: str | None, status: int) -> None:
    path = f"/operator/api/{scene.conference.id}/recording/files"
    assert (await scene.get(path, token)).status_code == status
