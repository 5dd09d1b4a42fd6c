"""An RTMP server of a few lines, which does wrong what a test wants, and keeps every message."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bridge.rtmp.amf0 import decode, encode
from bridge.rtmp.chunks import (
    ACKNOWLEDGEMENT,
    COMMAND,
    PICTURE,
    SOUND,
    USER_CONTROL,
    ChunkReader,
    ChunkWriter,
    Message,
)

Answer = Callable[["RtmpPeer", list[Any]], None]


class RtmpPeer:
    """Takes one connection after another. `messages` are those of all of them; `wait` for one that fits."""

    def __init__(
        self,
        status: str = "NetStream.Publish.Start",
        *,
        reads: bool = True,
        at_once: tuple[Message, ...] = (),
    ) -> None:
        """`status`: what it says to `publish`; empty: nothing. `reads`: False, it hangs once it publishes.

        `at_once`: messages that leave in one piece with the answer to `play`.
        """
        self.status = status
        self.reads = reads
        self.at_once = at_once
        self.messages: list[Message] = []
        self.commands: list[list[Any]] = []
        self.lets_go = threading.Event()
        self._came = threading.Condition()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._connected: socket.socket | None = None
        self._writer = ChunkWriter()
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def of(self, kind: int) -> list[Message]:
        return [message for message in list(self.messages) if message.kind == kind]

    @property
    def media(self) -> list[Message]:
        return [message for message in list(self.messages) if message.kind in (SOUND, PICTURE)]

    def wait(self, holds: Callable[[], bool], within_s: float = 10.0) -> None:
        with self._came:
            assert self._came.wait_for(holds, within_s), (self.commands, len(self.messages))

    def say(self, message: Message, chunk_stream: int = 3, also: tuple[Message, ...] = ()) -> None:
        """All in one piece."""
        assert self._connected is not None
        together = [self._writer.write(one, chunk_stream) for one in (message, *also)]
        self._connected.sendall(b"".join(together))

    def command(self, *values: Any, stream: int = 0) -> None:
        self.say(Message(COMMAND, encode(*values), 0, stream))

    def ping(self, moment: int) -> None:
        self.say(Message(USER_CONTROL, (6).to_bytes(2) + moment.to_bytes(4)), 2)

    def acknowledge(self) -> None:
        self.say(Message(ACKNOWLEDGEMENT, bytes(4)), 2)

    def hang_up(self) -> None:
        """Lose the connection, and take the next one."""
        assert self._connected is not None
        self._connected.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.lets_go.set()
        self._listening.close()
        if self._connected is not None:
            self._connected.close()

    def _serve(self) -> None:
        while True:
            try:
                self._connected, _ = self._listening.accept()
                self._writer = ChunkWriter()
                self._talk(self._connected)
            except OSError:
                if self._listening.fileno() < 0:
                    return

    def _talk(self, connected: socket.socket) -> None:
        reader = ChunkReader()
        greeting = _exactly(connected, 1537)
        connected.sendall(greeting[:1] + bytes(1536) + greeting[1:])
        _exactly(connected, 1536)
        while piece := connected.recv(1 << 16):
            for message in reader.feed(piece):
                with self._came:
                    self.messages.append(message)
                    if message.kind == COMMAND:
                        self._obey(decode(message.body))
                    self._came.notify_all()

    def _obey(self, said: list[Any]) -> None:
        self.commands.append(said)
        match said[0]:
            case "connect":
                self.command("_result", said[1], {"fmsVer": "x"}, {"code": "NetConnection.Connect.Success"})
            case "createStream":
                self.command("_result", said[1], None, 7.0)
            case "publish" if self.status:
                level = "status" if self.status == "NetStream.Publish.Start" else "error"
                told = {"level": level, "code": self.status, "description": f"about {said[3]}"}
                self.command("onStatus", 0.0, None, told, stream=7)
                if not self.reads:
                    self.lets_go.wait(30)
            case "play" if self.status:
                code = self.status if "Play" in self.status else "NetStream.Play.Start"
                level = "status" if code == "NetStream.Play.Start" else "error"
                told = {"level": level, "code": code, "description": f"about {said[3]}"}
                answer = Message(COMMAND, encode("onStatus", 0.0, None, told), 0, 7)
                self.say(answer, also=self.at_once)
            case "play" if self.at_once:
                self.say(*self.at_once[:1], also=self.at_once[1:])
            case "deleteStream":
                told = {"level": "status", "code": "NetStream.Unpublish.Success"}
                self.command("onStatus", 0.0, None, told, stream=7)


def _exactly(connected: socket.socket, count: int) -> bytes:
    held = b""
    while len(held) < count:
        piece = connected.recv(count - len(held))
        if not piece:
            raise ConnectionResetError
        held += piece
    return held


@contextmanager
def rtmp_peer(
    status: str = "NetStream.Publish.Start", *, reads: bool = True, at_once: tuple[Message, ...] = ()
) -> Iterator[RtmpPeer]:
    peer = RtmpPeer(status, reads=reads, at_once=at_once)
    try:
        yield peer
    finally:
        peer.close()
