"""The HTTP client against real servers: requests, and the connections they go over."""

from __future__ import annotations

import asyncio

import pytest

from bridge.errors import HttpFailed
from tests.kit.hostile_urls import Names
from tests.kit.http_sites import HERE, OK, http_out, site

pytestmark = pytest.mark.e2e


async def test_a_request_arrives_as_it_was_given_and_the_answer_comes_back() -> None:
    answer = b"HTTP/1.1 418 Teapot\r\nContent-Length: 4\r\nX-Two: 1\r\nx-two: 2\r\n\r\n\x00\xffab"
    async with site(lambda method, target: answer) as there, http_out() as out:
        response = await out.request(
            "post",
            f"http://Hook.example:{there.port}/a%20b?t=1&ü#x",
            headers={"X-Signature": "s", "Content-Type": "application/json"},
            content=b"{}",
        )
    assert (response.status, response.body, response.headers["x-two"]) == (418, b"\x00\xffab", "2")
    [(method, target, headers, body)] = there.asked
    assert (method, target, body) == ("POST", "/a%20b?t=1&%C3%BC", b"{}")
    assert headers == {
        "host": f"hook.example:{there.port}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": "mediabridge",
        "content-length": "2",
        "content-type": "application/json",
        "x-signature": "s",
    }


async def test_an_empty_post_says_so_and_a_get_has_no_length() -> None:
    async with site() as there, http_out() as out:
        await out.request("POST", f"http://hook.example:{there.port}/")
        await out.request("GET", f"http://hook.example:{there.port}/")
    assert [headers.get("content-length") for _, _, headers, _ in there.asked] == ["0", None]


async def test_a_kept_connection_is_used_again_for_the_same_name_and_for_no_other() -> None:
    names = Names(HERE)
    async with site() as there, http_out(names) as out:
        for host in ("hook.example", "hook.example", "other.example", "hook.example"):
            await out.request("GET", f"http://{host}:{there.port}/")
    assert there.connections == 2
    assert names.asked == ["hook.example", "other.example"]
    assert [headers["host"].split(":")[0] for _, _, headers, _ in there.asked] == [
        "hook.example", "hook.example", "other.example", "hook.example",
    ]  # fmt: skip


async def test_many_requests_go_side_by_side() -> None:
    both = asyncio.Barrier(20)

    async def wait() -> bytes:
        await both.wait()
        return OK

    async with site(lambda method, target: wait()) as there, http_out() as out:
        url = f"http://hook.example:{there.port}/"
        answers = await asyncio.gather(*(out.request("GET", url) for _ in range(20)))
    assert [answer.status for answer in answers] == [200] * 20


async def test_the_environment_s_proxies_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with site() as there, site() as proxy, http_out() as out:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await out.request("GET", f"http://hook.example:{there.port}/")).status == 200
    assert there.asked and not proxy.asked


async def test_the_next_address_is_tried() -> None:
    async with site() as there, http_out(Names({"hook.example": ["127.0.0.9", "127.0.0.1"]})) as out:
        assert (await out.request("GET", f"http://hook.example:{there.port}/")).status == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "x"),
        ("content-length", "9"),
        ("Connection", "close"),
        ("X", "a\r\nY: b"),
        ("X Y", "a"),
        ("X", "ü\n"),
    ],
)
async def test_headers_that_would_change_the_request_are_not_sent(name: str, value: str) -> None:
    async with site() as there, http_out() as out:
        with pytest.raises(HttpFailed, match="cannot be sent"):
            await out.request("GET", f"http://hook.example:{there.port}/", headers={name: value})
    assert not there.asked


async def test_a_request_that_is_cancelled_leaves_nothing_behind() -> None:
    waiting, asked = asyncio.Event(), asyncio.Event()

    async def wait() -> bytes:
        asked.set()
        await waiting.wait()
        return OK

    async with site(lambda method, target: wait()) as there, http_out() as out, asyncio.timeout(5):
        url = f"http://hook.example:{there.port}/"
        for _ in range(3):
            attempt = asyncio.create_task(out.request("GET", url))
            await asked.wait()
            asked.clear()
            attempt.cancel()
            with pytest.raises(asyncio.CancelledError):
                await attempt
        waiting.set()
        assert (await out.request("GET", url)).status == 200
        assert there.connections == 4
