"""What the WebSocket client opens, and what it refuses, against real servers."""

from __future__ import annotations

import asyncio
import socket

import pytest
from websockets.utils import accept_key

from bridge.errors import EgressRefused
from bridge.runtime import ws_dial
from bridge.runtime.connect_out import Resolver
from bridge.sockets import DialFailed, Socket
from tests.kit.dialled import (
    GREETED,
    Phone,
    dial,
    dialler,
    echo,
    failure,
    raw_service,
    service,
)
from tests.kit.hostile_urls import HOSTILE, OTHER_SCHEMES, SECRET, Names, RebindingNames

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_a_hostile_url_is_never_connected_to(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[object] = []

    async def connect_to(addresses: tuple[str, ...], port: int, deadline: float) -> None:
        connected.append(addresses)
        raise ws_dial.ConnectFailed("connection refused")

    monkeypatch.setattr(ws_dial, "connect_to", connect_to)
    strict, loose = dialler(Names(), allow_private=False), dialler(Names())
    tried = [(strict, hostile) for hostile in HOSTILE] + [(loose, one) for one in HOSTILE if one.never]
    for dialling, hostile in tried:
        with pytest.raises(EgressRefused) as refused:
            await dial(dialling, f"{scheme}://{hostile.rest}")
        assert hostile.says in str(refused.value) and not connected, hostile
    for url in (*OTHER_SCHEMES, "http://bot.example/", "https://bot.example/"):
        with pytest.raises(EgressRefused):
            await dial(loose, url)
    assert not connected
    with pytest.raises(DialFailed):
        await dial(strict, f"{scheme}://bot.example/")
    assert connected == [("93.184.216.34", "2606:2800:220:1::1")]


async def test_the_name_is_looked_up_once_and_the_answer_that_was_checked_is_dialled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dialled: list[tuple[object, ...]] = []

    async def connect_to(addresses: tuple[str, ...], port: int, deadline: float) -> None:
        dialled.append((addresses, port))
        raise ws_dial.ConnectFailed("connection refused")

    monkeypatch.setattr(ws_dial, "connect_to", connect_to)
    names = RebindingNames("bot.example", ["93.184.216.34"], ["127.0.0.1"])
    assert (
        str(await failure(dialler(names, allow_private=False), "ws://bot.example/")) == "connection refused"
    )
    assert (names.asked, dialled) == (["bot.example"], [(("93.184.216.34",), 80)])


async def test_the_addresses_are_tried_in_turn() -> None:
    async with service(echo) as port:
        names = Names({"bot.example": ["127.0.0.9", "::1", "127.0.0.1"]})
        socket_ = await dial(dialler(names), f"ws://bot.example:{port}/")
        socket_.close()


@pytest.mark.parametrize(
    ("answer", "says", "status"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000000\r\n\r\nno", "answered 403", 403),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", "answered 404", 404),
        (b"HTTP/1.1 200\r\n\r\n", "answered 200", 200),
        (b"HTTP/1.1 301 Moved\r\nLocation: ws://127.0.0.1/\r\n\r\n", "answered 301", 301),
        (b"HTTP/1.1 101 Fine\r\n\r\n", "the answer is not a valid WebSocket handshake", 101),
        (GREETED.format("AAAA").encode(), "the answer is not a valid WebSocket handshake", 101),
        (b"HTTP/1.1 banana\r\n\r\n", "the answer is not HTTP", None),
        (b"HTTP/2.0 200 OK\r\n\r\n", "the answer is not HTTP", None),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "the answer is not HTTP", None),
        (b"\x15\x03\x01\x00\x02\x02\x46", "the answer is not HTTP", None),
        (b"HTTP/1.1 101 OK\r\nX: " + b"x" * 20_000, "the answer's headers are too long", None),
        (b"HTTP/1.1 10", "the connection was closed without an answer", None),
        (b"", "the connection was closed without an answer", None),
    ],
)
async def test_what_is_no_welcome_is_told_shortly(answer: bytes, says: str, status: int | None) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with raw_service(talk) as port:
        failed = await failure(dialler(), f"ws://bot.example:{port}/?token={SECRET}")
    assert (str(failed), failed.status) == (says, status)


@pytest.mark.parametrize(
    "extra", ["Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Protocol: x"]
)
async def test_what_was_not_asked_for_is_not_agreed_to(extra: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
        writer.write(GREETED.format(accept_key(key)).replace("\r\n\r\n", f"\r\n{extra}\r\n\r\n").encode())
        await reader.read()

    async with raw_service(talk) as port:
        failed = await failure(dialler(), f"ws://bot.example:{port}/")
    assert str(failed) == "the answer is not a valid WebSocket handshake"


async def test_nobody_at_the_address_and_no_address_are_told_apart() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    assert str(await failure(dialler(), f"ws://bot.example:{port}/")) == "connection refused"
    assert str(await failure(dialler(), "ws://nobody.example/")) == "no such host"
    assert str(await failure(dialler(Resolver()), "ws://nobody.invalid/")) == "no such host"  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_a_service_that_never_answers_is_given_up_and_left(scheme: str) -> None:
    left = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(1000):
                pass
        finally:
            left.set()

    async with raw_service(talk) as port, asyncio.timeout(5):
        failed = await failure(dialler(timeout_s=0.2), f"{scheme}://bot.example:{port}/")
        await left.wait()
    assert str(failed) == "the handshake took more than 0.2 s"


async def test_an_answer_that_drips_is_given_up_at_the_same_deadline() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 OK\r\n")
        while True:
            writer.write(b"X-Drip: 1\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with raw_service(talk) as port:
        failed = await failure(dialler(timeout_s=0.5), f"ws://bot.example:{port}/")
    assert str(failed) == "the handshake took more than 0.5 s"


async def test_a_look_up_that_takes_for_ever_is_given_up() -> None:
    class Stuck(Names):
        async def __call__(self, host: str) -> list[str]:
            await asyncio.Event().wait()
            return []

    assert str(await failure(dialler(Stuck(), timeout_s=0.05), "ws://bot.example/")) == (
        "looking up the host took more than 0.05 s"
    )


async def test_an_attempt_that_is_cancelled_leaves_nothing_open() -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        try:
            await reader.read()
        finally:
            left.set()

    async with raw_service(talk) as port, asyncio.timeout(5):
        attempt = asyncio.create_task(dial(dialler(), f"ws://bot.example:{port}/"))
        await asked.wait()
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        await left.wait()


async def test_an_attempt_cancelled_by_what_it_opened_is_closed_again() -> None:
    class Hasty(Phone):
        def opened(self, socket: Socket) -> None:
            super().opened(socket)
            attempt.cancel()

    phone = Hasty()
    async with service(echo) as port:
        attempt = asyncio.create_task(dial(dialler(), f"ws://bot.example:{port}/", phone))
        with pytest.raises(asyncio.CancelledError):
            await attempt
        assert await phone.end() == (1006, "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "1\r\nX-Injected: 1"), ("X-A", "1\n"), ("X-A: 1\r\nX-B", "1"), ("", "1"), ("X-A", "ä"),
        ("X A", "1"), ("Host", "other.example"), ("Sec-WebSocket-Key", "x"), ("connection", "close"),
        ("Content-Length", "5"),
    ],
)  # fmt: skip
async def test_headers_that_would_change_the_handshake_are_not_sent(name: str, value: str) -> None:
    failed = await failure(dialler(), "ws://bot.example:1/", {name: value})
    assert str(failed) == "a header of the handshake cannot be sent"
