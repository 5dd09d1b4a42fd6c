"""Takes whole messages out of a WebSocket's bytes before the library sees them. Pure.

What a service usually sends, messages of one frame below 64 KiB, is cut out here in a few steps. Everything
else goes on to the library as it came, whole frames at a time: fragments, control frames, what is large, and
what breaks RFC 6455, so that the library alone decides what comes of that.
"""

from __future__ import annotations

from collections.abc import Callable

_WHOLE_TEXT, _WHOLE_BINARY = 0x81, 0x82
_FIN, _OPCODE = 0x80, 0x0F
_CONTINUATION, _CLOSE = 0x0, 0x8
_LENGTH_16, _LENGTH_64 = 126, 127
_MOST = 0xFFFF
_FOR_GOOD = 1 << 63


class FrameSplitter:
    """One connection's, from its first frame on. `message` gets the usual messages, and whether each is text;
    `rest` all other bytes, in their order among the messages.
    """

    __slots__ = ("_held", "_in_pieces", "_message", "_owed", "_rest")

    def __init__(self, message: Callable[[bytes, bool], None], rest: Callable[[bytes], None]) -> None:
        self._message = message
        self._rest = rest
        self._held = b""
        """The beginning of a frame; never more than one usual frame."""
        self._owed = 0
        """So many bytes of a frame are still to go on to the library."""
        self._in_pieces = False
        """The library has got the beginning of a message in fragments."""

    def feed(self, received: bytes) -> None:
        """The next bytes."""
        if self._held:
            received = self._held + received
            self._held = b""
        at, end = 0, len(received)
        while at < end:
            if self._owed:
                upto = min(end, at + self._owed)
                self._owed -= upto - at
                self._rest(received[at:upto])
                at = upto
                continue
            start, length = _payload_of(received, at, end)
            if not start:
                break
            first = received[at]
            if (first == _WHOLE_TEXT or first == _WHOLE_BINARY) and length <= _MOST and not self._in_pieces:
                upto = start + length
                if upto > end:
                    break
                at = upto
                self._message(received[start:upto], first == _WHOLE_TEXT)
                continue
            self._pass_on(first, start - at + length)
        if at < end:
            self._held = received[at:]

    def close(self) -> None:
        """The library takes everything from now on: the connection ends, and it knows how."""
        self._owed = _FOR_GOOD

    def _pass_on(self, first: int, frame_bytes: int) -> None:
        opcode = first & _OPCODE
        if opcode == _CLOSE:
            frame_bytes = _FOR_GOOD  # after it nothing counts (RFC 6455 §5.5.1)
        elif opcode < _CLOSE:
            self._in_pieces = not first & _FIN
        self._owed = frame_bytes


def _payload_of(received: bytes, at: int, end: int) -> tuple[int, int]:
    """Where the payload of the frame at `at` begins (0: that is not known yet), and how long it is.

    A masked frame, which no service may send (§5.1), has no end: what follows is the library's.
    """
    if end - at < 2:
        return 0, 0
    length = received[at + 1]
    if length == _LENGTH_16:
        return (at + 4, received[at + 2] << 8 | received[at + 3]) if end - at >= 4 else (0, 0)
    if length < _LENGTH_16:
        return at + 2, length
    if length == _LENGTH_64:
        return (at + 10, int.from_bytes(received[at + 2 : at + 10])) if end - at >= 10 else (0, 0)
    return at + 2, _FOR_GOOD
