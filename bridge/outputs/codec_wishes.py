"""Codecs by the names they are asked for, as far as they can be had. Pure."""

from __future__ import annotations

from typing import Final, Literal

WishedCodec = Literal["aac", "mp3", "opus", "flac", "pcm"]

_NAMES: Final[dict[str, WishedCodec]] = {
    "aac": "aac",
    "aaclc": "aac",
    "lcaac": "aac",
    "mp4a402": "aac",
    "mp3": "mp3",
    "opus": "opus",
    "flac": "flac",
    "pcm": "pcm",
    "wav": "pcm",
}
_HIGH_EFFICIENCY: Final = frozenset(
    {"heaac", "heaacv1", "heaacv2", "aache", "aachev1", "aachev2", "aac+", "aacplus", "mp4a405", "mp4a4029"}
)
NO_HE_AAC: Final = "HE-AAC cannot be encoded here; it is AAC-LC instead"


def as_possible(wished: str) -> tuple[WishedCodec, str | None]:
    """The codec that comes nearest to the one of that name, and what is to be said of it, if anything.

    Raises ValueError for a name that is none.
    """
    name = "".join(char for char in wished.lower() if char.isalnum() or char == "+")
    if name in _HIGH_EFFICIENCY:
        return "aac", NO_HE_AAC
    if name not in _NAMES:
        raise ValueError(f"no such codec; there are {', '.join(sorted(set(_NAMES.values())))}")
    return _NAMES[name], None
