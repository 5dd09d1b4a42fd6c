"""Connects a simulated call to the service, and says plainly why that failed."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain
from typing import Any, cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State
from websockets.speedups import apply_mask

from bridge.errors import BridgeError
from bridge.harness.frame_splitter import FrameSplitter

OPEN_TIMEOUT_S = 10.0
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
MAX_UNSENT_BYTES = 2 * 1024 * 1024
"""What a service that does not read may leave waiting: some 40 s of L16 at 16 kHz, as the vendor keeps."""

GOODBYE_S = 0.5
"""So long is waited for a service that does not take the end of the call."""

Take = Callable[[bytes, bool], None]
"""Gets each message when it arrives, and whether it is text."""
_HEAD_16 = struct.Struct("!BBH").pack
_FIN_TEXT = 0x81
_MASKED = 0x80
_MASKS_BYTES = 4_096
_MASKS = struct.Struct("4s" * (_MASKS_BYTES // 4)).unpack
_END_OF_HEAD = b"\r\n\r\n"


class CallFailed(BridgeError):
    """The call did not come about; `status` is the service's HTTP answer, where there was one."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class CallConnection(ClientConnection):
    """A WebSocket on which nobody waits: a message is taken when it arrives, and sent or dropped at once.

    Without `take` messages are received as on any other. A frame costs a third of what it does with a queue
    and a task between, and its time of arrival is the true one.
    """

    def __init__(self, protocol: ClientProtocol, *, take: Take | None = None, **options: Any) -> None:
        super().__init__(protocol, **options)
        self._take = take
        self._splitter = FrameSplitter(take or _nobody, self._not_usual)
        self._head_end = b""
        """The last bytes of the answer to the handshake."""
        self._pieces: list[bytes] = []
        self._is_text = True
        self._goodbye: asyncio.TimerHandle | None = None

    def say(self, message: bytes, *, binary: bool = False) -> bool:
        """Send UTF-8 text; False, and nothing is sent, when too much is waiting or the end has come."""
        transport = self.transport
        if self.protocol.state is not State.OPEN or transport.is_closing():
            return False
        if transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            return False
        length = len(message)
        if binary:
            self.protocol.send_binary(message)
            self.send_data()
        elif 126 <= length < 65_536:
            # As the protocol would write it (RFC 6455 §5.2), in a quarter of the time.
            mask = _new_mask()
            transport.write(_HEAD_16(_FIN_TEXT, _MASKED | 126, length) + mask + apply_mask(message, mask))
        else:
            self.protocol.send_text(message)
            self.send_data()
        return True

    @property
    def broken_rule(self) -> int | None:
        """The code with which this side closed because the service broke a rule; None when it did not."""
        sent = self.protocol.close_sent
        if sent is None or self.protocol.close_rcvd_then_sent or sent.code == 1000:
            return None
        return int(sent.code)

    def data_received(self, data: bytes) -> None:
        """Frames are told apart here from the first one after the handshake; what comes before is HTTP."""
        self._receive(data)
        if self.protocol.close_rcvd is not None or self.broken_rule is not None:
            self._let_go()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        if self._goodbye is not None:
            self._goodbye.cancel()
        super().connection_lost(exc)

    def _let_go(self) -> None:
        """Close TCP, too (RFC 6455 §7.1.1): a service that has said its last word is not waited for."""
        if self._goodbye is None:
            self._goodbye = self.loop.call_later(GOODBYE_S, self.transport.abort)
            self.transport.close()

    def _receive(self, data: bytes) -> None:
        if self._take is None:
            super().data_received(data)
            return
        if self.protocol.state is State.CONNECTING:
            joined = self._head_end + data
            found = joined.find(_END_OF_HEAD)
            upto = len(data) if found < 0 else found + len(_END_OF_HEAD) - len(self._head_end)
            self._head_end = joined[1 - len(_END_OF_HEAD) :]
            super().data_received(data[:upto])
            data = data[upto:]
            if self.protocol.state is State.CONNECTING:  # a refusal may have a body
                if data:
                    super().data_received(data)
                return
        self._splitter.feed(data)

    def process_event(self, event: Event) -> None:
        """Hand out whole messages; everything else is the library's."""
        if self._take is None or not isinstance(event, Frame):
            super().process_event(event)
            return
        if event.opcode is Opcode.TEXT or event.opcode is Opcode.BINARY:
            self._is_text = event.opcode is Opcode.TEXT
        elif event.opcode is not Opcode.CONT:
            super().process_event(event)
            return
        self._pieces.append(bytes(event.data))
        if event.fin:
            message = b"".join(self._pieces)
            self._pieces.clear()
            self._take(message, self._is_text)

    def _not_usual(self, received: bytes) -> None:
        super().data_received(received)
        if self.protocol.state is not State.OPEN:
            # What comes after a close or a broken rule does not count.
            self._splitter.close()


def _nobody(message: bytes, is_text: bool) -> None:
    """Messages are received in the library's way."""


def _draw_masks() -> tuple[bytes, ...]:
    return _MASKS(os.urandom(_MASKS_BYTES))


_new_mask: Callable[[], bytes] = chain.from_iterable(iter(_draw_masks, ())).__next__
"""Unpredictable ones (RFC 6455 §5.3), asked of the system by the thousand."""


async def open_socket(
    url: str, headers: Mapping[str, str], *, pings: bool = True, take: Take | None = None
) -> CallConnection:
    """A connection to the service at `url`. Raises CallFailed, whose text holds no query.

    With `pings`, a service that answers none of them for 20 s has gone away. `take` must not raise.
    """
    try:
        connection = await connect(
            url,
            create_connection=cast(type[ClientConnection], partial(CallConnection, take=take)),
            additional_headers=dict(headers),
            compression=None,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=2,
            max_size=MAX_MESSAGE_BYTES,
            ping_interval=20 if pings else None,
            proxy=None,
        )
        assert isinstance(connection, CallConnection)
        return connection
    except InvalidStatus as refused:
        body = (refused.response.body or b"").decode(errors="replace").strip()[:300]
        status = refused.response.status_code
        raise CallFailed(f"the service answered {status} {body}".strip(), status) from None
    except (InvalidURI, InvalidHandshake, OSError, TimeoutError) as wrong:
        text = str(wrong) or type(wrong).__name__
        raise CallFailed(f"cannot connect: {text.replace(url, url.partition('?')[0])}") from None
