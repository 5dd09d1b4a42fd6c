"""A WebSocket that the bridge opened: an open connection that can also tell how much has arrived."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode

from bridge.runtime.ws_connection import WebSocketConnection
from bridge.runtime.ws_register import Register
from bridge.sockets import Accept, Caller

log = logging.getLogger(__name__)

MAX_MARK_BYTES = 125
MAX_MARKS = 256
"""Unanswered ones; together less than what may wait above a socket's bound."""


class DialledConnection(WebSocketConnection):
    """What `Dialled` says. The keep-alive pings are empty and marks are not, so the two are told apart."""

    def __init__(
        self,
        caller: Caller,
        max_message_bytes: int,
        protocol: ClientProtocol,
        transport: asyncio.Transport,
        beneath: asyncio.Transport | None,
        peer: str,
        register: Register,
        alive: set[Any],
    ) -> None:
        """As for any connection; `beneath` is the plain transport of a TLS one."""
        accept = Accept(caller, max_message_bytes, media=True)
        super().__init__(accept, protocol, transport, peer, register, alive, beneath)
        self._caller = caller
        self._marks: deque[bytes] = deque()

    def ask(self, mark: bytes) -> bool:
        """A ping with 1 to 125 bytes; False, and none is sent, after the end or while 256 are unanswered.

        Raises ValueError for a mark of another length.
        """
        if not 0 < len(mark) <= MAX_MARK_BYTES:
            raise ValueError(f"a mark has 1 to {MAX_MARK_BYTES} bytes")
        if self._closing or self._outgoing is None or len(self._marks) >= MAX_MARKS:
            return False
        self._marks.append(mark)
        self._protocol.send_ping(mark)
        self._pass_on()
        return True

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG:
            self._confirm(bytes(frame.data))
        else:
            super()._take(frame)

    def _confirm(self, mark: bytes) -> None:
        """RFC 6455 §5.5.3: a peer may answer only the last of several pings, so earlier marks count too."""
        if self._finished or mark not in self._marks:
            return
        while True:
            earlier = self._marks.popleft()
            try:
                self._caller.confirmed(earlier)
            except Exception:
                self._receiver_failed()
            if earlier == mark or not self._marks:
                return
