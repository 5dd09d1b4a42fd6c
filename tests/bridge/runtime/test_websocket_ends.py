"""Ends of WebSockets that others opened: violations, goodbyes, the dead, and those who do not read."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from websockets.frames import Frame, Opcode

from bridge.runtime.websocket import WebSocketSettings
from bridge.sockets import Accept, Socket, UpgradeRequest
from tests.kit.recorder import Recorder
from tests.kit.served import UPGRADE, client, closing_of, door_for, served

pytestmark = pytest.mark.e2e


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
