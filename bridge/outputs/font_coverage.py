"""Which characters a font file can draw, read off its `cmap` table. Bytes in, ranges out.

The picture library draws an empty box for what a font does not have, and does not say so; who wants to fall
back to another font has to know before. OpenType specification, "cmap — Character to Glyph Index Mapping
Table".
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from typing import BinaryIO

import numpy as np

_COLLECTION = b"ttcf"
# A broken or hostile font must not eat the memory: no real `cmap` is larger.
_MAX_TABLE_BYTES = 4 << 20


class Coverage:
    """The characters of one font, as ranges of code points."""

    def __init__(self, ranges: list[tuple[int, int]]) -> None:
        """`ranges`: first and last code point, ascending, apart from each other."""
        self._firsts = [first for first, _ in ranges]
        self._lasts = [last for _, last in ranges]

    def __contains__(self, char: str) -> bool:
        at = bisect_right(self._firsts, ord(char)) - 1
        return at >= 0 and ord(char) <= self._lasts[at]

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in zip(self._firsts, self._lasts, strict=True))


def read_coverage(file: BinaryIO, index: int = 0) -> Coverage:
    """What the font (the one at `index` of a collection) covers; nothing when it says so in no known form.

    Raises ValueError for a file that is no font, or a broken one.
    """
    try:
        table = _cmap(file, index)
        return Coverage(_merged(_best(table))) if table else Coverage([])
    except (struct.error, IndexError) as cut:
        raise ValueError("the font is cut or broken") from cut


def _cmap(file: BinaryIO, index: int) -> bytes:
    start = 0
    file.seek(0)
    magic = file.read(4)
    if magic == _COLLECTION:
        file.seek(12 + 4 * index)
        (start,) = struct.unpack(">I", file.read(4))
        file.seek(start)
        magic = file.read(4)
    if magic not in (b"\0\1\0\0", b"OTTO", b"true"):
        raise ValueError("not a font")
    (tables,) = struct.unpack(">H6x", file.read(8))
    for _ in range(tables):
        tag, _checksum, offset, length = struct.unpack(">4sIII", file.read(16))
        if tag == b"cmap":
            file.seek(offset)
            return file.read(min(length, _MAX_TABLE_BYTES))
    return b""


def _best(table: bytes) -> list[tuple[int, int]]:
    """The ranges of the widest Unicode subtable: format 12 where there is one, else 4."""
    (_version, count) = struct.unpack_from(">HH", table)
    found: dict[int, int] = {}
    for number in range(count):
        platform, encoding, offset = struct.unpack_from(">HHI", table, 4 + 8 * number)
        if platform == 0 or (platform == 3 and encoding in (1, 10)):
            (kind,) = struct.unpack_from(">H", table, offset)
            found.setdefault(kind, offset)
    if 12 in found:
        return _format_12(table, found[12])
    return _format_4(table, found[4]) if 4 in found else []


def _format_12(table: bytes, at: int) -> list[tuple[int, int]]:
    (groups,) = struct.unpack_from(">I", table, at + 12)
    rows = np.frombuffer(table, ">u4", count=min(3 * groups, (len(table) - at - 16) // 4), offset=at + 16)
    return [(int(first), int(last)) for first, last, _ in rows[: len(rows) // 3 * 3].reshape(-1, 3)]


def _format_4(table: bytes, at: int) -> list[tuple[int, int]]:
    (twice,) = struct.unpack_from(">H", table, at + 6)
    count = twice // 2
    lasts = np.frombuffer(table, ">u2", count=count, offset=at + 14).astype(int)
    firsts = np.frombuffer(table, ">u2", count=count, offset=at + 16 + twice).astype(int)
    # A segment may hold holes (glyph 0 by its offsets); names have no use for those rare characters, and a
    # box drawn for one of them is no harm. The last segment is an end mark.
    return [
        (int(first), int(last)) for first, last in zip(firsts, lasts, strict=True) if first <= last < 0xFFFF
    ]


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        elif first <= last:
            merged.append((first, last))
    return merged
