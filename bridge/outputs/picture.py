"""The picture of a conference: a tile for everybody, with a name, and a ring around who talks.

Painted anew only when the view is another one; tiles are kept, so that a change costs what it changes.
"""

from __future__ import annotations

import colorsys
import unicodedata
import zlib
from collections import OrderedDict
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from bridge.core.ports import GRID, PictureLayout
from bridge.outputs.encoders import PictureSettings
from bridge.outputs.fonts import FontShelf
from bridge.outputs.lettering import Colour, Lettering, cleaned, clusters
from bridge.outputs.picture_layout import Box, laid_out, placed
from bridge.outputs.scene import Tile, View

_GROUND: Final[Colour] = (17, 20, 26)
_TILE: Final[Colour] = (32, 37, 46)
_TILE_TALKING: Final[Colour] = (36, 46, 52)
_RING: Final[Colour] = (62, 207, 142)
_NAME: Final[Colour] = (232, 236, 241)
_QUIET: Final[Colour] = (150, 160, 174)
_NAME_ON_LIGHT: Final[Colour] = (17, 20, 26)
_QUIET_ON_LIGHT: Final[Colour] = (78, 86, 98)
_LIGHT: Final = 140
"""Grounds of this luma (0…255) and more have dark letters."""

_SMOOTH: Final = 4
"""Shapes are drawn this much larger and made smaller, so that their edges are smooth."""
_KEPT_TILES: Final = 256
_KEPT_PICTURES: Final = 8


class PicturePainter:
    """Paints views in one size, on one ground, in one layout."""

    def __init__(
        self,
        settings: PictureSettings,
        shelf: FontShelf | None = None,
        background: str = "",
        layout: PictureLayout = GRID,
    ) -> None:
        """`background`: behind the tiles, `#rrggbb`; empty: the usual one. Raises ValueError for another."""
        self.settings = settings
        self._layout = layout
        self._ground = colour_of(background) if background else _GROUND
        light = _luma(self._ground) >= _LIGHT
        self._title = _NAME_ON_LIGHT if light else _NAME
        self._quiet = _QUIET_ON_LIGHT if light else _QUIET
        self._letters = Lettering(shelf or FontShelf())
        self._pictures: OrderedDict[View, NDArray[np.uint8]] = OrderedDict()
        self._tiles: OrderedDict[tuple[Tile, int, int, bool], Image.Image] = OrderedDict()
        self._masks: dict[tuple[int, int, int], Image.Image] = {}

    def paint(self, view: View) -> NDArray[np.uint8]:
        """The picture of `view`, uint8 [height, width, 3] RGB, not to be written to.

        The same array as before while the view is the same.
        """
        if view in self._pictures:
            self._pictures.move_to_end(view)
            return self._pictures[view]
        picture = np.asarray(self._painted(view))
        picture.flags.writeable = False
        self._pictures[view] = picture
        if len(self._pictures) > _KEPT_PICTURES:
            self._pictures.popitem(last=False)
        return picture

    def _painted(self, view: View) -> Image.Image:
        width, height = self.settings.width, self.settings.height
        image = Image.new("RGB", (width, height), self._ground)
        if not view.tiles:
            self._nobody(image, view)
        elif self._layout.kind == "grid":
            self._grid(image, view)
        else:
            there = [tile.participant for tile in view.tiles]
            for number, (at, box) in enumerate(placed(there, self._layout, width, height)):
                # Small ones float above the lower edge of the large one.
                above = self._layout.kind == "floating" and number == 0
                tile = self._tile(view.tiles[at], box.width, box.height, name_above=above)
                image.paste(
                    tile, (box.x, box.y), self._mask(box.width, box.height, _corner(box.width, box.height))
                )
        return image

    def _grid(self, image: Image.Image, view: View) -> None:
        width, height = self.settings.width, self.settings.height
        gap = max(4, height // 60)
        top = self._head(image, view, gap) if view.title else gap
        room = Box(gap, top, width - 2 * gap, height - top - gap)
        for tile, box in zip(view.tiles, laid_out(len(view.tiles), room, gap), strict=True):
            image.paste(self._tile(tile, box.width, box.height), (box.x, box.y))

    def _head(self, image: Image.Image, view: View, gap: int) -> int:
        """The title; where what is below begins."""
        pixels = max(11, self.settings.height // 24)
        line = gap + round(pixels * 1.05)
        title = self._letters.fitting(view.title, pixels, self.settings.width - 6 * gap)
        self._letters.draw(image, (2 * gap, line), title, pixels, self._title)
        return line + round(pixels * 0.75)

    def _nobody(self, image: Image.Image, view: View) -> None:
        """An empty room shows its name."""
        width, height = self.settings.width, self.settings.height
        pixels = max(14, height // 14)
        title = self._letters.fitting(view.title, pixels, width * 0.86)
        at = ((width - self._letters.width(title, pixels)) / 2, height / 2 + pixels * 0.35)
        self._letters.draw(image, at, title, pixels, self._quiet)

    def _tile(self, tile: Tile, width: int, height: int, name_above: bool = False) -> Image.Image:
        key = (tile, width, height, name_above)
        if key in self._tiles:
            self._tiles.move_to_end(key)
            return self._tiles[key]
        drawn = self._drawn(tile, width, height, name_above)
        self._tiles[key] = drawn
        if len(self._tiles) > _KEPT_TILES:
            self._tiles.popitem(last=False)
        return drawn

    def _drawn(self, tile: Tile, width: int, height: int, name_above: bool) -> Image.Image:
        image = Image.new("RGB", (width, height), self._ground)
        corner = _corner(width, height)
        ring = max(2, min(width, height) // 45)
        if tile.talking:
            image.paste(_RING, (0, 0), self._mask(width, height, corner))
            inner = (width - 2 * ring, height - 2 * ring)
            image.paste(_TILE_TALKING, (ring, ring), self._mask(*inner, max(2, corner - ring)))
        else:
            image.paste(_TILE, (0, 0), self._mask(width, height, corner))
        pixels = round(min(height * 0.115, 24 * self.settings.height / 360))
        named = height >= 40
        below = round(pixels * 1.9) if named else 0
        self._avatar(image, tile, (width, height - below))
        if named:
            self._name(image, tile, max(8, pixels), name_above)
        return image

    def _avatar(self, image: Image.Image, tile: Tile, room: tuple[int, int]) -> None:
        across = max(8, round(min(room) * 0.66))
        x, y = (room[0] - across) // 2, (room[1] - across) // 2 + round(room[1] * 0.04)
        colour = _calm_colour(tile.participant)
        disc = self._mask(across, across, across // 2)
        image.paste(colour, (x, y), disc)
        letters = initials(tile.name)
        pixels = round(across * (0.42 if len(letters) > 1 else 0.5))
        if not letters or pixels < 5:
            return
        wide, rise, fall = self._size(letters, pixels)
        if (shrink := across * 0.76 / max(wide, rise + fall)) < 1:
            pixels = max(5, round(pixels * shrink))
            wide, rise, fall = self._size(letters, pixels)
        at = (x + (across - wide) / 2, y + (across + rise - fall) / 2)
        self._letters.draw(image, at, letters, pixels, (255, 255, 255))

    def _size(self, text: str, pixels: int) -> tuple[float, float, float]:
        return self._letters.width(text, pixels), *self._letters.rise_and_fall(text, pixels)

    def _name(self, image: Image.Image, tile: Tile, pixels: int, above: bool) -> None:
        width, height = image.size
        name = self._letters.fitting(tile.name, pixels, width - 2.2 * pixels)
        wide = self._letters.width(name, pixels)
        base = round(pixels * 1.5) if above else height - round(pixels * 0.85)
        self._letters.draw(image, ((width - wide) / 2, base), name, pixels, _NAME)

    def _mask(self, width: int, height: int, radius: int) -> Image.Image:
        """A rectangle with round corners and smooth edges."""
        key = (width, height, radius)
        if key not in self._masks:
            if len(self._masks) > _KEPT_TILES:
                self._masks.clear()
            large = Image.new("L", (width * _SMOOTH, height * _SMOOTH))
            edge = (0, 0, width * _SMOOTH - 1, height * _SMOOTH - 1)
            ImageDraw.Draw(large).rounded_rectangle(edge, radius * _SMOOTH, fill=255)
            self._masks[key] = large.reduce(_SMOOTH)
        return self._masks[key]


def initials(name: str) -> str:
    """One or two letters that stand for a name: the first of its first and last word, or of its only one.

    Han, kana and hangul names show one character of the given or whole name; scripts that join their letters
    too, since two joined letters would read as a word.
    """
    words = [word for word in cleaned(name).split(" ") if any(char.isalnum() for char in word)]
    starts = [next((piece for piece in clusters(word) if piece[0].isalnum()), "") for word in words]
    if not starts:
        # Nothing to be read: a sign, such as an emoji, stands for itself.
        signs = [piece for piece in clusters(cleaned(name)) if unicodedata.category(piece[0]) == "So"]
        return signs[0] if signs else ""
    first, last = starts[0], starts[-1]
    if len(starts) == 1 or not all(char[0].isupper() or char[0].islower() for char in (first, last)):
        return first.upper()
    return (first + last).upper()


def colour_of(written: str) -> Colour:
    """The colour that is written as `#rrggbb`. Raises ValueError for anything else."""
    if len(written) != 7 or written[0] != "#":
        raise ValueError("a colour is written as #rrggbb")
    red, green, blue = bytes.fromhex(written[1:])
    return red, green, blue


def _corner(width: int, height: int) -> int:
    """How round the corners of a tile are, in pixels."""
    return max(3, min(width, height) // 14)


def _luma(colour: Colour) -> float:
    """How bright it is, 0…255 (BT.709)."""
    red, green, blue = colour
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _calm_colour(participant: str) -> Colour:
    """A calm colour that stays with a participant."""
    hue = (zlib.crc32(participant.encode()) % 360) / 360
    red, green, blue = colorsys.hls_to_rgb(hue, 0.36 if 0.11 < hue < 0.24 else 0.42, 0.38)
    return round(red * 255), round(green * 255), round(blue * 255)
