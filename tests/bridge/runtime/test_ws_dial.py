"""The WebSocket client against real servers: what it opens, what it refuses, and how its sockets behave."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

from bridge.egress import EgressGate, EgressSettings
from bridge.errors import EgressRefused
from bridge.runtime import ws_dial
from bridge.runtime.connect_out import Resolver
from bridge.runtime.tls_out import client_context
from bridge.runtime.websocket import WebSocketSettings
from bridge.runtime.ws_dial import Dialler
from bridge.sockets import DialFailed, Dialled, Socket
from tests.kit.certificates import Authority
from tests.kit.hostile_urls import HOSTILE, OTHER_SCHEMES, SECRET, Names, RebindingNames

pytestmark = pytest.mark.e2e

HERE = {"bot.example": ["127.0.0.1"]}


class Phone:
    """A caller that keeps everything."""

    def __init__(self) -> None:
        self.socket: Dialled
        self.messages: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()
        self.marks: asyncio.Queue[bytes] = asyncio.Queue()
        self.ends: list[tuple[int, str]] = []
        self.over = asyncio.Event()
        self.fails = False

    def opened(self, socket: Socket) -> None:
        self.socket = socket  # type: ignore[assignment]

    def received(self, message: bytes, is_text: bool) -> None:
        if self.fails:
            raise RuntimeError("broken")
        self.messages.put_nowait((message, is_text))

    def confirmed(self, mark: bytes) -> None:
        if self.fails:
            raise RuntimeError("broken")
        self.marks.put_nowait(mark)

    def closed(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))
        self.over.set()

    async def end(self) -> tuple[int, str]:
        async with asyncio.timeout(5):
            await self.over.wait()
        assert len(self.ends) == 1
        return self.ends[0]

    async def next_marks(self, count: int) -> list[bytes]:
        async with asyncio.timeout(5):
            return [await self.marks.get() for _ in range(count)]


def dialler(
    names: Names | None = None,
    settings: WebSocketSettings | None = None,
    *,
    allow_private: bool = True,
    ca_file: Path | None = None,
    timeout_s: float = 5.0,
) -> Dialler:
    gate = EgressGate(EgressSettings(allow_private=allow_private), names or Names(HERE))
    return Dialler(gate, settings, ca_file=ca_file, timeout_s=timeout_s)


async def dial(
    dialling: Dialler, url: str, phone: Phone | None = None, headers: dict[str, str] | None = None
) -> Dialled:
    return await dialling(url, headers or {}, phone or Phone(), max_message_bytes=100_000)


async def failure(dialling: Dialler, url: str, headers: dict[str, str] | None = None) -> DialFailed:
    phone = Phone()
    with pytest.raises(DialFailed) as raised:
        await dial(dialling, url, phone, headers)
    assert not hasattr(phone, "socket") and not phone.ends
    assert dialling.figures()["open"] == 0
    return raised.value


@asynccontextmanager
async def service(
    answer: Callable[[ServerConnection], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A service of somebody else's make; gives its port."""
    async with serve(answer, "127.0.0.1", 0, ssl=tls, max_size=None, ping_interval=None) as server:
        yield next(iter(server.sockets)).getsockname()[1]


async def echo(connection: ServerConnection) -> None:
    try:
        async for message in connection:
            await connection.send(message)
    except ConnectionClosed:
        pass


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_service(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A service that says what it likes; gives its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, more: bytes = b"") -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
    writer.write(GREETED.format(accept_key(key)).encode() + more)


GREETED = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: {}\r\n\r\n"
)


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Opcode and content of a client's frame; fails when it is not masked."""
    head, length = await reader.readexactly(2)
    assert length & 0x80, "a client must mask"
    length &= 0x7F
    if length == 126:
        [length] = struct.unpack("!H", await reader.readexactly(2))
    elif length == 127:
        [length] = struct.unpack("!Q", await reader.readexactly(8))
    mask = await reader.readexactly(4)
    content = await reader.readexactly(length)
    return head & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(content))


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


# --- what does not open ---


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
        failed = await failure(dialler(timeout_s=0.2), f"ws://bot.example:{port}/")
    assert str(failed) == "the handshake took more than 0.2 s"


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


# --- TLS ---


async def test_tls_is_verified_against_the_url_s_name_and_not_the_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls, asked_for = authority.server("bot.example"), []
    tls.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    phone = Phone()
    async with service(echo, tls) as port:
        socket_ = await dial(dialler(ca_file=authority.file), f"wss://bot.example:{port}/", phone)
        for size in (10, 60_000):
            socket_.send_text(b"x" * size)
            async with asyncio.timeout(5):
                assert await phone.messages.get() == (b"x" * size, True)
        assert socket_.ask(b"m")
        assert await phone.next_marks(1) == [b"m"]
        socket_.close(4000)
        assert await phone.end() == (4000, "")
    assert asked_for == ["bot.example"]


async def test_tls_to_an_address_is_verified_against_the_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    dialling = dialler(ca_file=authority.file)
    async with service(echo, authority.server("bot.example", "127.0.0.1")) as port:
        (await dial(dialling, f"wss://2130706433:{port}/")).close()
    async with service(echo, authority.server("bot.example")) as port:
        failed = await failure(dialling, f"wss://127.0.0.1:{port}/")
    assert str(failed).startswith("TLS: certificate verify failed: IP address mismatch")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("name", "Hostname mismatch, certificate is not valid for 'bot.example'"),
        ("expired", "certificate has expired"),
        ("self-signed", "self-signed certificate"),
        ("unknown", "unable to get local issuer certificate"),
    ],
)
async def test_a_certificate_that_is_not_right_ends_the_attempt(
    tmp_path: Path, fault: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path)
    tls = {
        "name": lambda: authority.server("other.example"),
        "expired": lambda: authority.server("bot.example", days=-2),
        "self-signed": lambda: authority.server("bot.example", self_signed=True),
        "unknown": lambda: Authority(tmp_path, "Stranger").server("bot.example"),
    }[fault]()
    greeted: list[ServerConnection] = []

    async def answer(connection: ServerConnection) -> None:
        greeted.append(connection)

    caplog.set_level(logging.CRITICAL, "websockets.server")  # it complains of our leaving
    async with service(answer, tls) as port:
        failed = await failure(dialler(ca_file=authority.file), f"wss://bot.example:{port}/?{SECRET}")
    assert str(failed) == f"TLS: certificate verify failed: {says}"
    assert failed.status is None and not greeted


async def test_tls_to_a_server_without_it_is_told() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_service(talk) as port:
        failed = await failure(dialler(), f"wss://bot.example:{port}/")
    assert str(failed).startswith("TLS: ")


def test_nothing_but_verified_and_current_tls_is_spoken() -> None:
    context = client_context()
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


async def test_a_missing_ca_file_is_known_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        dialler(ca_file=tmp_path / "none.pem")
    (tmp_path / "empty.pem").write_text("nothing\n")
    with pytest.raises(OSError):
        dialler(ca_file=tmp_path / "empty.pem")


async def test_logs_show_neither_queries_nor_messages(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    phone = Phone()
    async with service(echo) as port:
        socket_ = await dial(
            dialler(), f"ws://bot.example:{port}/?token={SECRET}", phone, {"X-Signature": SECRET}
        )
        socket_.send_text(SECRET.encode())
        async with asyncio.timeout(5):
            await phone.messages.get()
        socket_.close(1000, "done")
        await phone.end()
    ours = [record for record in caplog.records if record.name != "websockets.server"]
    assert not any(SECRET in record.getMessage() for record in ours)
