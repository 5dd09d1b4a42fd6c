"""An RTMP client that publishes one stream, without a connection: bytes in, bytes out. Pure.

FFmpeg's client is not used: its library opens, writes headers and closes while it keeps the interpreter to
itself, so that one server that does not answer would hold up everything else in the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from bridge.errors import BadInput, BridgeError
from bridge.outputs.flv import Tag
from bridge.rtmp.amf0 import Value, decode, encode
from bridge.rtmp.chunks import (
    ACKNOWLEDGEMENT,
    COMMAND,
    METADATA,
    PICTURE,
    SET_CHUNK_SIZE,
    SOUND,
    USER_CONTROL,
    WINDOW_SIZE,
    ChunkReader,
    ChunkWriter,
    Message,
)

_VERSION = 3
_HANDSHAKE_BYTES = 1536
_CHUNK_BYTES = 4096
_CONNECT, _RELEASE, _ANNOUNCE, _CREATE, _PUBLISH = 1.0, 2.0, 3.0, 4.0, 5.0
"""Transactions; a server's answer says which one it is to."""
_CONTROL_CHUNKS, _COMMAND_CHUNKS, _SOUND_CHUNKS, _PICTURE_CHUNKS = 2, 3, 4, 6
_PING, _PONG = 6, 7
_CODE = re.compile(r"Net(?:Connection|Stream)(?:\.[A-Za-z]{1,40}){1,4}")

State = Literal["shaking hands", "connecting", "creating", "asking", "publishing", "ended"]


class PublishRefused(BridgeError):
    """The server does not want the stream; the text holds the server's code, and nothing else of its own."""


@dataclass(frozen=True, slots=True)
class StreamName:
    """What a server is told of where the stream belongs."""

    application: str = field(repr=False)
    key: str = field(repr=False)

    @classmethod
    def of(cls, path: str) -> StreamName:
        """From an address's path and query: the last segment, with the query, is the key.

        A single segment is the application's, and the key is empty: so MediaMTX calls its streams.
        """
        application = path.partition("?")[0].rpartition("/")[0]
        key = path[len(application) :].removeprefix("/")
        return cls(application.lstrip("/"), key) if application else cls(key, "")


class RtmpPublisher:
    """`begin`, then `receive` whatever comes; once `publishing`, `write`; at last `end`.

    All give what is to be sent. `receive` raises PublishRefused, and BadInput for what is no RTMP.
    """

    def __init__(self, name: StreamName, address: str, nonce: bytes, window_bytes: int) -> None:
        """`address`: of the server, without a path. `nonce`: 1528 bytes that a server gives back.

        `window_bytes`: so often the server is asked to say that it has read what it was sent (§5.4.4).
        """
        self._window_bytes = window_bytes
        self._name, self._address, self._nonce = name, address, nonce
        self._reader, self._writer = ChunkReader(), ChunkWriter()
        self._greeting = b""
        self._stream = 0
        self._received = self._acknowledged = 0
        self._window = 0
        self.state: State = "shaking hands"
        self.acknowledged = 0
        """How often the peer has said that it read what it was sent."""
        self.unpublished = False
        """The server has said that the stream is over."""

    @property
    def publishing(self) -> bool:
        """The server takes sound and pictures."""
        return self.state == "publishing"

    def begin(self) -> bytes:
        """C0 and C1 (§5.2)."""
        return bytes((_VERSION,)) + bytes(8) + self._nonce

    def receive(self, piece: bytes) -> bytes:
        """What to answer."""
        answer = b""
        self._received += len(piece)
        if self.state == "shaking hands":
            self._greeting += piece
            if len(self._greeting) < 1 + 2 * _HANDSHAKE_BYTES:
                return b""
            if self._greeting[0] != _VERSION:
                raise BadInput("the peer does not speak RTMP")
            answer = self._greeting[1 : 1 + _HANDSHAKE_BYTES] + self._ask_to_connect()
            piece = self._greeting[1 + 2 * _HANDSHAKE_BYTES :]
            self._greeting = b""
            self.state = "connecting"
        for message in self._reader.feed(piece):
            answer += self._answer(message)
        if self._window and self._received - self._acknowledged >= self._window:
            self._acknowledged = self._received
            answer += self._control(ACKNOWLEDGEMENT, (self._received & 0xFFFFFFFF).to_bytes(4))
        return answer

    def write(self, tags: Iterable[tuple[Tag, int]]) -> bytes:
        """Tags, each with its time in ms."""
        chunk_streams = {SOUND: _SOUND_CHUNKS, PICTURE: _PICTURE_CHUNKS, METADATA: _SOUND_CHUNKS}
        return b"".join(
            self._writer.write(Message(tag.kind, tag.body, at_ms, self._stream), chunk_streams[tag.kind])
            for tag, at_ms in tags
        )

    def end(self) -> bytes:
        """Nothing follows."""
        self.state = "ended"
        return self._command("FCUnpublish", 6.0, None, self._name.key) + self._command(
            "deleteStream", 7.0, None, float(self._stream)
        )

    # --- what the server says ---

    def _answer(self, message: Message) -> bytes:
        if message.kind == COMMAND:
            return self._obey(message.body)
        if message.kind == ACKNOWLEDGEMENT:
            self.acknowledged += 1
        elif message.kind == WINDOW_SIZE and len(message.body) >= 4:
            self._window = int.from_bytes(message.body[:4])
        elif message.kind == USER_CONTROL and message.body[:2] == _PING.to_bytes(2):
            return self._control(USER_CONTROL, _PONG.to_bytes(2) + message.body[2:6])
        return b""

    def _obey(self, body: bytes) -> bytes:
        values = [*decode(body), None, None, None, None]
        command, transaction, told = values[0], values[1], values[3]
        match command:
            case "_result":
                return self._granted(transaction, told)
            case "_error":
                if transaction in (_CONNECT, _CREATE, _PUBLISH):
                    raise PublishRefused(f"the peer refused it{_because(told)}")
            case "onStatus":
                if isinstance(told, Mapping):
                    self._told(told)
            case "close":
                raise PublishRefused("the peer asked to be left alone")
        return b""

    def _granted(self, transaction: Value, told: Value) -> bytes:
        if transaction == _CONNECT and self.state == "connecting":
            self.state = "creating"
            answer = self._control(WINDOW_SIZE, self._window_bytes.to_bytes(4))
            answer += self._control(SET_CHUNK_SIZE, _CHUNK_BYTES.to_bytes(4))
            self._writer.chunk_bytes = _CHUNK_BYTES
            answer += self._command("releaseStream", _RELEASE, None, self._name.key)
            answer += self._command("FCPublish", _ANNOUNCE, None, self._name.key)
            return answer + self._command("createStream", _CREATE, None)
        if transaction == _CREATE and self.state == "creating":
            if not isinstance(told, float) or not 0 <= told < 1 << 32:
                raise BadInput("the peer created a stream without a number")
            self._stream = int(told)
            self.state = "asking"
            return self._command("publish", _PUBLISH, None, self._name.key, "live", stream=self._stream)
        return b""

    def _told(self, status: Mapping[str, Value]) -> None:
        code = status.get("code")
        if code == "NetStream.Publish.Start":
            if self.state == "asking":
                self.state = "publishing"
        elif code == "NetStream.Unpublish.Success":
            self.unpublished = True
        elif status.get("level") == "error":
            raise PublishRefused(f"the peer refused it{_because(status)}")

    # --- what we say ---

    def _ask_to_connect(self) -> bytes:
        return self._command(
            "connect",
            _CONNECT,
            {
                "app": self._name.application,
                "type": "nonprivate",
                "flashVer": "FMLE/3.0 (compatible; mediabridge)",
                "tcUrl": f"{self._address}/{self._name.application}",
            },
        )

    def _command(self, *values: Value, stream: int = 0) -> bytes:
        return self._writer.write(Message(COMMAND, encode(*values), 0, stream), _COMMAND_CHUNKS)

    def _control(self, kind: int, body: bytes) -> bytes:
        return self._writer.write(Message(kind, body), _CONTROL_CHUNKS)


def _because(told: Value) -> str:
    """The server's code; its words could hold the stream's key."""
    code = told.get("code") if isinstance(told, Mapping) else None
    return f": {code}" if isinstance(code, str) and _CODE.fullmatch(code) else ""
