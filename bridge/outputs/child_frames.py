"""How the server and a child process of it cut their stream of bytes into messages."""

from __future__ import annotations

import struct
from enum import IntEnum

from bridge.errors import BridgeError

MAX_MESSAGE = 64 << 20
"""Bytes of one message; a longer one is a fault of ours."""

_HEAD = struct.Struct("<IB")  # length of the payload, kind


class FrameKind(IntEnum):
    """What a message is for."""

    MESSAGE = 0
    """The job's own."""
    HELLO = 1
    """Server to child, once, first: limits and arguments."""
    PING = 2
    """Server to child: are you alive?"""
    PONG = 3
    """Child to server: yes."""


class BadFrame(BridgeError):
    """The stream cannot be cut into messages any more."""


def head(kind: FrameKind, length: int) -> bytes:
    """What stands before a payload of `length` bytes. Raises BadFrame for one that is too long."""
    if length > MAX_MESSAGE:
        raise BadFrame(f"a message of {length} bytes is longer than {MAX_MESSAGE}")
    return _HEAD.pack(length, kind)


class FrameCutter:
    """Takes bytes as they come, gives whole messages."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, received: bytes | memoryview) -> list[tuple[FrameKind, bytes]]:
        """The messages that `received` completes. Raises BadFrame for what is none."""
        self._held += received
        found: list[tuple[FrameKind, bytes]] = []
        at = 0
        while len(self._held) - at >= _HEAD.size:
            length, kind = _HEAD.unpack_from(self._held, at)
            if length > MAX_MESSAGE or kind > FrameKind.PONG:
                raise BadFrame(f"no message begins with length {length}, kind {kind}")
            end = at + _HEAD.size + length
            if end > len(self._held):
                break
            found.append((FrameKind(kind), bytes(memoryview(self._held)[at + _HEAD.size : end])))
            at = end
        if at:
            del self._held[:at]
        return found
