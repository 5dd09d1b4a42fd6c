"""WebSockets that the bridge opened, once they are open: messages, marks, slow services, ends."""

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
from bridge.sockets import DialFailed
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


# --- messages ---


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


# --- marks ---


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


# --- a slow service ---


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


# --- ends ---


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
