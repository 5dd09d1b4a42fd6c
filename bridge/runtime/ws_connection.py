"""An open WebSocket: what lies between a transport and a receiver once the handshake is answered.

No task and no queue lies between a frame read and `Receiver.received`. The rules of WebSockets are
`websockets`' Sans-I/O protocol; here are its timers, its bounds and its way to the transport.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from websockets.exceptions import ProtocolError
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Protocol, Side, State

from bridge.runtime.ws_frames import (
    masked_text_frame,
    text_frame,
    unmasked_wire_size,
    whole_text,
    whole_unmasked_text,
    wire_size,
)
from bridge.runtime.ws_outgoing import Outgoing
from bridge.runtime.ws_register import Register
from bridge.sockets import Accept

log = logging.getLogger(__name__)


class WebSocketConnection(asyncio.Protocol):
    """The transport's protocol from the handshake's answer on, and the `Socket` its receiver gets.

    Either end: a client masks what it writes, and reads what is not masked (RFC 6455 §5.1).
    """

    def __init__(
        self,
        accept: Accept,
        protocol: Protocol,
        transport: asyncio.Transport,
        peer: str,
        register: Register,
        alive: set[Any],
        beneath: asyncio.Transport | None = None,
    ) -> None:
        """`protocol` has answered the handshake; what it wants sent is sent by `open`.

        The connection is in `alive` until its transport is gone. `beneath` is the plain transport that a TLS
        one writes to, where it is known.
        """
        serves = protocol.side is Side.SERVER
        self._frame = text_frame if serves else masked_text_frame
        self._whole = whole_text if serves else whole_unmasked_text
        self._wire_size = wire_size if serves else unmasked_wire_size
        self._receiver = accept.receiver
        self._protocol = protocol
        self._transport = transport
        self._peer = peer
        self._register = register
        self._settings = register.settings
        self._counters = register.counters
        self._alive = alive
        self._outgoing: Outgoing | None = (
            Outgoing(transport, self._settings.media_queue_bytes, self._settings.media_sndbuf_bytes, beneath)
            if accept.media
            else Outgoing(transport, self._settings.queue_bytes, beneath=beneath)
        )
        self._limit = protocol.max_message_size = accept.max_message_bytes
        self._unparsed = 0
        """Bytes given to the protocol that no frame has come out of yet; 0 at the border of two frames."""
        self._message = bytearray()
        self._message_is_text = False
        self._closing = False
        """A close frame was sent or received: messages are neither sent nor delivered any more."""
        self._finished = False
        self._heard = False
        self._loop = asyncio.get_running_loop()
        self._ping_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None

    def open(self, held: bytes) -> None:
        """Send the handshake's answer and begin; `held` is what the peer sent before it had the answer."""
        self._alive.add(self)
        self._register.open.add(self)
        self._counters.opened += 1
        self._transport.set_protocol(self)
        self._pass_on()
        self._ping_timer = self._loop.call_later(self._settings.ping_interval_s, self._ping)
        try:
            self._receiver.opened(self)
        except Exception:
            self._receiver_failed()
        if held:
            self.data_received(held)

    # --- Socket ---

    @property
    def peer(self) -> str:
        """The client's address, trusted proxies looked through."""
        return self._peer

    @property
    def unsent_bytes(self) -> int:
        """Own queue + transport buffer + what the kernel has not sent yet; 0 after the end."""
        return self._outgoing.unsent_bytes if self._outgoing is not None else 0

    def send_text(self, text: bytes) -> bool:
        """Send UTF-8 text; False, and nothing is sent, when its bound is reached or after the end."""
        if self._closing or self._outgoing is None:
            return False
        if self._outgoing.offer(self._frame(text)):
            self._counters.messages_out += 1
            return True
        self._counters.full += 1
        return False

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Begin the closing handshake. Codes that may not be sent become 1011; long reasons are cut."""
        if self._closing:
            return
        self._closing = True
        try:
            self._protocol.send_close(code, _cut(reason))
        except ProtocolError:
            self._protocol.send_close(CloseCode.INTERNAL_ERROR)
        self._pass_on()
        self._abort_in(self._settings.close_timeout_s)

    # --- asyncio.Protocol ---

    def data_received(self, received: bytes) -> None:
        """Whatever the peer sends."""
        self._heard = True
        protocol = self._protocol
        if not (self._unparsed or self._closing) and protocol.current_size is None:
            text = self._whole(received, self._limit)
            if text is not None:
                self._deliver(text, is_text=True)
                return
        self._unparsed += len(received)
        protocol.receive_data(received)
        for event in protocol.events_received():
            if isinstance(event, Frame):
                self._unparsed -= self._wire_size(event)
                self._take(event)
        failed = protocol.close_sent if protocol.parser_exc is not None else None
        if failed is not None and not self._finished:
            self._violated(failed.code, failed.reason)
        self._pass_on()

    def eof_received(self) -> None:
        """The peer sends nothing more; asyncio then closes the connection."""
        self._protocol.receive_eof()

    def pause_writing(self) -> None:
        """The transport's buffer is above its high-water mark."""
        if self._outgoing is not None:
            self._outgoing.pause()

    def resume_writing(self) -> None:
        """The transport's buffer is below its low-water mark again."""
        if self._outgoing is not None:
            self._outgoing.resume()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone, in whatever way."""
        self._alive.discard(self)
        for timer in (self._ping_timer, self._close_timer):
            if timer is not None:
                timer.cancel()
        self._outgoing = None  # its file descriptor may soon be another connection's
        self._finish(CloseCode.ABNORMAL_CLOSURE, "")

    def shutdown(self) -> None:
        """Called by uvicorn at its own shutdown, which waits until the connection is gone."""
        self.close(CloseCode.SERVICE_RESTART, "the server restarts")

    # --- inside ---

    def _take(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.CLOSE:
                received = self._protocol.close_rcvd
                if received is not None:
                    self._finish(received.code, received.reason)
                self._abort_in(self._settings.close_timeout_s)
            case Opcode.TEXT | Opcode.BINARY | Opcode.CONT:
                if frame.opcode is not Opcode.CONT:
                    self._message_is_text = frame.opcode is Opcode.TEXT
                self._message += frame.data
                if frame.fin:
                    message = bytes(self._message)
                    self._message = bytearray()
                    self._deliver(message, self._message_is_text)

    def _deliver(self, message: bytes, is_text: bool) -> None:
        if self._closing:
            return
        if is_text and not message.isascii() and not _is_utf8(message):
            reason = "a text message is not UTF-8"
            self._protocol.fail(CloseCode.INVALID_DATA, reason)
            self._violated(CloseCode.INVALID_DATA, reason)
            self._pass_on()
            return
        self._counters.messages_in += 1
        try:
            self._receiver.received(message, is_text)
        except Exception:
            self._receiver_failed()

    def _violated(self, code: int, reason: str) -> None:
        self._counters.violations += 1
        log.info("x a peer broke the rules of WebSockets: %d %s", code, reason)
        self._finish(code, reason)
        self._abort_in(self._settings.close_timeout_s)

    def _receiver_failed(self) -> None:
        self._counters.receiver_failures += 1
        log.exception("x a receiver failed; its socket is closed")
        self.close(CloseCode.INTERNAL_ERROR, "internal error")

    def _finish(self, code: int, reason: str) -> None:
        """Tell the receiver, once, that it is over."""
        self._closing = True
        self._register.open.discard(self)
        if self._finished:
            return
        self._finished = True
        try:
            self._receiver.closed(int(code), reason)
        except Exception:
            self._counters.receiver_failures += 1
            log.exception("x a receiver failed at its end")

    def _pass_on(self) -> None:
        """Hand what the protocol wants to send to the transport."""
        outgoing = self._outgoing
        pieces = self._protocol.data_to_send()
        if outgoing is None:
            return
        for piece in pieces:
            if piece:
                outgoing.force(piece)
            else:
                outgoing.end()
        if outgoing.overfull:  # it makes us answer pings and reads none of the answers
            self._transport.abort()

    def _ping(self) -> None:
        if self._protocol.state is State.OPEN:
            self._heard = False
            self._protocol.send_ping(b"")
            self._pass_on()
            self._ping_timer = self._loop.call_later(self._settings.ping_timeout_s, self._check_heard)

    def _check_heard(self) -> None:
        if self._heard:
            pause = self._settings.ping_interval_s - self._settings.ping_timeout_s
            self._ping_timer = self._loop.call_later(max(pause, 0.0), self._ping)
        else:
            self._counters.dead += 1
            self._transport.abort()

    def _abort_in(self, seconds: float) -> None:
        if self._close_timer is None:
            self._close_timer = self._loop.call_later(seconds, self._transport.abort)


def _cut(reason: str) -> str:
    """At most 123 bytes of UTF-8: a control frame holds 125, two of them are the code (RFC 6455 §5.5)."""
    return reason.encode("utf-8", "replace")[:123].decode(errors="ignore")


def _is_utf8(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True
