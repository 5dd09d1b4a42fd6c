"""How the picture of a room is laid out, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

LayoutKind = Literal["grid", "floating", "vertical", "custom"]
"""`grid`: all equally large. `floating`: one fills the picture, the others lie small above it, from below on
the left. `vertical`: one is large, the others are small to the right. `custom`: as `places` say."""


@dataclass(frozen=True, slots=True)
class PicturePlace:
    """Where somebody is seen: parts of the picture's width and height, 0…1, from its upper left corner."""

    x: float
    y: float
    width: float
    height: float
    participant: str = ""
    """Empty: for whoever has no place of their own, in the order in which they came."""


@dataclass(frozen=True, slots=True)
class PictureLayout:
    """Who is where. In layouts other than `grid` there is no title, and no room between the tiles."""

    kind: LayoutKind = "grid"
    large: str = ""
    """Of `floating` and `vertical`; empty, or not there: who came first."""
    places: tuple[PicturePlace, ...] = ()
    """Of `custom`, the later above the earlier; who has none is not seen."""


GRID: Final = PictureLayout()
