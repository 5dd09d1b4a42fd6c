"""A line of text in any script, drawn into a picture: split into runs of one font, shaped, cut to a width.

With the shaping library (raqm, in Pillow's wheels) Arabic joins and Indic marks are placed; without it text
is still drawn, less well. Whatever a name contains, drawing it raises nothing.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, features

from bridge.outputs.fonts import JOINERS, Face, FontShelf

ELLIPSIS: Final = "…"
_LONGEST: Final = 200
"""Characters of a text that are looked at; the rest never fits."""

_SHAPED: Final = bool(features.check("raqm"))

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring characters drawn with one face in one direction."""

    text: str
    face: Face
    rightwards: bool


def cleaned(text: str) -> str:
    """`text` on one line: without controls and direction overrides, spaces single, composed."""
    spaced = "".join(
        " " if unicodedata.category(char) in ("Zs", "Zl", "Zp") or char in "\t\r\n" else char
        for char in text[:_LONGEST]
    )
    kept = "".join(
        char
        for char in spaced
        if char in JOINERS or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co")
    )
    return " ".join(unicodedata.normalize("NFC", kept).split())


def language_of(text: str) -> str:
    """In which hand Han characters are to be written, as far as the text itself tells: ja, ko or zh."""
    if any("\u3040" <= char <= "\u30ff" for char in text):
        return "ja"
    return "ko" if any("\uac00" <= char <= "\ud7a3" for char in text) else "zh"


def clusters(text: str) -> list[str]:
    """The text in pieces that must not be torn apart: a letter with its marks and joiners."""
    pieces: list[str] = []
    for char in text:
        sticks = char in JOINERS or unicodedata.category(char) in ("Mn", "Mc", "Me", "Sk")
        modifies = "\U0001f3fb" <= char <= "\U0001f3ff"
        if pieces and (sticks or modifies or pieces[-1].endswith("\u200d")):
            pieces[-1] += char
        else:
            pieces.append(char)
    return pieces


class Lettering:
    """Draws lines of text with the fonts of a shelf."""

    def __init__(self, shelf: FontShelf) -> None:
        self._shelf = shelf

    def runs(self, text: str) -> list[Run]:
        """The runs of a cleaned text from left to right. What no font has is left out."""
        language = language_of(text)
        pieces = clusters(text)
        runs: list[Run] = []
        for piece, rightwards in zip(pieces, _directions(pieces), strict=True):
            before = runs[-1] if runs else None
            goes_on = before is not None and before.rightwards == rightwards
            face: Face | None
            # Spaces, digits and signs go with what they stand next to.
            stays = goes_on and _strong(piece) is None and not (before and before.face.coloured)
            if before and stays and self._shelf.covers(before.face, piece):
                face = before.face
            else:
                face = self._shelf.face_for(piece, language)
                if face is None and (face := self._shelf.face_for(piece[0], language)):
                    piece = piece[0]  # its marks are in no font beside it
            if face is None:
                continue
            if before and goes_on and face == before.face:
                runs[-1] = Run(before.text + piece, face, rightwards)
            else:
                runs.append(Run(piece, face, rightwards))
        return _in_order(runs)

    def width(self, text: str, pixels: int) -> float:
        """How wide a cleaned text is at a size, in pixels."""
        return sum(self._run_width(run, pixels) for run in self.runs(text))

    def rise_and_fall(self, text: str, pixels: int) -> tuple[float, float]:
        """How far a cleaned text goes above and below the base line, in pixels."""
        rise = fall = 0.0
        for run in self.runs(text):
            font = self._shelf.font(run.face, pixels)
            _, top, _, bottom = font.getbbox(run.text, anchor="ls", direction=_direction(run))
            scale = pixels / font.size
            rise, fall = max(rise, -top * scale), max(fall, bottom * scale)
        return rise, fall

    def fitting(self, text: str, pixels: int, width: float) -> str:
        """The text, or as much of its beginning with an ellipsis as fits `width` pixels; may be empty."""
        known = [piece for piece in clusters(cleaned(text)) if self._shelf.face_for(piece[0])]
        text = "".join(known).strip()
        if self.width(text, pixels) <= width:
            return text
        pieces = clusters(text)
        least, most = 0, len(pieces)
        while least < most:
            middle = (least + most + 1) // 2
            if self.width("".join(pieces[:middle]).rstrip() + ELLIPSIS, pixels) <= width:
                least = middle
            else:
                most = middle - 1
        return "".join(pieces[:least]).rstrip() + ELLIPSIS if least else ""

    def draw(
        self, image: Image.Image, at: tuple[float, float], text: str, pixels: int, colour: Colour
    ) -> None:
        """Draw a cleaned text into an RGB image; `at` is where its left end meets the base line."""
        x, y = at
        canvas = ImageDraw.Draw(image)
        for run in self.runs(text):
            width = self._run_width(run, pixels)
            if run.face.coloured:
                self._paste(image, (round(x), round(y)), run, pixels, round(width))
            else:
                font = self._shelf.font(run.face, pixels)
                canvas.text((x, y), run.text, fill=colour, font=font, anchor="ls", direction=_direction(run))
            x += width

    def _run_width(self, run: Run, pixels: int) -> float:
        font = self._shelf.font(run.face, pixels)
        return font.getlength(run.text, direction=_direction(run)) * (pixels / font.size)

    def _paste(self, image: Image.Image, at: tuple[int, int], run: Run, pixels: int, width: int) -> None:
        """Coloured pictures come in one size only: drawn apart, scaled, set on the base line."""
        font = self._shelf.font(run.face, pixels)
        size = (max(1, round(width * font.size / pixels)), round(font.size * 1.25))
        apart = Image.new("RGBA", size)
        base = round(font.size * 0.95)
        ImageDraw.Draw(apart).text((0, base), run.text, font=font, anchor="ls", embedded_color=True)
        scale = pixels / font.size
        small = apart.resize((max(1, width), max(1, round(size[1] * scale))), Image.Resampling.LANCZOS)
        image.paste(small, (at[0], at[1] - round(base * scale)), small)


def _strong(piece: str) -> bool | None:
    """Whether a piece is written rightwards; None: as its neighbours are."""
    kind = unicodedata.bidirectional(piece[0])
    return True if kind == "L" else False if kind in ("R", "AL") else None


def _directions(pieces: list[str]) -> list[bool]:
    """Whether each piece is written rightwards (UAX #9, rules W7, N1 and N2; no embeddings)."""
    strong = [_strong(piece) for piece in pieces]
    before: bool | None = None
    for at, piece in enumerate(pieces):
        if before and unicodedata.bidirectional(piece[0]) == "EN":
            strong[at] = True
        before = before if strong[at] is None else strong[at]
    of_line = next((direction for direction in strong if direction is not None), True)
    after: list[bool] = []
    coming = of_line
    for direction in reversed(strong):
        coming = coming if direction is None else direction
        after.append(coming)
    resolved: list[bool] = []
    last = of_line
    for direction, following in zip(strong, reversed(after), strict=True):
        resolved.append(direction if direction is not None else last if last == following else of_line)
        last = last if direction is None else direction
    return resolved


def _direction(run: Run) -> str | None:
    return ("ltr" if run.rightwards else "rtl") if _SHAPED else None


def _in_order(runs: list[Run]) -> list[Run]:
    """From left to right as seen: what begins with a script written leftwards goes that way as a whole."""
    if not runs or all(run.rightwards for run in runs):
        return runs
    leftwards = not next((r for run in runs if (r := _strong(run.text)) is not None), True)
    ordered: list[Run] = []
    group: list[Run] = []
    for run in [*runs, None]:
        # Neighbouring runs of the direction that is not the line's keep their own order among themselves.
        if run is not None and (not group or group[-1].rightwards == run.rightwards):
            group.append(run)
            continue
        own = group if group[0].rightwards else group[::-1]
        ordered = [*own, *ordered] if leftwards else [*ordered, *own]
        group = [run] if run is not None else []
    return ordered
