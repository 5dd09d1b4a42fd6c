from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
from collections.abc import Awaitable, Callable

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from bridge.runtime.websocket import WebSocketSettings
from bridge.sockets import Accept, Refuse, Socket, UpgradeRequest
from tests.kit.served import Served, served

pytestmark = pytest.mark.e2e


class Recorder:
    """A receiver that keeps everything and, if asked to, answers."""

    def __init__(self, on_message: Callable[[Socket, bytes], None] | None = None) -> None:
        self.socket: Socket
        self.messages: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()
        self.ends: list[tuple[int, str]] = []
        self.open = asyncio.Event()
        self.over = asyncio.Event()
        self._on_message = on_message

    def opened(self, socket: Socket) -> None:
        self.socket = socket
        self.open.set()

    def received(self, message: bytes, is_text: bool) -> None:
        self.messages.put_nowait((message, is_text))
        if self._on_message is not None:
            self._on_message(self.socket, message)

    def closed(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))
        self.over.set()

    async def end(self) -> tuple[int, str]:
        async with asyncio.timeout(5):
            await self.over.wait()
        assert len(self.ends) == 1
        return self.ends[0]


def door_for(receiver: Recorder, **arguments: object) -> Callable[[UpgradeRequest], Awaitable[Accept | None]]:
    async def door(request: UpgradeRequest) -> Accept | None:
        return Accept(receiver, **arguments) if request.path == "/x" else None  # type: ignore[arg-type]

    return door


def client(server: Served, path: str = "/x", **arguments: object) -> connect:
    return connect(server.ws + path, compression=None, **arguments)  # type: ignore[arg-type]


async def closing_of(connection: ClientConnection) -> tuple[int, str]:
    async with asyncio.timeout(5):
        with pytest.raises(ConnectionClosed) as raised:
            while True:
                await connection.recv()
    received = raised.value.rcvd
    assert received is not None
    return received.code, received.reason


async def test_messages_go_both_ways_and_the_http_side_is_left_alone() -> None:
    def echo(socket: Socket, message: bytes) -> None:
        if message[:1] != b"\xff":
            assert socket.send_text(b"<" + message)

    receiver = Recorder(echo)
    async with served([door_for(receiver)]) as server:
        async with client(server) as connection, httpx.AsyncClient() as http:
            for size in (0, 1, 125, 126, 65_535, 65_536, 200_000):
                await connection.send("ä" + "x" * size)
                assert await connection.recv() == "<ä" + "x" * size
            await connection.send(b"\xff\x00")
            await connection.send(["in ", "three ", "pieces"])
            assert (await http.get(server.http)).text == "plain"
            assert await connection.recv() == "<in three pieces"
        assert await receiver.end() == (1000, "")
        received = [receiver.messages.get_nowait() for _ in range(9)]
        assert received[-2:] == [(b"\xff\x00", False), (b"in three pieces", True)]
        assert server.figure("messages_in") == 9
        assert server.figure("messages_out") == 8
        assert server.figure("open") == 0


async def test_no_compression_is_agreed_on() -> None:
    async with served([door_for(Recorder())]) as server:
        async with connect(server.ws + "/x", compression="deflate") as connection:
            assert connection.protocol.extensions == []


async def test_frames_in_one_read_and_frames_in_many_reads_are_told_apart() -> None:
    receiver = Recorder()
    texts = [b"a" * n for n in (0, 5, 125, 126, 700, 70_000)]
    wire = b"".join(Frame(Opcode.TEXT, text).serialize(mask=True) for text in texts)
    async with served([door_for(receiver)]) as server:
        async with client(server) as connection:
            for step in (len(wire), 1499, 7):
                for at in range(0, len(wire), step):
                    connection.transport.write(wire[at : at + step])
                    if step < 100 and at % 700 == 0:
                        await asyncio.sleep(0)  # lets the server read a piece of a frame alone
                for text in texts:
                    async with asyncio.timeout(5):
                        assert await receiver.messages.get() == (text, True)


async def test_the_door_sees_the_request_decoded() -> None:
    seen: list[UpgradeRequest] = []

    async def door(request: UpgradeRequest) -> Refuse:
        seen.append(request)
        return Refuse(403, b'{"error":"no"}', headers=(("X-Why", "test"),))

    async with served([door]) as server:
        with pytest.raises(InvalidStatus) as refused:
            await client(server, "/a%20b/c?t=1&t=2&u=%C3%A4&e=", additional_headers={"X-Two": "1"})
    request = seen[0]
    assert request.path == "/a b/c"
    assert request.query == {"t": "2", "u": "ä", "e": ""}
    assert request.raw_target == "/a%20b/c?t=1&t=2&u=%C3%A4&e="
    assert request.headers["x-two"] == "1"
    assert (request.peer, request.scheme) == ("127.0.0.1", "ws")
    response = refused.value.response
    assert response.status_code == 403
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Why"] == "test"
    assert response.body == b'{"error":"no"}'


async def test_doors_are_asked_in_turn_and_an_unknown_path_is_404_in_json() -> None:
    receiver = Recorder()

    async def other(request: UpgradeRequest) -> None:
        return None

    async with served([other, door_for(receiver)]) as server:
        async with client(server):
            pass
        with pytest.raises(InvalidStatus) as refused:
            await client(server, "/nowhere")
        assert server.figure("refused") == 1
    assert refused.value.response.status_code == 404
    assert "error" in json.loads(refused.value.response.body or b"")


async def test_a_door_that_raises_gives_500_and_logs_no_query(caplog: pytest.LogCaptureFixture) -> None:
    async def door(request: UpgradeRequest) -> None:
        raise RuntimeError("broken")

    caplog.set_level(logging.DEBUG)
    async with served([door]) as server:
        with pytest.raises(InvalidStatus) as refused:
            await client(server, "/x?access_token=s3cret-token")
        assert server.figure("door_failures") == 1
    assert refused.value.response.status_code == 500
    ours = [record for record in caplog.records if record.name.startswith(("bridge", "uvicorn"))]
    assert any("a door failed" in record.getMessage() for record in ours)
    assert not any("s3cret" in record.getMessage() for record in ours)


async def test_a_door_that_never_decides_gives_503() -> None:
    async def door(request: UpgradeRequest) -> None:
        await asyncio.Event().wait()

    async with served([door], WebSocketSettings(door_timeout_s=0.05)) as server:
        with pytest.raises(InvalidStatus) as refused:
            await client(server)
    assert refused.value.response.status_code == 503
    assert refused.value.response.headers["Retry-After"] == "5"


async def test_a_peer_that_leaves_before_the_door_has_decided_cancels_it() -> None:
    cancelled = asyncio.Event()
    asked = asyncio.Event()

    async def door(request: UpgradeRequest) -> None:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with served([door]) as server, asyncio.timeout(5):
        attempt = asyncio.create_task(client(server).__aenter__())
        await asked.wait()
        attempt.cancel()
        await cancelled.wait()


async def test_what_a_hasty_peer_sends_before_the_answer_is_held_and_not_lost() -> None:
    receiver = Recorder()
    asked, decide = asyncio.Event(), asyncio.Event()

    async def door(request: UpgradeRequest) -> Accept:
        asked.set()
        await decide.wait()
        return Accept(receiver)

    async with served([door], WebSocketSettings(held_bytes=1000)) as server, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(UPGRADE)
        await asked.wait()
        texts = [b"%d" % n * 100 for n in range(400)]
        for text in texts:
            writer.write(Frame(Opcode.TEXT, text).serialize(mask=True))
        decide.set()
        for text in texts:
            assert await receiver.messages.get() == (text, True)
        writer.close()
        assert await receiver.end() == (1006, "")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")


UPGRADE = (
    b"GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (UPGRADE.replace(b"Version: 13", b"Version: 8"), 400),
        (UPGRADE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"), 400),
        (UPGRADE.replace(b"GET", b"POST"), 405),
        (UPGRADE.replace(b"/x", b"/x?" + b"&".join(b"a=%d" % n for n in range(200))), 400),
        (UPGRADE.replace(b"/x", b"/x?" + b"a" * 9000), 400),
    ],
)
async def test_a_broken_handshake_is_refused_without_asking_the_doors(
    request_text: bytes, status: int
) -> None:
    async def door(request: UpgradeRequest) -> None:
        raise AssertionError("asked")

    async with served([door]) as server, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request_text)
        answer = await reader.read()
        writer.close()
        assert server.figure("door_failures") == 0
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b'{"error": ' in answer


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (Frame(Opcode.TEXT, b"x" * 1001).serialize(mask=True), 1009),
        (Frame(Opcode.TEXT, b"x" * 600, fin=False).serialize(mask=True)
         + Frame(Opcode.CONT, b"x" * 600).serialize(mask=True), 1009),
        (Frame(Opcode.TEXT, b"ab\xff").serialize(mask=True), 1007),
        (Frame(Opcode.TEXT, b"ok\xc3", fin=False).serialize(mask=True)
         + Frame(Opcode.CONT, b"(").serialize(mask=True), 1007),
        (Frame(Opcode.TEXT, b"unmasked").serialize(mask=False), 1002),
        (Frame(Opcode.CONT, b"?").serialize(mask=True), 1002),
        (b"\x83\x80\0\0\0\0", 1002),
    ],
    ids=lambda value: "wire" if isinstance(value, bytes) else None,  # masks are drawn by chance
)  # fmt: skip
async def test_a_violation_closes_that_socket_with_its_code(wire: bytes, code: int) -> None:
    receiver, other = Recorder(), Recorder()

    async def door(request: UpgradeRequest) -> Accept:
        return Accept(receiver if request.path == "/x" else other, max_message_bytes=1000)

    async with served([door]) as server:
        async with client(server, "/other") as bystander, client(server) as connection:
            connection.transport.write(wire)
            assert (await closing_of(connection))[0] == code
            assert (await receiver.end())[0] == code
            assert server.figure("violations") == 1
            await bystander.send("still here")
            assert await other.messages.get() == (b"still here", True)


async def test_a_receiver_that_raises_loses_its_own_socket_only() -> None:
    def fail(socket: Socket, message: bytes) -> None:
        raise RuntimeError("broken")

    receiver, other = Recorder(fail), Recorder()

    async def door(request: UpgradeRequest) -> Accept:
        return Accept(receiver if request.path == "/x" else other)

    async with served([door]) as server:
        async with client(server, "/other") as bystander, client(server) as connection:
            await connection.send("boom")
            assert await closing_of(connection) == (1011, "internal error")
            await bystander.send("still here")
            assert await other.messages.get() == (b"still here", True)
        assert server.figure("receiver_failures") == 1


async def test_close_goes_through_the_handshake_and_cuts_long_reasons() -> None:
    receiver = Recorder()
    async with served([door_for(receiver)]) as server:
        async with client(server) as connection:
            receiver.socket.close(4001, "ü" * 100)
            receiver.socket.close(1000)
            assert receiver.socket.send_text(b"too late") is False
            assert await closing_of(connection) == (4001, "ü" * 61)
        assert await receiver.end() == (4001, "ü" * 61)
        assert receiver.socket.unsent_bytes == 0


async def test_a_code_that_may_not_be_sent_becomes_1011() -> None:
    receiver = Recorder()
    async with served([door_for(receiver)]) as server:
        async with client(server) as connection:
            receiver.socket.close(1006)
            assert (await closing_of(connection))[0] == 1011


async def test_the_peer_s_close_is_reported_with_code_and_reason() -> None:
    receiver = Recorder()
    async with served([door_for(receiver)]) as server:
        async with client(server) as connection:
            await connection.close(4321, "bye")
        assert await receiver.end() == (4321, "bye")


async def test_a_peer_that_ignores_our_close_is_cut_off() -> None:
    receiver = Recorder()
    async with served([door_for(receiver)], WebSocketSettings(close_timeout_s=0.1)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(UPGRADE)
        await receiver.open.wait()
        receiver.socket.close(1000)
        assert await receiver.end() == (1006, "")
        writer.close()
        await reader.read()


async def test_a_dead_connection_is_noticed_by_pings() -> None:
    receiver = Recorder()
    settings = WebSocketSettings(ping_interval_s=0.05, ping_timeout_s=0.1)
    async with served([door_for(receiver)], settings) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(UPGRADE)
        assert await receiver.end() == (1006, "")
        assert server.figure("dead") == 1
        writer.close()


async def test_a_peer_that_answers_pings_lives_without_sending_anything() -> None:
    receiver = Recorder()
    settings = WebSocketSettings(ping_interval_s=0.02, ping_timeout_s=0.02)
    async with served([door_for(receiver)], settings) as server:
        async with client(server, ping_interval=None) as connection:
            await asyncio.sleep(0.3)  # a dozen rounds of real pings
            receiver.socket.send_text(b"there?")
            assert await connection.recv() == "there?"
        assert server.figure("dead") == 0


async def test_close_all_says_1012_to_everybody() -> None:
    receivers = [Recorder() for _ in range(3)]
    waiting = list(receivers)

    async def door(request: UpgradeRequest) -> Accept:
        return Accept(waiting.pop())

    async with served([door]) as server:
        async with client(server) as a, client(server) as b, client(server) as c:
            server.protocol.close_all(1012, "back soon")
            for connection in (a, b, c):
                assert await closing_of(connection) == (1012, "back soon")
        assert [await receiver.end() for receiver in receivers] == [(1012, "back soon")] * 3


async def test_the_server_s_shutdown_closes_with_1012_and_ends() -> None:
    receiver = Recorder()
    async with served([door_for(receiver)]) as server:
        connection = await client(server)
        server.server.should_exit = True
        assert (await closing_of(connection))[0] == 1012
    assert (await receiver.end())[0] == 1012


async def test_a_stalled_reader_of_media_is_noticed_within_a_few_kilobytes() -> None:
    receiver = Recorder()
    async with served([door_for(receiver, media=True)]) as server:
        connecting = socket.socket()
        connecting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connecting.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connecting, ("127.0.0.1", server.port))
        await loop.sock_sendall(connecting, UPGRADE)
        await receiver.open.wait()
        frame = b"f" * 900
        sent = 0
        while receiver.socket.send_text(frame):
            sent += 1
            assert sent < 200
            await asyncio.sleep(0)
        assert server.figure("full") == 1
        assert 16_000 < receiver.socket.unsent_bytes < 64_000
        receiver.socket.close()
        read = b""
        async with asyncio.timeout(5):
            while b"\x88\x02\x03\xe8" not in read:  # the close frame comes after everything queued
                read += await loop.sock_recv(connecting, 65_536)
        assert read.count(struct.pack("!BBH", 0x81, 126, 900) + frame) == sent
        connecting.close()
        await receiver.end()


async def test_a_flood_of_pings_whose_answers_are_not_read_ends_the_connection() -> None:
    receiver = Recorder()
    async with served([door_for(receiver, media=True)]) as server, asyncio.timeout(10):
        connecting = socket.socket()
        connecting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connecting.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connecting, ("127.0.0.1", server.port))
        await loop.sock_sendall(connecting, UPGRADE)
        ping = Frame(Opcode.PING, b"p" * 120).serialize(mask=True) * 100
        with pytest.raises(OSError):
            while True:
                await loop.sock_sendall(connecting, ping)
        assert await receiver.end() == (1006, "")
        connecting.close()


async def test_a_subprotocol_chosen_by_the_door_is_answered() -> None:
    async with served([door_for(Recorder(), subprotocol="two")]) as server:
        async with client(server, subprotocols=["one", "two"]) as connection:
            assert connection.subprotocol == "two"


async def test_debug_logs_show_neither_queries_nor_messages(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    receiver = Recorder()
    async with served([door_for(receiver)]) as server:
        async with client(server, "/x?access_token=s3cret-token") as connection:
            await connection.send("s3cret-message")
            await receiver.messages.get()
        await receiver.end()
    theirs = ("websockets.client", "asyncio")
    for record in caplog.records:
        assert record.name in theirs or "s3cret" not in record.getMessage()
