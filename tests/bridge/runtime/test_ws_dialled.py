"""WebSockets that the bridge opened, once they are open: messages, and ends."""

from __future__ import annotations

import asyncio
import struct

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode

from bridge.runtime.websocket import WebSocketSettings
from bridge.sockets import DialFailed
from tests.kit.dialled import (
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


async def test_messages_of_every_size_go_both_ways_and_the_handshake_is_plain() -> None:
    seen: list[tuple[str, dict[str, str]]] = []

    async def answer(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append((connection.request.path, dict(connection.request.headers.raw_items())))
        await connection.send(b"\xff\x00")
        await connection.send(["in ", "three ", "pieces"])
        await echo(connection)

    phone, dialling = Phone(), dialler()
    async with service(answer) as port, asyncio.timeout(10):
        socket_ = await dial(
            dialling, f"ws://bot.example:{port}/a%20b?token=1&ä", phone, {"X-Signature": "abc="}
        )
        assert socket_ is phone.socket and socket_.peer == "bot.example"
        assert await phone.messages.get() == (b"\xff\x00", False)
        assert await phone.messages.get() == (b"in three pieces", True)
        for size in (0, 1, 123, 124, 65_533, 65_534, 90_000):
            text = ("ä" + "x" * size).encode()
            assert phone.socket.send_text(text)
            assert await phone.messages.get() == (text, True)
        socket_.close(4000, "done")
        assert await phone.end() == (4000, "done")
    [(path, headers)] = seen
    assert path == "/a%20b?token=1&%C3%A4"
    assert headers["Host"] == f"bot.example:{port}" and headers["X-Signature"] == "abc="
    assert headers["User-Agent"] == "mediabridge"
    assert not {"Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol", "Origin"} & set(headers)
    figures = dialling.figures()
    assert (figures["opened"], figures["messages_in"], figures["messages_out"]) == (1, 9, 7)
    assert figures["open"] == 0


async def test_frames_in_one_read_and_frames_in_many_reads_are_told_apart() -> None:
    texts = [b"a" * n for n in (0, 5, 125, 126, 700, 70_000)]
    wire = b"".join(Frame(Opcode.TEXT, text).serialize(mask=False) for text in texts)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        for step in (len(wire), 1499, 7):
            for at in range(0, len(wire), step):
                writer.write(wire[at : at + step])
                if step < 100 and at % 700 == 0:
                    await writer.drain()
                    await asyncio.sleep(0)  # lets the client read a piece of a frame alone
        await reader.read()

    phone = Phone()
    async with raw_service(talk) as port, asyncio.timeout(10):
        await dial(dialler(), f"ws://bot.example:{port}/", phone)
        for _ in range(3):
            for text in texts:
                assert await phone.messages.get() == (text, True)


async def test_what_comes_right_behind_the_answer_is_not_lost() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(
            reader, writer, b"".join(Frame(Opcode.TEXT, b"%d" % n).serialize(mask=False) for n in range(9))
        )
        await reader.read()

    phone = Phone()
    async with raw_service(talk) as port:
        await dial(dialler(), f"ws://bot.example:{port}/", phone)
        assert [phone.messages.get_nowait() for _ in range(9)] == [(b"%d" % n, True) for n in range(9)]


async def test_every_frame_has_a_mask_of_its_own() -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        while True:
            heard.put_nowait(await reader.readexactly(2 + 4 + 16))

    async with raw_service(talk) as port, asyncio.timeout(5):
        socket_ = await dial(dialler(), f"ws://bot.example:{port}/")
        for _ in range(20):
            assert socket_.send_text(b"\0" * 16)
        frames = [await heard.get() for _ in range(20)]
    assert len({frame[2:6] for frame in frames}) == 20
    assert all(frame[6:] == frame[2:6] * 4 for frame in frames)


async def test_a_service_that_closes_tells_why() -> None:
    async def answer(connection: ServerConnection) -> None:
        await connection.close(4321, "enough")

    phone, dialling = Phone(), dialler()
    async with service(answer) as port:
        socket_ = await dial(dialling, f"ws://bot.example:{port}/", phone)
        assert await phone.end() == (4321, "enough")
        assert not socket_.send_text(b"x")
    assert dialling.figures()["open"] == 0


@pytest.mark.parametrize("abort", [False, True])
async def test_a_service_that_is_gone_without_a_word_is_1006(abort: bool) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        await writer.drain()
        if abort:
            writer.transport.abort()

    phone = Phone()
    async with raw_service(talk) as port:
        try:
            await dial(dialler(), f"ws://bot.example:{port}/", phone)
        except DialFailed:
            assert abort  # the reset may overtake the answer
        else:
            assert await phone.end() == (1006, "")


async def test_closing_waits_for_the_service_and_not_for_ever() -> None:
    told, left = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        assert await read_frame(reader) == (8, struct.pack("!H", 1000) + b"bye")
        told.set()
        try:
            assert await reader.read() == b""
        finally:
            left.set()

    phone = Phone()
    dialling = dialler(settings=WebSocketSettings(close_timeout_s=0.1))
    async with raw_service(talk) as port, asyncio.timeout(5):
        socket_ = await dial(dialling, f"ws://bot.example:{port}/", phone)
        socket_.close(1000, "bye")
        socket_.close(1011, "again")
        await told.wait()
        assert not phone.ends
        assert await phone.end() == (1006, "")
        await left.wait()


async def test_close_all_ends_every_open_socket() -> None:
    dialling, phones = dialler(), [Phone(), Phone()]
    async with service(echo) as port:
        for phone in phones:
            await dial(dialling, f"ws://bot.example:{port}/", phone)
        assert dialling.figures()["open"] == 2
        dialling.close_all(1001, "going")
        assert [await phone.end() for phone in phones] == [(1001, "going")] * 2


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (Frame(Opcode.TEXT, b"x" * 100_001).serialize(mask=False), 1009),
        (Frame(Opcode.TEXT, b"x" * 60_000, fin=False).serialize(mask=False)
         + Frame(Opcode.CONT, b"x" * 60_000).serialize(mask=False), 1009),
        (b"\x81\x7f" + struct.pack("!Q", 1 << 62), 1009),
        (Frame(Opcode.TEXT, b"ab\xff").serialize(mask=False), 1007),
        (Frame(Opcode.TEXT, b"masked").serialize(mask=True), 1002),
        (Frame(Opcode.CONT, b"?").serialize(mask=False), 1002),
        (b"\xc1\x00", 1002),  # as if compression had been agreed on
    ],
    ids=lambda value: "wire" if isinstance(value, bytes) else None,  # masks are drawn by chance
)  # fmt: skip
async def test_a_service_that_breaks_the_rules_is_closed_with_the_code(wire: bytes, code: int) -> None:
    told: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        writer.write(wire)
        told.put_nowait(await read_frame(reader))

    phone, dialling = Phone(), dialler()
    async with raw_service(talk) as port, asyncio.timeout(5):
        await dial(dialling, f"ws://bot.example:{port}/", phone)
        opcode, content = await told.get()
        assert (opcode, struct.unpack("!H", content[:2])[0]) == (8, code)
        assert (await phone.end())[0] == code
        assert phone.messages.empty()
    assert dialling.figures()["violations"] == 1


async def test_a_caller_that_raises_loses_its_socket() -> None:
    phone, dialling = Phone(), dialler()
    async with service(echo) as port:
        socket_ = await dial(dialling, f"ws://bot.example:{port}/", phone)
        phone.fails = True
        socket_.ask(b"m")
        assert (await phone.end())[0] == 1011
    assert dialling.figures()["receiver_failures"] == 1
