"""What an open WebSocket has still to send: a bounded queue in front of the transport."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import sys
import termios
from collections import deque

MEDIA_HIGH_WATER_BYTES = 2 * 1024
CONTROL_BYTES = 64 * 1024
"""What pings, their answers and the close frame may take above the bound: it is the peer's frames that are
bounded by it, and a peer that is merely slow must not be dropped for a ping."""


class Outgoing:
    """Frames on their way out. Small transport buffers keep the backlog where it can be seen and bounded.

    While the transport says that it has enough (`pause`), frames wait here; `resume` passes them on.
    """

    __slots__ = ("_beneath", "_bound", "_ended", "_fd", "_paused", "_queue", "_queued", "_transport")

    def __init__(
        self,
        transport: asyncio.Transport,
        bound: int,
        sndbuf_bytes: int | None = None,
        beneath: asyncio.Transport | None = None,
    ) -> None:
        """`bound`: bytes that may wait here. With `sndbuf_bytes` the kernel's and the transports' buffers are
        made small, so that what waits can be seen here.

        `beneath`: the plain transport below a TLS one, which has a buffer of its own.
        """
        self._transport = transport
        self._beneath = beneath
        self._bound = bound
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._paused = False
        self._ended = False
        connection = transport.get_extra_info("socket")
        self._fd = connection.fileno() if connection is not None else -1
        if sndbuf_bytes is not None:
            transport.set_write_buffer_limits(high=MEDIA_HIGH_WATER_BYTES)
            if beneath is not None:
                beneath.set_write_buffer_limits(high=MEDIA_HIGH_WATER_BYTES)
            if connection is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf_bytes)

    @property
    def unsent_bytes(self) -> int:
        """Queue + transports' buffers + what the kernel holds and the peer has not acknowledged."""
        buffered = self._transport.get_write_buffer_size()
        if self._beneath is not None:
            buffered += self._beneath.get_write_buffer_size()
        return self._queued + buffered + _in_kernel(self._fd)

    @property
    def overfull(self) -> bool:
        """Far more than the bound waits, which only frames that had to be queued can bring about."""
        return self._queued > self._bound + CONTROL_BYTES

    def offer(self, frame: bytes) -> bool:
        """Send a frame; False, and nothing is sent, when the bound is reached."""
        if not self._paused:
            self._transport.write(frame)
            return True
        if self._queued + len(frame) > self._bound:
            return False
        self.force(frame)
        return True

    def force(self, frame: bytes) -> None:
        """Send or queue a frame whatever the bound says (control frames: see `overfull`)."""
        if self._paused:
            self._queue.append(frame)
            self._queued += len(frame)
        else:
            self._transport.write(frame)

    def end(self) -> None:
        """Nothing more follows: close our half once everything has been passed on."""
        self._ended = True
        if not self._queue:
            self._end_now()

    def pause(self) -> None:
        """The transport has enough."""
        self._paused = True

    def resume(self) -> None:
        """The transport takes more."""
        self._paused = False
        while self._queue and not self._paused:
            frame = self._queue.popleft()
            self._queued -= len(frame)
            self._transport.write(frame)
        if self._ended and not self._queue:
            self._end_now()

    def _end_now(self) -> None:
        if self._transport.is_closing():
            return
        # Closing outright with input unread would reset the connection, and the peer might lose the close
        # frame that tells it why; so only our half is closed where that is possible (not within TLS).
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()


def _in_kernel(fd: int) -> int:
    """Bytes in the socket's send queue (SIOCOUTQ, which is TIOCOUTQ by another name); 0 where unknown."""
    if fd < 0:
        return 0
    try:
        answer = fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0\0\0\0")
    except OSError:
        return 0
    return int.from_bytes(answer, sys.byteorder)
