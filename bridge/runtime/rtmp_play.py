"""Plays an RTMP or RTMPS stream from a server: gives its sound as FLV, in the order in which it comes.

The whole client is here, in the server: whoever decodes what comes needs neither the address nor the key, nor
a network. It asks the egress gate, verifies TLS, and notices a server that falls silent. Digests in the
handshake, which only servers of the Flash age demanded, are not computed.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from bridge.egress.gate import EgressGate
from bridge.errors import BadInput, NoSuchHost, RtmpFailed
from bridge.rtmp.amf0 import Value, decode, encode
from bridge.rtmp.chunks import (
    ACKNOWLEDGEMENT,
    AGGREGATE,
    COMMAND,
    COMMAND_3,
    METADATA,
    PICTURE,
    SOUND,
    USER_CONTROL,
    WINDOW_SIZE,
    ChunkReader,
    ChunkWriter,
    Message,
)
from bridge.runtime.connect_out import ConnectFailed, connect_to, os_failure
from bridge.runtime.tls_out import tls_failure

SCHEMES = ("rtmp", "rtmps")
FLV_HEADER = b"FLV\x01\x04\x00\x00\x00\x09\x00\x00\x00\x00"
"""Of sound only (Adobe's FLV specification 10.1, §E.2)."""
_RANDOM_BYTES = 1528
_READ_BYTES = 1 << 16
_CONTROL, _CALLS, _PLAY = 2, 3, 8
"""Chunk streams, as other clients number them."""
_CODE = re.compile(r"[\w.]{1,64}")
_ENDS = ("NetStream.Play.Stop", "NetStream.Play.Complete", "NetStream.Play.UnpublishNotify")


@dataclass(frozen=True, slots=True)
class PlayPatience:
    """In seconds."""

    connected_s: float = 10.0
    """Until name, TCP and TLS are through."""
    answered_s: float = 10.0
    """Until the server plays."""
    silent_s: float = 20.0
    """Nothing comes at all."""


@dataclass(frozen=True, slots=True)
class PlayAddress:
    """A URL taken apart as players do: at most two parts of the path are the application's name.

    A path of one part is the application's, and the stream has no name: so MediaMTX calls its streams.
    """

    application: str = field(repr=False)
    stream: str = field(repr=False)
    tc_url: str = field(repr=False)


def play_address(scheme: str, authority: str, path_and_query: str) -> PlayAddress:
    """Raises RtmpFailed when no stream is named."""
    path, mark, query = path_and_query.lstrip("/").partition("?")
    parts = path.split("/")
    depth = 2 if len(parts) > 2 else 1
    application, stream = "/".join(parts[:depth]), "/".join(parts[depth:])
    if len(parts) == 1 and application:
        application += mark + query
    elif not stream:
        raise RtmpFailed("the address names no stream: rtmp://host/application/stream")
    else:
        stream += mark + query
    return PlayAddress(application, stream, f"{scheme}://{authority}/{application}")


class RtmpPlayer:
    """One for the process."""

    def __init__(self, gate: EgressGate, tls: ssl.SSLContext, patience: PlayPatience | None = None) -> None:
        self._gate = gate
        self._tls = tls
        self._patience = patience or PlayPatience()

    @asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """FLV, piece by piece, until the server ends the stream. Raises EgressRefused, RtmpFailed."""
        reader, writer, address = await self._connect(url)
        try:
            async with aclosing(_Playing(reader, writer, address, self._patience).pieces()) as pieces:
                yield pieces
        finally:
            writer.transport.abort()

    async def _connect(self, url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, PlayAddress]:
        deadline = asyncio.get_running_loop().time() + self._patience.connected_s
        try:
            async with asyncio.timeout_at(deadline):
                destination = await self._gate.resolve(url, SCHEMES)
                address = play_address(destination.scheme, destination.authority, destination.path_and_query)
                connected = await connect_to(destination.addresses, destination.port, deadline)
                tls = self._tls if destination.secure else None
                try:
                    reader, writer = await asyncio.open_connection(
                        sock=connected, ssl=tls, server_hostname=destination.host if tls else None
                    )
                except BaseException:
                    connected.close()
                    raise
                return reader, writer, address
        except TimeoutError:
            raise RtmpFailed("connecting took too long") from None
        except ssl.SSLError as error:
            raise RtmpFailed(tls_failure(error)) from None
        except (ConnectFailed, NoSuchHost) as error:
            raise RtmpFailed(str(error)) from None
        except OSError as error:
            raise RtmpFailed(os_failure(error)) from None


class _Playing:
    """One connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        address: PlayAddress,
        patience: PlayPatience,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._address = address
        self._patience = patience
        self._chunks = ChunkReader(passed_over=(PICTURE, METADATA))
        self._writing = ChunkWriter()
        self._read = 0
        self._acknowledged = 0
        self._window = 0
        self._plays = False
        self._ended = False

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Raises RtmpFailed."""
        try:
            async with asyncio.timeout(self._patience.answered_s) as answer:
                await self._shake_hands()
                self._call("connect", 1, self._client())
                first = b""
                while not self._plays:
                    first += await self._next()
                answer.reschedule(None)
            yield FLV_HEADER + first  # what came with the answer: often how the sound is coded
            while not self._ended:
                async with asyncio.timeout(self._patience.silent_s):
                    sound = await self._next()
                if sound:
                    yield sound
        except TimeoutError:
            raise RtmpFailed("the server says nothing") from None
        except asyncio.IncompleteReadError:
            raise RtmpFailed("the server closed the connection") from None
        except BadInput as wrong:
            raise RtmpFailed(f"the server does not speak RTMP: {wrong}") from None
        except ssl.SSLError as error:
            raise RtmpFailed(tls_failure(error)) from None
        except OSError as error:
            raise RtmpFailed(os_failure(error)) from None

    # --- inside ---

    async def _shake_hands(self) -> None:
        """§5.2: version and random bytes to and fro, which both sides echo."""
        self._writer.write(b"\x03" + bytes(8) + os.urandom(_RANDOM_BYTES))
        version = await self._reader.readexactly(1)
        if version != b"\x03":
            raise RtmpFailed("the server does not speak RTMP")
        self._writer.write(await self._reader.readexactly(8 + _RANDOM_BYTES))
        await self._reader.readexactly(8 + _RANDOM_BYTES)

    def _client(self) -> Value:
        """§7.2.1.1; the numbers say that every codec is welcome."""
        return {
            "app": self._address.application,
            "flashVer": "LNX 9,0,124,2",
            "tcUrl": self._address.tc_url,
            "fpad": False,
            "capabilities": 15,
            "audioCodecs": 4071,
            "videoCodecs": 252,
            "videoFunction": 1,
        }

    async def _next(self) -> bytes:
        """Read once; gives the sound in it."""
        piece = await self._reader.read(_READ_BYTES)
        if not piece:
            raise RtmpFailed("the server closed the connection")
        self._read += len(piece)
        sound = b"".join([self._take(message) for message in self._chunks.feed(piece)])
        if self._window and self._read - self._acknowledged >= self._window // 2:
            self._acknowledged = self._read
            self._control(ACKNOWLEDGEMENT, (self._read & 0xFFFFFFFF).to_bytes(4))
        await self._writer.drain()
        return sound

    def _take(self, message: Message) -> bytes:
        match message.kind:
            case kind if kind in (SOUND, AGGREGATE):
                self._plays = True  # some servers do not say so
                if kind == SOUND:
                    return _tag(message.at_ms, message.body)
                return b"".join(_aggregated(message.at_ms, message.body))
            case kind if kind == WINDOW_SIZE:
                self._window = int.from_bytes(message.body[:4])
            case kind if kind == USER_CONTROL:
                self._controlled(message.body)
            case kind if kind == COMMAND:
                self._answered(decode(message.body))
            case kind if kind == COMMAND_3:  # AMF0 behind a byte that says so
                self._answered(decode(message.body[1:]))
        return b""

    def _controlled(self, payload: bytes) -> None:
        """§7.1.7: the end of a stream, and pings, which are given back."""
        event = int.from_bytes(payload[:2])
        if event == 1 and self._plays:
            self._ended = True
        elif event == 6:
            self._control(USER_CONTROL, b"\x00\x07" + payload[2:6])

    def _answered(self, answer: list[Value]) -> None:
        values: list[Value] = [*answer, None, None]
        name, number, *rest = values
        if name == "_result" and number == 1:
            self._control(WINDOW_SIZE, (2_500_000).to_bytes(4))
            self._call("createStream", 2, None)
        elif name == "_result" and number == 2:
            stream = rest[1] if len(rest) > 1 else None
            if not isinstance(stream, float) or not 0 <= stream < 1 << 32:
                raise RtmpFailed("the server gives no stream")
            self._play(int(stream))
        elif name == "_error" and number in (1, 2, 3):
            raise RtmpFailed(f"the server refuses{_code(rest)}")
        elif name == "onStatus":
            self._status(rest)
        elif name == "close":
            raise RtmpFailed("the server refuses")

    def _play(self, stream: int) -> None:
        """§7.2.2.1: what is live, else what is recorded (-2, in milliseconds here as everywhere)."""
        self._call("play", 3, None, self._address.stream, -2000, chunk_stream=_PLAY, stream_id=stream)
        self._control(USER_CONTROL, b"\x00\x03" + stream.to_bytes(4) + (300).to_bytes(4))

    def _status(self, rest: list[Value]) -> None:
        told = next((one for one in rest if isinstance(one, dict)), {})
        code, level = told.get("code"), told.get("level")
        if code == "NetStream.Play.Start":
            self._plays = True
        elif code in _ENDS:
            self._ended = True
        elif level == "error":
            raise RtmpFailed(f"the server refuses{_code(rest)}")

    def _call(
        self, name: str, number: int, *values: Value, chunk_stream: int = _CALLS, stream_id: int = 0
    ) -> None:
        message = Message(COMMAND, encode(name, number, *values), 0, stream_id)
        self._writer.write(self._writing.write(message, chunk_stream))

    def _control(self, kind: int, payload: bytes) -> None:
        self._writer.write(self._writing.write(Message(kind, payload), _CONTROL))


def _tag(timestamp_ms: int, payload: bytes) -> bytes:
    """A FLV tag of sound (§E.4.1): the timestamp's high byte comes last."""
    stamp = (timestamp_ms & 0xFFFFFF).to_bytes(3) + bytes([timestamp_ms >> 24 & 0xFF])
    head = b"\x08" + len(payload).to_bytes(3) + stamp + b"\x00\x00\x00"
    return head + payload + (len(head) + len(payload)).to_bytes(4)


def _aggregated(at_ms: int, payload: bytes) -> list[bytes]:
    """The sound of several messages in one (§7.1.6), laid out as FLV tags; the first is at `at_ms`."""
    found = []
    at, first_ms = 0, None
    while at + 11 <= len(payload):
        end = at + 11 + int.from_bytes(payload[at + 1 : at + 4]) + 4
        stamp_ms = int.from_bytes(payload[at + 4 : at + 7]) | payload[at + 7] << 24
        first_ms = stamp_ms if first_ms is None else first_ms
        if payload[at] == SOUND and end <= len(payload):
            found.append(_tag((at_ms + stamp_ms - first_ms) & 0xFFFFFFFF, payload[at + 11 : end - 4]))
        at = end
    return found


def _code(rest: list[Value]) -> str:
    """What a server calls its refusal, for people; never its description, which may repeat the key."""
    told = next((one for one in rest if isinstance(one, dict)), {})
    code = told.get("code")
    return f": {code}" if isinstance(code, str) and _CODE.fullmatch(code) else ""
