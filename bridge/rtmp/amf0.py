"""AMF0, the values in RTMP's commands and FLV's metadata (Adobe, Action Message Format 0, §2). Pure."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bridge.errors import BadInput

_NUMBER, _BOOLEAN, _STRING, _OBJECT, _NULL = 0, 1, 2, 3, 5
_MAPPING, _END, _ARRAY, _LONG_STRING = 8, 9, 10, 12
_DEEPEST = 16
_MOST_VALUES = 4096


@dataclass(frozen=True, slots=True)
class Listing:
    """An object that is written as an ECMA array, as metadata is."""

    properties: Mapping[str, Value]


Value: TypeAlias = "float | bool | str | None | list[Value] | Mapping[str, Value] | Listing"


def encode(*values: Value) -> bytes:
    """One after the other. Numbers are all the same kind."""
    return b"".join(_encoded(value) for value in values)


def decode(written: bytes) -> list[Value]:
    """All values that are written there. Raises BadInput."""
    reader = _Reader(written)
    values: list[Value] = []
    try:
        while reader.at < len(written):
            values.append(reader.value(0))
    except (IndexError, struct.error):
        raise BadInput("AMF0 that ends in the middle of a value") from None
    return values


def _encoded(value: Value) -> bytes:
    match value:
        case bool():
            return bytes((_BOOLEAN, value))
        case int() | float():
            return struct.pack(">Bd", _NUMBER, value)
        case str():
            text = value.encode()
            if len(text) > 0xFFFF:
                return struct.pack(">BI", _LONG_STRING, len(text)) + text
            return bytes((_STRING,)) + _name(text)
        case None:
            return bytes((_NULL,))
        case list():
            return struct.pack(">BI", _ARRAY, len(value)) + encode(*value)
        case Listing(properties=properties):
            return struct.pack(">BI", _MAPPING, len(properties)) + _properties(properties)
        case _:
            return bytes((_OBJECT,)) + _properties(value)


def _properties(properties: Mapping[str, Value]) -> bytes:
    written = b"".join(_name(name.encode()) + _encoded(value) for name, value in properties.items())
    return written + bytes((0, 0, _END))


def _name(text: bytes) -> bytes:
    return len(text).to_bytes(2) + text


class _Reader:
    def __init__(self, written: bytes) -> None:
        self._written = written
        self._left = _MOST_VALUES
        self.at = 0

    def value(self, depth: int) -> Value:
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            raise BadInput("AMF0 with too much in it")
        kind = self._taken(1)[0]
        match kind:
            case 0:
                number: float = struct.unpack(">d", self._taken(8))[0]
                return number
            case 1:
                return self._taken(1)[0] != 0
            case 2:
                return self._text(2)
            case 12 | 15:  # 15: XML
                return self._text(4)
            case 5 | 6 | 13:  # 13: what its writer could not write
                return None
            case 3:
                return self._object(depth)
            case 16:
                self._text(2)  # the name of its class
                return self._object(depth)
            case 8:
                self._taken(4)  # how many there are; they end by themselves
                return self._object(depth)
            case 10:
                count = int.from_bytes(self._taken(4))
                return [self.value(depth + 1) for _ in range(min(count, _MOST_VALUES))]
            case 11:
                moment: float = struct.unpack(">dh", self._taken(10))[0]
                return moment
        raise BadInput(f"AMF0 with a value of kind {kind}")

    def _object(self, depth: int) -> dict[str, Value]:
        properties: dict[str, Value] = {}
        while True:
            name = self._text(2)
            if not name and self._written[self.at] == _END:
                self.at += 1
                return properties
            properties[name] = self.value(depth + 1)

    def _text(self, bytes_of_length: int) -> str:
        return self._taken(int.from_bytes(self._taken(bytes_of_length))).decode(errors="replace")

    def _taken(self, count: int) -> bytes:
        if self.at + count > len(self._written):
            raise IndexError
        self.at += count
        return self._written[self.at - count : self.at]
