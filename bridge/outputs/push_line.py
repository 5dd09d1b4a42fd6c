"""One RTMP connection to a port of this machine, on a thread of its own: whoever codes never waits for it."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bridge.errors import BadInput
from bridge.outputs.flv import Tag
from bridge.outputs.media_units import CLOCK_HZ
from bridge.outputs.rtmp_publish import PublishRefused, RtmpPublisher, StreamName
from bridge.outputs.tag_queue import TagQueue

_SEND_BUFFER_BYTES = 1 << 15
"""Small: what lies in it is late when the peer does not read, and was counted as sent."""
_PIECE_BYTES = 1 << 16
_NONCE_BYTES = 1528


@dataclass(frozen=True, slots=True)
class LineLimits:
    """Seconds."""

    connected_s: float = 5.0
    """Until the server's relay, on this machine, has taken the connection."""
    accepted_s: float = 20.0
    """Until the peer takes the stream, from the beginning."""
    finished_s: float = 3.0
    """For what waits, once the end was ordered."""
    unpublished_s: float = 1.0
    """Until the peer has said that the stream is over, when it was told so."""
    stalled_s: float = 10.0
    """Without a word of a peer that used to say what it has read."""


class PushLine:
    """`start`, then put into its queue; `finish` at last. `ended` is called once, on the line's thread."""

    def __init__(
        self,
        port: int,
        path: str,
        base: int | None,
        queue: TagQueue,
        *,
        window_bytes: int,
        publishing: Callable[[int], None],
        ended: Callable[[str], None],
        limits: LineLimits | None = None,
    ) -> None:
        """`base`: the time that is the stream's 0; None: that of the first frame.

        `window_bytes`: after so much the peer is to say that it has read it.
        `publishing` is told it when the first frames are sent. `ended` is told why: empty when it was
        ordered, or when the connection ended and nobody said why.
        """
        self.sent_bytes = 0
        self._port, self._queue, self._base = port, queue, base
        self._publisher = RtmpPublisher(
            StreamName.of(path), f"rtmp://127.0.0.1:{port}", os.urandom(_NONCE_BYTES), window_bytes
        )
        self._window_bytes = window_bytes
        self._publishing, self._ended = publishing, ended
        self._limits = limits or LineLimits()
        self._finish_until: float | None = None
        self._unpublish_until: float | None = None
        self._sending = self._told = False
        self._sent_when_read = 0
        self._read_at = 0.0
        self._read_steps: deque[int] = deque(maxlen=3)
        self._out = memoryview(b"")
        self._wake = -1
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="push line", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread.start()

    def wake(self) -> None:
        """Something was put into the queue."""
        with self._closing:
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    def finish(self) -> None:
        """Send what waits, say that it was all, and end; it does not take long. Returns at once."""
        self._finish_until = time.monotonic() + self._limits.finished_s
        self.wake()

    @property
    def unread_s(self) -> float:
        """How long the peer has not said that it reads what it is sent; 0 when it does, or never did.

        Buffers of both systems take half a minute of sound from a peer that hangs, and say nothing.
        """
        steps = [*self._read_steps]
        if not steps or self.sent_bytes - self._sent_when_read < 2 * max(self._window_bytes, *steps):
            return 0.0
        return time.monotonic() - self._read_at

    def join(self, within_s: float) -> bool:
        """Wait until it has ended; False when it has not by then."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    # --- on the line's thread ---

    def _run(self) -> None:
        why = ""
        connected: socket.socket | None = None
        try:
            connected = socket.create_connection(("127.0.0.1", self._port), self._limits.connected_s)
            self._carry(connected)
        except (PublishRefused, BadInput) as refused:
            why = str(refused)
        except (ConnectionError, _Ended):
            pass  # the server knows why
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else "the connection broke"
        except Exception as error:  # at the thread's edge; its text could quote what is secret
            why = f"the stream could not be sent ({type(error).__name__})"
        finally:
            if connected is not None:
                connected.close()
            with self._closing:
                os.close(self._wake)
                self._wake = -1
            self._ended(why)

    def _carry(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        accept_until = time.monotonic() + self._limits.accepted_s
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        self._send(self._publisher.begin())
        while not self._over():
            poll.register(connected, select.POLLIN | (select.POLLOUT if self._out else 0))
            happened = dict(poll.poll(self._patience_s(accept_until) * 1000))
            if self._wake in happened:
                os.eventfd_read(self._wake)
            if happened.get(connected.fileno(), 0) & ~select.POLLOUT:
                self._receive(connected)
            if self._out:
                try:
                    sent = connected.send(self._out)
                except BlockingIOError:
                    sent = 0
                self.sent_bytes += sent
                self._out = self._out[sent:]
            if self.unread_s >= self._limits.stalled_s:
                raise PublishRefused("the peer does not read what it is sent")
            if self._publisher.publishing and not self._out:
                self._go_on()
            elif self._waits_to_be_taken and time.monotonic() >= accept_until:
                raise PublishRefused(
                    f"the peer did not take the stream within {self._limits.accepted_s:.0f} s"
                )

    def _receive(self, connected: socket.socket) -> None:
        try:
            piece = connected.recv(_PIECE_BYTES)
        except BlockingIOError:
            return
        if not piece:
            raise _Ended
        publishing, read = self._publisher.publishing, self._publisher.acknowledged
        self._send(self._publisher.receive(piece))
        if self._publisher.publishing and not publishing:
            self._queue.open()
        if self._publisher.acknowledged != read:
            self._read_steps.append(self.sent_bytes - self._sent_when_read)
            self._sent_when_read, self._read_at = self.sent_bytes, time.monotonic()

    def _go_on(self) -> None:
        """All that was to be sent is sent."""
        if self._base is not None and self._sending and not self._told:
            self._told = True
            self._publishing(self._base)
        tags = self._queue.take(_PIECE_BYTES)
        if tags:
            self._sending = True
            if self._base is None:
                self._base = tags[0].at
            self._send(self._publisher.write((tag, self._ms(tag)) for tag in tags))
        elif self._finish_until is not None:
            self._send(self._publisher.end())
            self._unpublish_until = time.monotonic() + self._limits.unpublished_s

    def _over(self) -> bool:
        now = time.monotonic()
        if self._finish_until is None:
            return False
        if now >= self._finish_until or self._waits_to_be_taken:
            return True
        if self._unpublish_until is None or self._out:
            return False
        return self._publisher.unpublished or now >= self._unpublish_until

    @property
    def _waits_to_be_taken(self) -> bool:
        return self._publisher.state not in ("publishing", "ended")

    def _patience_s(self, accept_until: float) -> float:
        """Until something is to be done, whatever comes."""
        moments = (
            self._finish_until,
            self._unpublish_until,
            accept_until if self._waits_to_be_taken else None,
        )
        now = time.monotonic()
        return max(0.0, min(moment for moment in (now + 1.0, *moments) if moment is not None) - now)

    def _ms(self, tag: Tag) -> int:
        assert self._base is not None
        return max(0, round((tag.at - self._base) * 1000 / CLOCK_HZ))

    def _send(self, more: bytes) -> None:
        if more:
            self._out = memoryview(bytes(self._out) + more)


class _Ended(Exception):
    """The connection has."""
