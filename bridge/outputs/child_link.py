"""A child process's end of its link to the server. Blocking; for one thread, but for `send` and `breathe`."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import deque

from bridge.errors import BridgeError
from bridge.outputs.child_frames import FrameCutter, FrameKind, head

_READ = 1 << 18


class LinkEnded(BridgeError):
    """The server asks the child to end, or is gone. What was sent before has been received by then."""


class ChildLink:
    """Messages from and to the server.

    A job that has something to finish catches `LinkEnded`, finishes, and returns; others let it pass, which
    ends them in good order. `receive` must be called again and again, or `breathe` where a piece of work
    takes longer than a few seconds: of whom nothing is heard is taken to hang, and killed.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._cutter = FrameCutter()
        self._received: deque[bytes] = deque()
        self._ended = False
        self._sending = threading.Lock()

    def receive(self, timeout_s: float | None = None) -> bytes | None:
        """The next message; None when none came in time (0: only look). Raises LinkEnded after the last."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            self._take_in(0.0 if self._received else until_then(until))
            if self._received:
                return self._received.popleft()
            if self._ended:
                raise LinkEnded("the link to the server has ended")
            if until is not None and time.monotonic() >= until:
                return None

    def send(self, message: bytes) -> None:
        """Blocks while the server does not take it. Raises LinkEnded when it is gone."""
        self._send(FrameKind.MESSAGE, message)

    def breathe(self) -> None:
        """Say that we are alive, in the middle of a long piece of work."""
        self._send(FrameKind.PONG, b"")

    def fileno(self) -> int:
        """To wait for messages beside other things; `receive(0)` then takes them."""
        return self._socket.fileno()

    def hello(self) -> bytes:
        """What the server says first. Raises LinkEnded."""
        while not self._received:
            if self._ended:
                raise LinkEnded("the server is gone")
            self._take_in(None)
        return self._received.popleft()

    def _take_in(self, timeout_s: float | None) -> None:
        if self._ended or not readable(self._socket, timeout_s):
            return
        try:
            received = self._socket.recv(_READ)
        except ConnectionError:
            received = b""
        if not received:
            self._ended = True
        for kind, payload in self._cutter.feed(received):
            if kind is FrameKind.PING:
                self.breathe()
            elif kind is not FrameKind.PONG:
                self._received.append(payload)

    def _send(self, kind: FrameKind, payload: bytes) -> None:
        try:
            with self._sending:
                self._socket.sendall(head(kind, len(payload)) + payload)
        except (BrokenPipeError, ConnectionError) as gone:
            raise LinkEnded("the server is gone") from gone


def until_then(until: float | None) -> float | None:
    """Seconds from now; None is for ever."""
    return None if until is None else max(0.0, until - time.monotonic())


def readable(sock: socket.socket, timeout_s: float | None) -> bool:
    """Whether there is something to read, within that time."""
    poll = select.poll()  # select() cannot take descriptors above 1023
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))
