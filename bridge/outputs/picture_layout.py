"""Where the tiles of a picture go: as large as can be, all of one size, the last row in the middle. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

_WIDEST: Final = 16 / 9
_NARROWEST: Final = 4 / 3


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the picture, in pixels from its upper left corner."""

    x: int
    y: int
    width: int
    height: int


def laid_out(count: int, room: Box, gap: int) -> list[Box]:
    """Boxes for `count` tiles inside `room`, `gap` apart; row by row.

    A tile is between 4:3 and 16:9; of all numbers of columns the one with the largest tiles is taken.
    """
    if count < 1:
        return []
    columns, width, height = max(
        ((columns, *_tile(columns, ceil(count / columns), room, gap)) for columns in range(1, count + 1)),
        key=lambda found: (found[1] * found[2], -found[0]),
    )
    rows = ceil(count / columns)
    top = room.y + (room.height - rows * height - (rows - 1) * gap) // 2
    boxes = []
    for row in range(rows):
        in_row = min(columns, count - row * columns)
        left = room.x + (room.width - in_row * width - (in_row - 1) * gap) // 2
        y = top + row * (height + gap)
        boxes += [Box(left + column * (width + gap), y, width, height) for column in range(in_row)]
    return boxes


def _tile(columns: int, rows: int, room: Box, gap: int) -> tuple[int, int]:
    width = max(1, (room.width - (columns - 1) * gap) // columns)
    height = max(1, (room.height - (rows - 1) * gap) // rows)
    if width > height * _WIDEST:
        width = max(1, int(height * _WIDEST))
    elif width < height * _NARROWEST:
        height = max(1, int(width / _NARROWEST))
    return width, height
