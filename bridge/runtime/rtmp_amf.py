"""AMF0, as far as an RTMP client that plays needs it (Adobe, Action Message Format AMF 0, 2007). Pure."""

from __future__ import annotations

import struct
from collections.abc import Mapping

Value = float | bool | str | None | Mapping[str, "Value"] | list["Value"]

_NUMBER, _BOOLEAN, _STRING, _OBJECT, _NULL, _OBJECT_END, _STRICT_ARRAY = 0, 1, 2, 3, 5, 9, 10
_END = b"\x00\x00\x09"
_MOST_DEPTH = 8
_MOST_VALUES = 1_000


class BadAmf(ValueError):
    """No AMF0, or more of it than a server has to say."""


def encode(*values: Value) -> bytes:
    """Values one after the other."""
    return b"".join(map(_encoded, values))


def decode(content: bytes) -> list[Value]:
    """All values. Raises BadAmf."""
    reader = _Reader(content)
    values = []
    while not reader.at_end:
        values.append(reader.value(0))
    return values


def _encoded(value: Value) -> bytes:
    match value:
        case None:
            return bytes([_NULL])
        case bool():
            return bytes([_BOOLEAN, value])
        case int() | float():
            return struct.pack(">Bd", _NUMBER, value)
        case str():
            return bytes([_STRING]) + _text(value)
        case list():
            return struct.pack(">BI", _STRICT_ARRAY, len(value)) + encode(*value)
        case _:
            members = (_text(name) + _encoded(member) for name, member in value.items())
            return bytes([_OBJECT]) + b"".join(members) + _END


def _text(text: str) -> bytes:
    content = text.encode()
    if len(content) > 0xFFFF:
        raise BadAmf("a text that is too long")
    return len(content).to_bytes(2) + content


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0
        self._values = 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._content)

    def value(self, depth: int) -> Value:
        self._values += 1
        if depth > _MOST_DEPTH or self._values > _MOST_VALUES:
            raise BadAmf("too much in it")
        kind = self._take(1)[0]
        match kind:
            case 0:  # number
                number: float = struct.unpack(">d", self._take(8))[0]
                return number
            case 1:  # boolean
                return self._take(1) != b"\x00"
            case 2:  # string
                return self._text(2)
            case 12:  # long string
                return self._text(4)
            case 3:  # object
                return self._members(depth)
            case 8:  # ECMA array: how many there are is only a hint
                self._take(4)
                return self._members(depth)
            case 10:  # strict array
                count = int.from_bytes(self._take(4))
                return [self.value(depth + 1) for _ in range(min(count, _MOST_VALUES + 1))]
            case 11:  # date, and a time zone that is not used
                moment: float = struct.unpack(">d", self._take(10)[:8])[0]
                return moment
            case 5 | 6:  # null, undefined
                return None
        raise BadAmf(f"a value of kind {kind}")

    def _members(self, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while True:
            name = self._text(2)
            if not name and self._content[self._at : self._at + 1] == bytes([_OBJECT_END]):
                self._at += 1
                return found
            found[name] = self.value(depth + 1)

    def _text(self, width: int) -> str:
        return self._take(int.from_bytes(self._take(width))).decode(errors="replace")

    def _take(self, count: int) -> bytes:
        taken = self._content[self._at : self._at + count]
        if len(taken) < count:
            raise BadAmf("cut off")
        self._at += count
        return taken
