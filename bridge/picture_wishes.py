"""What the picture of a live stream, or of a recording's files, is asked to be."""

from __future__ import annotations

import re

import msgspec

from bridge.core.ports import LayoutKind, PictureLayout, PicturePlace, WantedPicture

MOST_PLACES = 32
_COLOUR = re.compile("#[0-9a-fA-F]{6}")
_ROUNDING = 1e-6


class PlaceWishes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where somebody is seen: parts of the picture's width and height, 0 to 1, from its upper left corner."""

    x: float
    y: float
    width: float
    height: float
    participant: str = ""
    """Empty: for whoever has no place of their own, in the order in which they came."""

    def __post_init__(self) -> None:
        for at, length in ((self.x, self.width), (self.y, self.height)):
            if not (0 <= at < 1 and 0 < length and at + length <= 1 + _ROUNDING):
                raise ValueError("a place lies within the picture, whose sides are 1 long")


class LayoutWishes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who is where in a picture."""

    kind: LayoutKind = "grid"
    large: str = ""
    """Of `floating` and `vertical`, a participant's id; empty: who came first."""
    places: tuple[PlaceWishes, ...] = ()
    """Of `custom`, the later above the earlier."""

    def __post_init__(self) -> None:
        if bool(self.places) != (self.kind == "custom"):
            raise ValueError("`places` belong to a custom layout, which has some")
        if self.large and self.kind not in ("floating", "vertical"):
            raise ValueError("`large` belongs to floating and vertical layouts")
        if len(self.places) > MOST_PLACES:
            raise ValueError(f"a layout has at most {MOST_PLACES} places")
        named = [place.participant for place in self.places if place.participant]
        if len({*named}) < len(named):
            raise ValueError("a participant has one place")

    @property
    def laid_out(self) -> PictureLayout:
        """For who paints."""
        places = (PicturePlace(one.x, one.y, one.width, one.height, one.participant) for one in self.places)
        return PictureLayout(self.kind, self.large, tuple(places))


class PictureWishes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the picture of a live stream is to be coded."""

    width: int = 640
    height: int = 360
    fps: int = 10
    bitrate: int = 300_000
    background: str = ""
    """Behind the tiles, `#rrggbb`; empty: the usual one."""
    layout: LayoutWishes = LayoutWishes()

    def __post_init__(self) -> None:
        _check_size(self.width, self.height)
        _check(self.fps, self.bitrate, self.background)


class FilePictureWishes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The picture of a recording's files; what is left out is as in the server's configuration."""

    width: int | None = None
    height: int | None = None
    fps: int | None = None
    bitrate: int | None = None
    """With it every picture is coded, and a second takes hardly more; without it, what changes."""
    background: str = ""
    """Behind the tiles, `#rrggbb`; empty: the usual one."""
    layout: LayoutWishes = LayoutWishes()

    def __post_init__(self) -> None:
        if self.width is not None and self.height is not None:
            _check_size(self.width, self.height)
        elif self.width is not None or self.height is not None:
            raise ValueError("`width` and `height` of a picture go together")
        _check(self.fps, self.bitrate, self.background)

    @property
    def wanted(self) -> WantedPicture:
        """For the shelf."""
        return WantedPicture(
            self.width, self.height, self.fps, self.bitrate, self.background, self.layout.laid_out
        )


def _check_size(width: int, height: int) -> None:
    """Raises ValueError. Upright pictures are as good as broad ones."""
    short, long = sorted((width, height))
    if width % 2 or height % 2 or width < 160 or height < 90 or short > 1080 or long > 1920:
        raise ValueError("a picture has even sides, 160x90 to 1920x1080, or upright to 1080x1920")


def _check(fps: int | None, bitrate: int | None, background: str) -> None:
    """Raises ValueError."""
    if fps is not None and not 1 <= fps <= 30:
        raise ValueError("`fps` is 1 to 30")
    if bitrate is not None and not 50_000 <= bitrate <= 8_000_000:
        raise ValueError("`bitrate` of a picture is 50000 to 8000000")
    if background and not _COLOUR.fullmatch(background):
        raise ValueError("`background` is a colour such as #20262e")
