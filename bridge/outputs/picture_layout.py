"""Where the tiles of a picture go. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from bridge.core.ports import PictureLayout, PicturePlace

MOST_SMALL: Final = 16
"""Beside a large tile."""
_SMALL: Final = 0.235
_APART: Final = 0.012
"""Four small tiles and what lies between them make a whole side."""
_BESIDE: Final = ((4, 5, 4), (6, 7, 6), (8, 9, 8), (MOST_SMALL, 10, 8))
"""Up to so many small tiles beside a large one: parts of the width and of the height that each has."""
_LEAST: Final = 8
"""Pixels; nothing can be drawn in less."""
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
    """Boxes for `count` tiles inside `room`, `gap` apart; row by row, the last row in the middle.

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


def placed(
    participants: Sequence[str], layout: PictureLayout, width: int, height: int
) -> list[tuple[int, Box]]:
    """Which of `participants` (in the order in which they came) are where in a picture of that size.

    Of every layout but `grid`; what comes later is drawn above what comes earlier.
    """
    places = layout.places
    if layout.kind != "custom":
        large = layout.large if layout.large in participants else next(iter(participants), "")
        others = min(len(participants) - 1, MOST_SMALL)
        places = _floating(large, others) if layout.kind == "floating" else _vertical(large, others)
    named = {place.participant for place in places}
    unnamed = (at for at, one in enumerate(participants) if one not in named)
    found: list[tuple[int, Box]] = []
    for place in places:
        at = next(unnamed, None) if not place.participant else _index(participants, place.participant)
        if at is not None:
            found.append((at, _box(place, width, height)))
    return found


def _floating(large: str, others: int) -> tuple[PicturePlace, ...]:
    small = [
        PicturePlace(
            _APART + (at % 4) * (_SMALL + _APART), 1 - (at // 4 + 1) * (_SMALL + _APART), _SMALL, _SMALL
        )
        for at in range(others)
    ]
    return (PicturePlace(0, 0, 1, 1, large), *small)


def _vertical(large: str, others: int) -> tuple[PicturePlace, ...]:
    if others < 1:
        return (PicturePlace(0, 0, 1, 1, large),)
    _, across, down = next(one for one in _BESIDE if others <= one[0])
    columns = ceil(others / down)
    left = 1 - columns / across
    small = [
        PicturePlace(left + (at // down) / across, (at % down) / down, 1 / across, 1 / down)
        for at in range(others)
    ]
    return (PicturePlace(0, 0, left, 1, large), *small)


def _index(participants: Sequence[str], participant: str) -> int | None:
    return participants.index(participant) if participant in participants else None


def _box(place: PicturePlace, width: int, height: int) -> Box:
    """Whole pixels; neighbours meet."""
    left, top = round(place.x * width), round(place.y * height)
    wide = max(_LEAST, round((place.x + place.width) * width) - left)
    high = max(_LEAST, round((place.y + place.height) * height) - top)
    return Box(max(0, min(left, width - wide)), max(0, min(top, height - high)), wide, high)


def _tile(columns: int, rows: int, room: Box, gap: int) -> tuple[int, int]:
    width = max(1, (room.width - (columns - 1) * gap) // columns)
    height = max(1, (room.height - (rows - 1) * gap) // rows)
    if width > height * _WIDEST:
        width = max(1, int(height * _WIDEST))
    elif width < height * _NARROWEST:
        height = max(1, int(width / _NARROWEST))
    return width, height
