"""The two WebSocket frames that make up nearly all traffic, read and written without the state machine.

A peer's media message is one unfragmented, masked text frame and nearly always one read of the socket;
`whole_text` recognises exactly that. Everything else (control frames, fragments, several frames in one read,
violations) goes through `websockets`' protocol.
"""

from __future__ import annotations

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


def text_frame(payload: bytes) -> bytes:
    """One unfragmented, unmasked text frame (a server's frames are not masked, RFC 6455 §5.1)."""
    length = len(payload)
    if length < 126:
        return _HEAD(_FIN_TEXT, length) + payload
    if length < 65_536:
        return _HEAD_16(_FIN_TEXT, 126, length) + payload
    return _HEAD_64(_FIN_TEXT, 127, length) + payload


def wire_size(frame: Frame) -> int:
    """Bytes that a masked frame took, if its length was written in the shortest way."""
    length = len(frame.data)
    return length + (6 if length < 126 else 8 if length < 65_536 else 14)
