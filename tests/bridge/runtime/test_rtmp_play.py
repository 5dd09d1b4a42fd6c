"""Playing RTMP: what is asked, what is taken, and how servers that do wrong are noticed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bridge.egress.gate import EgressGate, EgressSettings
from bridge.errors import EgressRefused, RtmpFailed
from bridge.rtmp.amf0 import encode
from bridge.rtmp.chunks import (
    AGGREGATE,
    COMMAND,
    PICTURE,
    SOUND,
    USER_CONTROL,
    WINDOW_SIZE,
    ChunkWriter,
    Message,
)
from bridge.runtime.rtmp_play import FLV_HEADER, PlayPatience, RtmpPlayer, play_address
from bridge.runtime.tls_out import client_context
from tests.kit.certificates import Authority
from tests.kit.rtmp_peer import RtmpPeer, rtmp_peer

pytestmark = pytest.mark.wire

KEY = "very-secret-key?token=hush"
IMPATIENT = PlayPatience(1.0, 0.5, 0.5)


async def look_up(host: str) -> list[str]:
    if host == "nowhere.example":
        raise OSError("no such name")
    return ["127.0.0.1"]


def player(private: bool = True, tls: ssl.SSLContext | None = None) -> RtmpPlayer:
    gate = EgressGate(EgressSettings(allow_private=private), look_up)
    return RtmpPlayer(gate, tls or client_context(), IMPATIENT)


async def failure(url: str, **how: object) -> str:
    """Why it cannot be played; nothing secret is in it."""
    with pytest.raises((RtmpFailed, EgressRefused)) as failed:
        async with asyncio.timeout(5), player(**how).open(url) as pieces:  # type: ignore[arg-type]
            async for _ in pieces:
                pass
    assert "secret" not in str(failed.value) and "hush" not in str(failed.value)
    return str(failed.value)


def url_of(peer: RtmpPeer, name: str = f"/live/{KEY}") -> str:
    return f"rtmp://media.example:{peer.port}{name}"


@asynccontextmanager
async def playing(peer: RtmpPeer) -> AsyncIterator[AsyncIterator[bytes]]:
    async with player().open(url_of(peer)) as pieces:
        assert await anext(pieces) == FLV_HEADER
        yield pieces


@pytest.mark.parametrize(
    ("path", "application", "stream"),
    [
        ("/live/key", "live", "key"),
        ("/live/key?a=b/c", "live", "key?a=b/c"),
        ("/app/instance/key", "app/instance", "key"),
        ("/app/instance/a/b", "app/instance", "a/b"),
        ("/stream", "stream", ""),
        ("/stream?user=a/b", "stream?user=a/b", ""),
    ],
)
def test_an_address_is_taken_apart_as_players_do(path: str, application: str, stream: str) -> None:
    address = play_address("rtmp", "host:1", path)
    assert (address.application, address.stream) == (application, stream)
    assert address.tc_url == f"rtmp://host:1/{application}"
    assert "key" not in repr(address) and "user" not in repr(address)


@pytest.mark.parametrize("path", ["/", "/live/", "/live/?key", "/?key"])
def test_an_address_without_a_stream_is_none(path: str) -> None:
    with pytest.raises(RtmpFailed, match="names no stream"):
        play_address("rtmp", "host", path)


async def test_it_asks_for_the_stream_and_gives_its_sound_alone() -> None:
    with rtmp_peer() as peer:
        async with playing(peer) as pieces:
            assert [said[0] for said in peer.commands] == ["connect", "createStream", "play"]
            assert peer.commands[0][2]["app"] == "live"
            assert peer.commands[0][2]["tcUrl"] == f"rtmp://media.example:{peer.port}/live"
            assert peer.commands[2][3] == KEY
            peer.say(Message(PICTURE, b"p" * 2_000_000, 5, 7), 6)
            peer.say(Message(SOUND, b"\xaf\x01abc", 0x01020304, 7), 4)
            tag = await anext(pieces)
            assert tag.hex(" ") == "08 00 00 05 02 03 04 01 00 00 00 af 01 61 62 63 00 00 00 10"


@pytest.mark.parametrize("status", ["NetStream.Play.Start", ""], ids=["said", "unsaid"])
async def test_sound_that_comes_with_the_answer_or_instead_of_it_is_given(status: str) -> None:
    coding = Message(SOUND, b"\xaf\x00\x11\x88", 0, 7)
    with rtmp_peer(status, at_once=(coding,)) as peer:
        async with player().open(url_of(peer)) as pieces:
            given = await anext(pieces)
            while len(given) <= len(FLV_HEADER):
                given += await anext(pieces)
    assert given.startswith(FLV_HEADER) and coding.body in given


def sound_tag(at_ms: int) -> bytes:
    return b"\x08\x00\x00\x02" + at_ms.to_bytes(3) + b"\x00\x00\x00\x00ab\x00\x00\x00\x0d"


async def test_messages_that_come_together_are_taken_apart_and_get_the_streams_times() -> None:
    picture = b"\x09\x00\x00\x01\x00\x00\x08\x00\x00\x00\x00x\x00\x00\x00\x0c"
    with rtmp_peer() as peer:
        async with playing(peer) as pieces:
            peer.say(Message(AGGREGATE, sound_tag(7) + picture + sound_tag(9), 5_000, 7), 4)
            given = await anext(pieces)
            while len(given) < 2 * len(sound_tag(0)):
                given += await anext(pieces)
            assert given == sound_tag(5_000) + sound_tag(5_002)


async def test_sound_that_comes_before_the_answer_is_kept_in_whatever_pieces_it_comes() -> None:
    """Byte by byte, and the server says only much later that it plays."""
    writer = ChunkWriter()
    said = [
        Message(COMMAND, encode("_result", 1.0, {}, {})),
        Message(COMMAND, encode("onBWDone", 0.0, None, 8192.0)),
        Message(COMMAND, encode("_error", 9.0, None, {"code": "NetConnection.Call.Failed"})),
        Message(COMMAND, encode("_result", 2.0, None, 1.0)),
        Message(SOUND, b"\xaf\x00\x11\x88", 0, 1),
        Message(SOUND, b"\xaf\x01abc", 20, 1),
        Message(COMMAND, encode("onStatus", 0.0, None, {"level": "status", "code": "NetStream.Play.Start"})),
        Message(SOUND, b"\xaf\x01def", 40, 1),
    ]

    async def serve(reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        client.write(b"\x03" + bytes(3072))
        for byte in b"".join(writer.write(message, 3) for message in said):
            client.write(bytes((byte,)))
            await asyncio.sleep(0)
        with suppress(asyncio.CancelledError):
            await reader.read()
        client.close()

    async with server(serve) as port, player().open(f"rtmp://media.example:{port}/live/{KEY}") as pieces:
        given = b""
        async with asyncio.timeout(5):
            while b"def" not in given:
                given += await anext(pieces)
    assert given.startswith(FLV_HEADER)
    assert given.index(b"\xaf\x00\x11\x88") < given.index(b"abc") < given.index(b"def")


async def test_pings_are_given_back_and_what_was_read_is_said() -> None:
    with rtmp_peer() as peer:
        async with playing(peer) as pieces:
            peer.say(Message(WINDOW_SIZE, (1000).to_bytes(4)), 2)
            peer.ping(0x01020304)
            peer.say(Message(SOUND, bytes(3000), 0, 7), 4)
            await anext(pieces)
            await asyncio.to_thread(
                peer.wait, lambda: any(m.body[:2] == b"\x00\x07" for m in peer.of(USER_CONTROL))
            )
            pong = next(m for m in peer.of(USER_CONTROL) if m.body[:2] == b"\x00\x07")
            assert pong.body[2:] == b"\x01\x02\x03\x04"
            await asyncio.to_thread(peer.wait, lambda: len(peer.of(3)) > 0)
            assert int.from_bytes(peer.of(3)[0].body) >= 3000


@pytest.mark.parametrize(
    "last",
    [
        Message(USER_CONTROL, b"\x00\x01\x00\x00\x00\x07"),
        "NetStream.Play.UnpublishNotify",
        "NetStream.Play.Stop",
    ],
)
async def test_the_server_may_end_it(last: Message | str) -> None:
    with rtmp_peer() as peer:
        async with playing(peer) as pieces:
            if isinstance(last, Message):
                peer.say(last)
            else:
                peer.command("onStatus", 0.0, None, {"level": "status", "code": last}, stream=7)
            async with asyncio.timeout(2):
                assert [piece async for piece in pieces] == []


async def test_a_server_that_refuses_is_quoted_without_its_words() -> None:
    with rtmp_peer("NetStream.Play.StreamNotFound") as peer:
        assert await failure(url_of(peer)) == "the server refuses: NetStream.Play.StreamNotFound"


async def test_a_server_that_says_nothing_or_falls_silent_is_noticed() -> None:
    with rtmp_peer("") as peer:
        assert await failure(url_of(peer)) == "the server says nothing"
    with rtmp_peer() as peer:
        assert await failure(url_of(peer)) == "the server says nothing"


async def test_a_connection_that_is_lost_is_a_failure() -> None:
    with rtmp_peer() as peer:
        async with playing(peer) as pieces:
            peer.hang_up()
            with pytest.raises(RtmpFailed, match="closed the connection|reset"):
                await anext(pieces)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


def saying(words: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        with suppress(asyncio.CancelledError):
            await reader.read()
        writer.close()

    return serve


@pytest.mark.parametrize(
    "words",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(4000),
        b"\x03" + bytes(3072) + b"\xff" * 4000,
        b"\x03" + bytes(3072) + b"\x02\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x03" + bytes(3072) + b"\x03\x00\x00\x00\x00\x00\x03\x14\x00\x00\x00\x00\x02\xff\xff",
        b"\x03" + bytes(3072) + b"\x03\x00\x00\x00\xff\xff\xff\x14\x00\x00\x00\x00" + bytes(1000),
    ],
)
async def test_what_is_no_rtmp_is_told(words: bytes) -> None:
    async with server(saying(words)) as port:
        assert "does not speak RTMP" in await failure(f"rtmp://media.example:{port}/live/{KEY}")


async def test_it_goes_through_the_gate_and_fails_in_words() -> None:
    assert "127.0.0.1" not in await failure(f"rtmp://media.example/live/{KEY}", private=False)
    assert "no such host" in await failure(f"rtmp://nowhere.example/live/{KEY}")
    assert "must begin with" in await failure(f"http://media.example/live/{KEY}")
    assert await failure(f"rtmp://media.example:1/live/{KEY}") == "connection refused"


async def test_the_certificate_of_an_rtmps_server_is_verified(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    served = authority.server("media.example")
    trusting = client_context(authority.file)
    async with server(saying(b"\x03" + bytes(3072)), served) as port:
        url = f"rtmps://media.example:{port}/live/{KEY}"
        assert "certificate" in await failure(url)
        assert await failure(url, tls=trusting) == "the server says nothing"
        other = f"rtmps://other.example:{port}/live/{KEY}"
        assert "certificate" in await failure(other, tls=trusting)
