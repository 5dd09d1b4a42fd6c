"""What the HTTP client takes for an answer: bounded in size and time."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from tests.kit.hostile_urls import SECRET
from tests.kit.http_sites import OK, failure, http_out, site

pytestmark = pytest.mark.e2e


async def test_an_answer_larger_than_the_bound_is_not_read_to_its_end() -> None:
    endless = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(b"x" * 10_000)
                await writer.drain()
        except ConnectionError:
            endless.set()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with http_out() as out, asyncio.timeout(5):
        url = f"http://hook.example:{server.sockets[0].getsockname()[1]}/"
        assert await failure(out, url) == "the answer is larger than 10000 bytes"
        await endless.wait()
    server.close()


async def test_a_compressed_answer_is_not_unpacked() -> None:
    packed = gzip.compress(b"\0" * 1_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    async with site(lambda method, target: head + packed) as there, http_out() as out:
        assert (await out.request("GET", f"http://hook.example:{there.port}/")).body == packed


@pytest.mark.parametrize("drip", [False, True])
async def test_a_server_that_never_finishes_is_given_up_at_the_deadline(drip: bool) -> None:
    async def wait() -> bytes:
        await asyncio.Event().wait()
        return OK

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.02)

    async with site(lambda method, target: wait()) as there, http_out() as out, asyncio.timeout(5):
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1] if drip else there.port
        says = "no answer within 0.2 s"
        assert await failure(out, f"http://hook.example:{port}/?{SECRET}", timeout_s=0.2) == says
        server.close()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "the answer is not HTTP, or was not finished"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "the answer is not HTTP, or was not finished"),
        (b"", "the answer is not HTTP, or was not finished"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "the answer is not HTTP, or was not finished"),
    ],
)
async def test_what_is_not_an_answer_is_told(answer: bytes, says: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with http_out() as out:
        assert await failure(out, f"http://hook.example:{server.sockets[0].getsockname()[1]}/") == says
    server.close()


async def test_nobody_there_and_no_such_host_are_told() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with http_out() as out:
        assert await failure(out, f"http://hook.example:{port}/") == "connection refused"
        assert await failure(out, "http://nobody.example/") == "no such host"
