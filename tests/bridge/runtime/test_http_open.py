"""HTTP answers taken as they come: pieces, redirects, and servers that stop or go on without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bridge.egress.gate import EgressGate, EgressSettings
from bridge.errors import EgressRefused, HttpFailed
from bridge.runtime.http_out import HttpOut
from tests.kit.media_site import MediaSite, Page, media_site

pytestmark = pytest.mark.wire


async def look_up(host: str) -> list[str]:
    if host == "nowhere.example":
        raise OSError("no such name")
    return ["127.0.0.1"]


@pytest.fixture
async def site() -> AsyncIterator[MediaSite]:
    async with media_site() as site:
        yield site


@pytest.fixture
async def http() -> AsyncIterator[HttpOut]:
    http = HttpOut(EgressGate(EgressSettings(allow_private=True), look_up), max_body_bytes=10)
    yield http
    await http.close()


async def test_pieces_are_given_as_they_come_and_no_bound_is_on_all_of_them(
    site: MediaSite, http: HttpOut
) -> None:
    on = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await on.wait()
        yield b"second" * 1000

    site.pages["/a"] = Page(pieces=pieces, headers={"X-Kind": "live"})
    async with http.open(site.url("/a")) as incoming:
        assert (incoming.status, incoming.headers["x-kind"]) == (200, "live")
        coming = incoming.pieces()
        assert await anext(coming) == b"first"
        on.set()
        assert b"".join([piece async for piece in coming]) == b"second" * 1000


async def test_redirects_are_followed_and_the_last_address_is_told(site: MediaSite, http: HttpOut) -> None:
    site.pages["/b/c"] = Page(b"here")
    site.redirect("/a", "/b/c?x=1")
    async with http.open(site.url("/a"), headers={"range": "bytes=1-2"}) as incoming:
        assert incoming.url == site.url("/b/c?x=1")
        assert incoming.status == 206
        assert [piece async for piece in incoming.pieces()] == [b"er"]


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("http://169.254.169.254/latest?secret=1", "never reached"),
        ("file:///etc/passwd", "must begin with"),
        ("//user:secret@media.example/", "credentials"),
        ("http://[secret", "cannot be read|not a URL"),
    ],
)
async def test_a_redirect_goes_through_the_gate(site: MediaSite, http: HttpOut, to: str, why: str) -> None:
    site.redirect("/a", to)
    with pytest.raises(EgressRefused, match=why) as refused:
        async with http.open(site.url("/a")):
            pass
    assert "secret" not in str(refused.value)


async def test_redirects_in_a_circle_end(site: MediaSite, http: HttpOut) -> None:
    site.redirect("/a", "/a")
    with pytest.raises(HttpFailed, match="redirected more than 5 times"):
        async with http.open(site.url("/a")):
            pass
    assert len(site.asked) == 6


async def test_a_server_that_stops_is_noticed(site: MediaSite, http: HttpOut) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    site.pages["/a"] = Page(pieces=pieces)
    async with http.open(site.url("/a"), timeout_s=0.3) as incoming:
        coming = incoming.pieces()
        assert await anext(coming) == b"first"
        with pytest.raises(HttpFailed, match=r"no answer within 0\.3 s"):
            await anext(coming)


async def test_an_answer_that_breaks_off_is_a_failure(site: MediaSite, http: HttpOut) -> None:
    site.pages["/a"] = Page(b"half", headers={"Content-Encoding": "identity"})

    async def pieces() -> AsyncIterator[bytes]:
        yield b"half"

    site.pages["/a"] = Page(pieces=pieces, headers={"Content-Length": "100"})
    async with http.open(site.url("/a")) as incoming:
        with pytest.raises(HttpFailed):
            _ = [piece async for piece in incoming.pieces()]


async def test_who_takes_no_more_lets_the_server_go(site: MediaSite, http: HttpOut) -> None:
    let_go = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(100_000)
                await asyncio.sleep(0)
        finally:
            let_go.set()

    site.pages["/a"] = Page(pieces=pieces)
    async with http.open(site.url("/a")) as incoming:
        assert await anext(incoming.pieces())
    async with asyncio.timeout(5):
        while not let_go.is_set():  # noqa: ASYNC110 - the generator is closed when its task is
            await asyncio.sleep(0.01)
            if not site._serving:
                break


async def test_nobody_there_is_a_failure_in_words(http: HttpOut) -> None:
    for url, why in (("http://nowhere.example/x", "no such host"), ("http://media.example:1/x", "refused")):
        with pytest.raises(HttpFailed, match=why):
            async with http.open(url):
                pass
