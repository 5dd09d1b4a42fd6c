from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bridge.egress.gate import EgressGate, EgressSettings
from bridge.outputs.storage import Storage, StorageFailed
from bridge.outputs.storage_open import Opening
from bridge.outputs.storage_place import Place
from bridge.runtime.egress_proxy import EgressProxy, ProxyLimits
from tests.kit.certificates import Authority
from tests.kit.object_storage import object_storage

pytestmark = pytest.mark.wire

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def look_up(host: str) -> list[str]:
    return {"moto": ["127.0.0.1"], "inside.test": ["10.1.2.3"]}.get(host, ["93.184.216.34"])


@asynccontextmanager
async def running(private: bool = True, limits: ProxyLimits | None = None) -> AsyncIterator[EgressProxy]:
    proxy = EgressProxy(EgressGate(EgressSettings(allow_private=private), look_up), limits)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.close()


@asynccontextmanager
async def server(serve: Serve, **how: object) -> AsyncIterator[int]:
    listening = await asyncio.start_server(serve, "127.0.0.1", 0, **how)  # type: ignore[arg-type]
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def ask(proxy: EgressProxy, request: str, password: bool = True) -> bytes:
    """What comes back to a request head, up to the end of the connection."""
    credentials, _, where = proxy.address.removeprefix("http://").partition("@")
    shown = base64.b64encode(credentials.encode()).decode()
    line = f"Proxy-Authorization: Basic {shown}\r\n" if password else ""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(where.rpartition(":")[2]))
    try:
        writer.write(f"{request}\r\n{line}\r\n".encode())
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


async def test_a_storage_is_reached_through_it_by_http(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with object_storage() as there:
        async with running() as proxy:
            endpoint = there.endpoint.replace("127.0.0.1", "moto")
            storage = Storage(
                there.place(endpoint=endpoint), Opening(proxy=proxy.address, apart=True, timeout_s=5)
            )
            for size in (0, 10, 20 << 20):
                file.write_bytes(bytes(size))
                await storage.put(file, f"r/{size}", "audio/wav")
            assert [len(content) for content in there.contents().values()] == [0, 10, 20 << 20]
            read = b"".join([piece async for piece in storage.read("r/10", 2, 7)])
            assert read == bytes(5)


async def test_tls_goes_through_it_untouched(tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def empty_store(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HEAD ") or head.startswith(b"GET ")
        assert b"proxy" not in head.lower()
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with server(empty_store, ssl=authority.server("moto")) as port, running() as proxy:
        place = Place("main", "s3", "bucket", "", "", f"https://moto:{port}", "key", "secret")
        opening = Opening(authority.file, proxy=proxy.address, apart=True, timeout_s=5)
        with pytest.raises(StorageFailed, match="no such bucket or file"):
            async for _ in Storage(place, opening).read("a", 0, 1):
                pass
        with pytest.raises(
            StorageFailed, match="certificate is not to be trusted"
        ):  # nobody we trust says that it is them
            async for _ in Storage(place, Opening(proxy=proxy.address, apart=True, timeout_s=5)).read(
                "a", 0, 1
            ):
                pass


async def test_what_the_gate_refuses_is_not_reached_not_even_by_redirection(tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def inner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx")
        writer.close()

    async def outer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            f"HTTP/1.1 307 Elsewhere\r\nLocation: http://169.254.169.254:{inner_port}/latest\r\n"
            "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        writer.close()

    async with server(inner) as inner_port, server(outer) as port, running() as proxy:
        place = Place("main", "s3", "bucket", "", "", f"http://moto:{port}", "key", "secret")
        storage = Storage(place, Opening(proxy=proxy.address, apart=True, timeout_s=2))
        with pytest.raises(StorageFailed):
            async for _ in storage.read("a", 0, 1):
                pass
        assert proxy.refused >= 1
        for target in (f"http://127.0.0.1:{inner_port}/", "http://moto/", "http://inside.test/x"):
            async with running(private=False) as strict:
                answer = await ask(strict, f"GET {target} HTTP/1.1")
                assert answer.startswith(b"HTTP/1.1 403 "), target
                tunnel = target.removeprefix("http://").partition("/")[0]
                tunnel = tunnel if ":" in tunnel else f"{tunnel}:443"
                assert (await ask(strict, f"CONNECT {tunnel} HTTP/1.1")).startswith(b"HTTP/1.1 403 ")
        assert asked == []


async def test_nobody_else_on_this_machine_can_use_it() -> None:
    async with running() as proxy:
        answer = await ask(proxy, "CONNECT moto:443 HTTP/1.1", password=False)
        assert answer.startswith(b"HTTP/1.1 407 ")


@pytest.mark.parametrize(
    "request_line",
    [
        "GET / HTTP/1.1",
        "nonsense",
        "GET ftp://moto/ HTTP/1.1",
        "CONNECT user@moto:443 HTTP/1.1",
        "CONNECT moto:443/../x?y HTTP/2",
    ],
)
async def test_what_is_no_request_is_refused(request_line: str) -> None:
    async with running() as proxy:
        assert (await ask(proxy, request_line))[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 403")


async def test_it_waits_for_nobody_for_ever_and_takes_no_more_than_it_may() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    limits = ProxyLimits(head_s=0.2, idle_s=0.2, connections=1)
    async with server(silent) as port, running(limits=limits) as proxy:
        where = int(proxy.address.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", where)
        async with asyncio.timeout(5):
            with suppress(ConnectionResetError):  # what it did not read is thrown away
                assert (await ask(proxy, f"CONNECT moto:{port} HTTP/1.1")).startswith(b"HTTP/1.1 502 ")
            assert await reader.read() == b""
            answer = await ask(proxy, f"CONNECT moto:{port} HTTP/1.1")
        assert answer == b"HTTP/1.1 200 Connected\r\n\r\n"
        writer.close()
