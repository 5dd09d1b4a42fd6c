from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bridge.egress.gate import EgressGate, EgressSettings
from bridge.errors import EgressRefused
from bridge.runtime.rtmp_relay import Relay, RelayFailed, RelayLimits
from bridge.runtime.tls_out import client_context
from tests.kit.certificates import Authority

pytestmark = pytest.mark.wire

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
IMPATIENT = RelayLimits(taken_s=0.3, connected_s=1.0, answered_s=0.3, stalled_s=0.3)
SECRET = "/live/very-secret-key?token=hush"


async def look_up(host: str) -> list[str]:
    if host == "nowhere.example":
        raise OSError("no such name")
    return ["127.0.0.1"]


def relay_to(
    port: int, scheme: str = "rtmp", host: str = "media.example", private: bool = True,
    tls: ssl.SSLContext | None = None, limits: RelayLimits = IMPATIENT,
) -> Relay:  # fmt: skip
    gate = EgressGate(EgressSettings(allow_private=private), look_up)
    return Relay(gate, f"{scheme}://{host}:{port}{SECRET}", tls or client_context(), limits)


@asynccontextmanager
async def server(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1000):
        writer.write(piece)
        await writer.drain()
    writer.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


class Child:
    """Whoever speaks to the relay's port."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    async def __aenter__(self) -> Child:
        port = await self._relay.open()
        self.carrying = asyncio.ensure_future(self._relay.carry())
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.port = port
        return self

    async def __aexit__(self, *what: object) -> None:
        self.carrying.cancel()
        self.writer.transport.abort()
        await asyncio.gather(self.carrying, return_exceptions=True)

    async def failure(self) -> RelayFailed | EgressRefused:
        """Why it ended; none of it may hold what is secret in the address."""
        with pytest.raises((RelayFailed, EgressRefused)) as failed:
            async with asyncio.timeout(5):
                await self.carrying
        assert "secret" not in str(failed.value)
        assert "hush" not in str(failed.value)
        with suppress(ConnectionResetError):  # the child is let go at once
            assert await self.reader.read() in (b"", b"hello")
        return failed.value


async def test_bytes_go_both_ways_and_are_counted() -> None:
    async with server(echo) as port, Child(relay := relay_to(port)) as child:
        sent = bytes(range(256)) * 400
        child.writer.write(sent)
        assert await child.reader.readexactly(len(sent)) == sent
        assert (relay.bytes_out, relay.bytes_in, relay.connected) == (len(sent), len(sent), True)
        child.writer.close()
        await child.carrying
        assert not relay.connected


async def test_tls_is_verified_against_the_name_in_the_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trusting = client_context(authority.file)
    async with server(echo, authority.server("media.example")) as port:
        async with Child(relay_to(port, "rtmps", tls=trusting)) as child:
            child.writer.write(b"hello")
            assert await child.reader.readexactly(5) == b"hello"
        async with Child(relay_to(port, "rtmps", "other.example", tls=trusting)) as child:
            child.writer.write(b"hello")
            assert "certificate verify failed" in str(await child.failure())
        async with Child(relay_to(port, "rtmps")) as child:
            assert "certificate verify failed" in str(await child.failure())


async def test_a_peer_that_never_speaks_tls_is_noticed(tmp_path: Path) -> None:
    async with server(silent) as port, Child(relay_to(port, "rtmps")) as child:
        assert str(await child.failure()) == "TLS took too long"


async def test_a_peer_that_never_answers_is_noticed() -> None:
    async with server(silent) as port, Child(relay_to(port)) as child:
        child.writer.write(b"hello")
        assert "did not answer" in str(await child.failure())


async def test_a_peer_that_ceases_to_read_is_noticed() -> None:
    done = asyncio.Event()

    async def stalls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await done.wait()
        writer.close()

    async with server(stalls) as port, Child(relay_to(port)) as child:
        flood = asyncio.ensure_future(_flood(child.writer))
        assert str(await child.failure()) == "the peer does not read what it is sent"
        flood.cancel()
        done.set()


async def _flood(writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while True:
            writer.write(bytes(1 << 16))
            await writer.drain()


async def test_a_peer_that_goes_is_told_as_such() -> None:
    async def goes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with server(goes) as port, Child(relay_to(port)) as child:
        assert str(await child.failure()) == "the peer closed the connection"


async def test_what_may_not_be_reached_is_not(tmp_path: Path) -> None:
    async with server(echo) as port:
        async with Child(relay_to(port, private=False)) as child:
            assert isinstance(await child.failure(), EgressRefused)
        async with Child(relay_to(port, host="nowhere.example")) as child:
            assert str(await child.failure()) == "no such host"
    async with Child(relay_to(port)) as child:
        assert str(await child.failure()) == "connection refused"


async def test_one_connection_is_taken_and_nobody_else_gets_through() -> None:
    async with server(echo) as port, Child(relay_to(port)) as child:
        child.writer.write(b"hello")
        assert await child.reader.readexactly(5) == b"hello"
        with pytest.raises(OSError):  # noqa: PT011 - refused or reset
            await (await asyncio.open_connection("127.0.0.1", child.port))[0].readexactly(1)


async def test_a_child_that_never_comes_is_not_waited_for_long() -> None:
    relay = relay_to(9)
    await relay.open()
    with pytest.raises(RelayFailed, match="nothing was sent"):
        await relay.carry()


async def test_cancelled_it_lets_both_sides_go() -> None:
    async with server(echo) as port, Child(relay_to(port)) as child:
        child.writer.write(b"hello")
        await child.reader.readexactly(5)
        child.carrying.cancel()
        with suppress(ConnectionResetError):
            assert await child.reader.read() == b""


async def test_the_last_words_arrive_also_where_they_are_read_slowly() -> None:
    sent = bytes(range(256)) * 2_000
    heard = bytearray()
    all_there = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        while piece := await reader.read(1 << 14):
            heard.extend(piece)
            await asyncio.sleep(0.005)
        all_there.set()
        writer.close()

    patient = RelayLimits(taken_s=5.0, connected_s=5.0, answered_s=5.0, stalled_s=5.0)
    async with server(slow) as port, Child(relay_to(port, limits=patient)) as child:
        await child.reader.readexactly(5)
        child.writer.write(sent)
        child.writer.close()
        async with asyncio.timeout(10):
            await child.carrying
            await all_there.wait()
    assert heard == sent


async def test_one_that_is_never_carried_leaves_nothing_behind() -> None:
    relay = relay_to(9)
    port = await relay.open()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(0.01)  # it is taken by the loop, in its turn
    relay.close()
    relay.close()
    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
