"""The fonts of this machine, and which of them draws a character.

Names come in all scripts, and no font has them all. Fonts are found in the known directories; the plain faces
of the families below come first, then whatever else is there. A character that no font has is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import ImageFont

from bridge.outputs.font_coverage import Coverage, read_coverage

DIRECTORIES: Final = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("/System/Library/Fonts"),
    Path("/Library/Fonts"),
    Path("C:/Windows/Fonts"),
)

# Plain faces first; a name's second script is then drawn in the same hand where possible.
_PREFERRED: Final = ("NotoSans-", "NotoSans", "DejaVuSans.", "DejaVuSans-", "Arial", "Segoe")
_UNWANTED: Final = (
    "Italic",
    "Oblique",
    "Mono",
    "Serif",
    "Condensed",
    "Narrow",
    "Display",
    "ExtraLight",
    "Looped",
)
_COLLECTIONS: Final = (".ttc", ".otc")
# The faces of the Noto CJK collections differ in how the same Han character is written.
JOINERS: Final = "\u200c\u200d\ufe0e\ufe0f"
"""Not seen themselves: they say how what is beside them is to be drawn."""
_REMEMBERED: Final = 4_096
_CJK_FACES: Final = {"ja": 0, "ko": 1, "zh": 2}
_EMOJI_PIXELS: Final = 109
"""The one size in which colour emoji fonts with bitmaps can be had."""


@dataclass(frozen=True, slots=True)
class Face:
    """One font of a file."""

    path: Path
    index: int = 0

    @property
    def coloured(self) -> bool:
        """Bitmaps in colour, of one size."""
        return "ColorEmoji" in self.path.name


class FontShelf:
    """The faces to be had, best first, with what they cover (read when first asked for)."""

    def __init__(self, directories: Iterable[Path] = DIRECTORIES, *, bold: bool = False) -> None:
        self._bold = bold
        found = [
            path
            for directory in directories
            if directory.is_dir()
            for path in directory.rglob("*")
            if path.suffix.lower() in (".ttf", ".otf", *_COLLECTIONS)
        ]
        self.paths: Sequence[Path] = sorted(found, key=self._rank)
        """Best first."""
        self._coverage: dict[Path, Coverage] = {}
        self._chosen: dict[tuple[str, str], Face | None] = {}
        self._fonts: dict[tuple[Face, int], ImageFont.FreeTypeFont] = {}

    def _rank(self, path: Path) -> tuple[bool, bool, int, bool, str]:
        name = path.name
        preferred = next(
            (at for at, start in enumerate(_PREFERRED) if name.startswith(start)), len(_PREFERRED)
        )
        is_bold = "Bold" in name
        return (
            "Emoji" in name,
            any(word in name for word in _UNWANTED),
            preferred,
            is_bold != self._bold,
            str(path),
        )

    def __len__(self) -> int:
        return len(self.paths)

    def covers(self, face: Face, piece: str) -> bool:
        """Whether `face` has a picture of every character; joiners need none."""
        coverage = self._read(face.path)
        return all(char in coverage or char in JOINERS for char in piece)

    def face_for(self, piece: str, language: str = "zh") -> Face | None:
        """The best face that has all of `piece`; `language` (ja, ko, zh): how Han characters are written."""
        key = (piece, language)
        if key not in self._chosen:
            if len(self._chosen) >= _REMEMBERED:
                self._chosen.clear()
            faces = (Face(path, self._index(path, language)) for path in self.paths)
            self._chosen[key] = next((face for face in faces if self.covers(face, piece)), None)
        return self._chosen[key]

    def font(self, face: Face, pixels: int) -> ImageFont.FreeTypeFont:
        """The face at a size; a coloured one comes at its only size."""
        pixels = _EMOJI_PIXELS if face.coloured else pixels
        if (face, pixels) not in self._fonts:
            self._fonts[face, pixels] = ImageFont.truetype(str(face.path), pixels, index=face.index)
        return self._fonts[face, pixels]

    def _index(self, path: Path, language: str) -> int:
        return _CJK_FACES.get(language, 0) if "CJK" in path.name and path.suffix in _COLLECTIONS else 0

    def _read(self, path: Path) -> Coverage:
        if path not in self._coverage:
            try:
                with path.open("rb") as file:
                    self._coverage[path] = read_coverage(file)
            except (OSError, ValueError):
                self._coverage[path] = Coverage([])
        return self._coverage[path]
