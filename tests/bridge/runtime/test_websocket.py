"""WebSockets that others open: the doors, the handshake, messages both ways."""

from __future__ import annotations

import asyncio
import json
import logging

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

from bridge.runtime.websocket import WebSocketSettings
from bridge.sockets import Accept, Refuse, Socket, UpgradeRequest
from tests.kit.recorder import Recorder
from tests.kit.served import UPGRADE, client, door_for, served

pytestmark = pytest.mark.e2e


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
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        writer.close()
        assert await receiver.end() == (1006, "")


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
