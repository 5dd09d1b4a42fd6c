"""The routes of live HLS: what the shelf says, over HTTP, and counted."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest
from fastapi import FastAPI

from bridge.web.hls import HlsPages
from tests.bridge.web.recorded_scene import Given

pytestmark = pytest.mark.unit


class Streams:
    """Knows one file of one stream."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bool]] = []

    async def answer(
        self, stream_id: str, path: str, query: Mapping[str, str], *, gzip_accepted: bool = False
    ) -> Given:
        self.asked.append((stream_id, path, dict(query), gzip_accepted))
        if (stream_id, path) != ("s1", "t/token/a.m4s"):
            return Given(404, b"no")
        return Given(200, b"x" * 200_000, {"Cache-Control": "max-age=60", "Content-Type": "video/mp4"})


@pytest.fixture
def pages() -> HlsPages:
    return HlsPages(Streams())


@pytest.fixture
def http(pages: HlsPages) -> httpx.AsyncClient:
    app = FastAPI()
    app.include_router(pages.router())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bridge")


async def test_what_the_shelf_gives_is_given(http: httpx.AsyncClient) -> None:
    answer = await http.get("/hls/s1/t/token/a.m4s?_HLS_msn=3", headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, answer.content) == (200, b"x" * 200_000)
    assert answer.headers["cache-control"] == "max-age=60"
    head = await http.head("/hls/s1/t/token/a.m4s")
    assert (head.headers["content-length"], head.content) == ("200000", b"")


async def test_answers_and_bytes_are_counted(pages: HlsPages, http: httpx.AsyncClient) -> None:
    for path in ("s1/t/token/a.m4s", "s1/t/token/a.m4s", "s1/b", "s2/t/token/a.m4s"):
        await http.get(f"/hls/{path}")
    await http.head("/hls/s1/t/token/a.m4s")
    assert pages.answers == {"200": 3, "404": 2}
    assert pages.bytes == 2 * 200_000 + 2 * 2


async def test_players_on_other_people_s_pages_may_ask(http: httpx.AsyncClient) -> None:
    answer = await http.options("/hls/s1/index.m3u8", headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
