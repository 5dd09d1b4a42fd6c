"""The WebSocket frames that make up nearly all traffic, read and written without the state machine.

A peer's media message is one unfragmented text frame and nearly always one read of the socket; `whole_text`
and `whole_unmasked_text` recognise exactly that. Everything else (control frames, fragments, several frames
in one read, violations) goes through `websockets`' protocol. What a client sends is masked, what a server
sends is not (RFC 6455 §5.1).
"""

from __future__ import annotations

import os
import struct

from websockets.frames import Frame
from websockets.speedups import apply_mask

_FIN_TEXT = 0x81
_MASKED = 0x80
_HEAD = struct.Struct("!BB").pack
_HEAD_16 = struct.Struct("!BBH").pack
_HEAD_64 = struct.Struct("!BBQ").pack


def whole_text(received: bytes, limit: int) -> bytes | None:
    """The payload, when `received` is one complete text frame of at most `limit` bytes; None otherwise.

    Source: RFC 6455 §5.2. Only lengths below 65,536 are recognised.
    """
    size = len(received)
    if size < 6 or received[0] != _FIN_TEXT:
        return None
    length = received[1] - _MASKED
    if length == 126 and size >= 8:
        length = received[2] << 8 | received[3]
        start = 8
    elif 0 <= length < 126:
        start = 6
    else:
        return None
    if length != size - start or length > limit:
        return None
    return apply_mask(received[start:], received[start - 4 : start])


def whole_unmasked_text(received: bytes, limit: int) -> bytes | None:
    """As `whole_text`, for a server's frames."""
    size = len(received)
    if size < 2 or received[0] != _FIN_TEXT:
        return None
    length = received[1]
    start = 2
    if length == 126 and size >= 4:
        length = received[2] << 8 | received[3]
        start = 4
    elif length >= 126:
        return None
    if length != size - start or length > limit:
        return None
    return received[start:]


def text_frame(payload: bytes) -> bytes:
    """One unfragmented, unmasked text frame."""
    length = len(payload)
    if length < 126:
        return _HEAD(_FIN_TEXT, length) + payload
    if length < 65_536:
        return _HEAD_16(_FIN_TEXT, 126, length) + payload
    return _HEAD_64(_FIN_TEXT, 127, length) + payload


def masked_text_frame(payload: bytes) -> bytes:
    """One unfragmented text frame with a mask that cannot be foreseen (RFC 6455 §5.3)."""
    mask = os.urandom(4)
    length = len(payload)
    if length < 126:
        head = _HEAD(_FIN_TEXT, _MASKED | length)
    elif length < 65_536:
        head = _HEAD_16(_FIN_TEXT, _MASKED | 126, length)
    else:
        head = _HEAD_64(_FIN_TEXT, _MASKED | 127, length)
    return head + mask + apply_mask(payload, mask)


def wire_size(frame: Frame) -> int:
    """Bytes that a masked frame took, if its length was written in the shortest way."""
    return unmasked_wire_size(frame) + 4


def unmasked_wire_size(frame: Frame) -> int:
    """Bytes that an unmasked frame took, if its length was written in the shortest way."""
    length = len(frame.data)
    return length + (2 if length < 126 else 4 if length < 65_536 else 10)
