"""What the picture of a live stream, or of a recording's files, is asked to be."""

from __future__ import annotations

import re

import msgspec

from bridge.core.ports import WantedPicture

_COLOUR = re.compile("#[0-9a-fA-F]{6}")


class PictureWishes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the picture of a live stream is to be coded."""

    width: int = 640
    height: int = 360
    fps: int = 10
    bitrate: int = 300_000
    background: str = ""
    """Behind the tiles, `#rrggbb`; empty: the usual one."""

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

    def __post_init__(self) -> None:
        if self.width is not None and self.height is not None:
            _check_size(self.width, self.height)
        elif self.width is not None or self.height is not None:
            raise ValueError("`width` and `height` of a picture go together")
        _check(self.fps, self.bitrate, self.background)

    @property
    def wanted(self) -> WantedPicture:
        """For the shelf."""
        return WantedPicture(self.width, self.height, self.fps, self.bitrate, self.background)


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
