"""WebSockets that the bridge opened: what the other side has, and what it leaves waiting."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

from bridge.runtime.websocket import WebSocketSettings
from tests.kit.certificates import Authority
from tests.kit.dialled import (
    GREETED,
    Phone,
    dial,
    dialler,
    echo,
    greet,
    raw_service,
    read_frame,
    service,
)

pytestmark = pytest.mark.e2e


async def test_marks_are_confirmed_once_the_service_has_everything_before_them() -> None:
    stalled, go_on = asyncio.Event(), asyncio.Event()

    async def answer(connection: ServerConnection) -> None:
        await connection.recv()
        connection.transport.pause_reading()
        stalled.set()
        await go_on.wait()
        connection.transport.resume_reading()
        async for _ in connection:
            pass

    phone = Phone()
    async with service(answer) as port:
        socket_ = await dial(dialler(), f"ws://bot.example:{port}/", phone)
        socket_.send_text(b"one")
        assert socket_.ask(b"after one")
        assert await phone.next_marks(1) == [b"after one"]
        await stalled.wait()
        socket_.send_text(b"two")
        assert socket_.ask(b"after two") and socket_.ask(b"\x00" * 125)
        await asyncio.sleep(0.1)  # long enough for an answer, which must not come
        assert phone.marks.empty()
        go_on.set()
        assert await phone.next_marks(2) == [b"after two", b"\x00" * 125]
        socket_.close()
        assert not socket_.ask(b"too late")


@pytest.mark.parametrize(
    ("answered", "confirmed"),
    [
        ([b"c"], [b"a", b"b", b"c"]),  # RFC 6455 §5.5.3: only the last one may be answered
        ([b"b", b"a", b"c"], [b"a", b"b", b"c"]),
        ([b"a", b"a", b"b", b"c"], [b"a", b"b", b"c"]),
        ([b"", b"never asked", b"b", b"", b"c"], [b"a", b"b", b"c"]),
    ],
)
async def test_answers_left_out_or_out_of_order_confirm_each_mark_once_and_in_order(
    answered: list[bytes], confirmed: list[bytes]
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        assert [(await read_frame(reader)) for _ in "abc"] == [(9, b"a"), (9, b"b"), (9, b"c")]
        for mark in answered:
            writer.write(Frame(Opcode.PONG, mark).serialize(mask=False))
        writer.write(Frame(Opcode.TEXT, b"end").serialize(mask=False))
        await reader.read()

    phone = Phone()
    async with raw_service(talk) as port, asyncio.timeout(5):
        socket_ = await dial(dialler(), f"ws://bot.example:{port}/", phone)
        for mark in (b"a", b"b", b"c"):
            assert socket_.ask(mark)
        await phone.messages.get()
        assert [phone.marks.get_nowait() for _ in range(phone.marks.qsize())] == confirmed


async def test_a_mark_asked_twice_is_confirmed_twice() -> None:
    phone = Phone()
    async with service(echo) as port:
        socket_ = await dial(dialler(), f"ws://bot.example:{port}/", phone)
        assert socket_.ask(b"m") and socket_.ask(b"m")
        assert await phone.next_marks(2) == [b"m", b"m"]


async def test_the_keep_alive_is_no_mark_and_a_service_that_answers_it_lives() -> None:
    pings = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal pings
        await greet(reader, writer)
        while pings < 5:
            opcode, content = await read_frame(reader)
            assert opcode == 9
            if content == b"":
                pings += 1
                writer.write(Frame(Opcode.PONG, content).serialize(mask=False))
        writer.write(Frame(Opcode.TEXT, b"enough").serialize(mask=False))
        await reader.read()

    phone = Phone()
    settings = WebSocketSettings(ping_interval_s=0.02, ping_timeout_s=0.02)
    async with raw_service(talk) as port, asyncio.timeout(5):
        socket_ = await dial(dialler(settings=settings), f"ws://bot.example:{port}/", phone)
        assert socket_.ask(b"never answered")
        assert await phone.messages.get() == (b"enough", True)
    assert phone.marks.empty()


async def test_a_service_that_is_dead_is_given_up() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        await asyncio.Event().wait()

    phone = Phone()
    dialling = dialler(settings=WebSocketSettings(ping_interval_s=0.05, ping_timeout_s=0.05))
    async with raw_service(talk) as port:
        socket_ = await dial(dialling, f"ws://bot.example:{port}/", phone)
        assert await phone.end() == (1006, "")
        assert not socket_.send_text(b"x") and not socket_.ask(b"x") and socket_.unsent_bytes == 0
    assert dialling.figures()["dead"] == 1


async def test_unanswered_marks_are_bounded_and_a_mark_has_a_size() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        last = b""
        while last != b"%0125d" % 255:
            _, last = await read_frame(reader)
        writer.write(Frame(Opcode.PONG, last).serialize(mask=False))
        await reader.read()

    phone = Phone()
    async with raw_service(talk) as port:
        socket_ = await dial(dialler(), f"ws://bot.example:{port}/", phone)
        for mark in (b"", b"x" * 126):
            with pytest.raises(ValueError):
                socket_.ask(mark)
        marks = [b"%0125d" % n for n in range(256)]
        assert all(socket_.ask(mark) for mark in marks)
        assert not socket_.ask(b"one too many")
        assert await phone.next_marks(256) == marks
        assert socket_.ask(b"again")


def stall(listener: socket.socket, tls: ssl.SSLContext | None, go_on: threading.Event) -> int:
    """Greets, reads nothing until `go_on`, then counts texts up to a ping and answers that.

    In a thread, since asyncio's TLS reads on beneath a paused transport.
    """
    connection, _ = listener.accept()
    if tls is not None:
        connection = tls.wrap_socket(connection, server_side=True)
    with connection:
        connection.settimeout(10)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
        connection.sendall(GREETED.format(accept_key(key)).encode())
        go_on.wait(10)
        reader, texts = connection.makefile("rb"), 0
        while True:
            opcode, length = reader.read(2)
            length &= 0x7F
            if length == 126:
                [length] = struct.unpack("!H", reader.read(2))
            mask, content = reader.read(4), reader.read(length)
            if opcode == 0x89:
                mark = bytes(byte ^ mask[at % 4] for at, byte in enumerate(content))
                connection.sendall(Frame(Opcode.PONG, mark).serialize(mask=False))
                connection.recv(1)
                return texts
            texts += 1


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_a_stalled_service_is_noticed_within_a_few_kilobytes_and_all_of_it_is_counted(
    tmp_path: Path, secure: bool
) -> None:
    authority, go_on = Authority(tmp_path), threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stalled = asyncio.create_task(
        asyncio.to_thread(stall, listener, authority.server("bot.example") if secure else None, go_on)
    )
    phone, dialling = Phone(), dialler(ca_file=authority.file)
    url = f"{'wss' if secure else 'ws'}://bot.example:{listener.getsockname()[1]}/"
    async with asyncio.timeout(10):
        socket_ = await dial(dialling, url, phone)
        sent = 0
        while socket_.send_text(b"f" * 900):
            sent += 1
            assert sent < 200
            await asyncio.sleep(0)
        assert dialling.figures()["full"] == 1
        unsent = socket_.unsent_bytes
        assert 16_000 < unsent < 64_000
        assert sent * 908 - unsent < 10_000, "more is on its way than the service's small buffer takes"
        assert socket_.ask(b"m" * 100)  # full for sound, not for a question
        await asyncio.sleep(0.05)  # nothing must happen
        assert not phone.ends and phone.marks.empty()
        go_on.set()
        assert await phone.next_marks(1) == [b"m" * 100]
        assert socket_.unsent_bytes < 1000  # the kernel may still wait for an acknowledgement
        socket_.close()
        assert await stalled == sent
    listener.close()
