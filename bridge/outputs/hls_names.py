"""What the files of a live stream are called. All lie in one directory; their URIs are these names."""

from __future__ import annotations

from typing import Literal

MASTER, MEDIA, CAPTIONS = "index.m3u8", "media.m3u8", "captions.m3u8"

CONTENT_TYPES = {
    "m3u8": "application/vnd.apple.mpegurl",
    "ts": "video/mp2t",
    "m4s": "video/mp4",
    "mp4": "video/mp4",
    "vtt": "text/vtt; charset=utf-8",
}


def part_file(sequence: int, index: int) -> str:
    """A part of a segment."""
    return f"p{sequence}.{index}.m4s"


def segment_file(sequence: int, container: Literal["ts", "fmp4"]) -> str:
    """A whole segment."""
    return f"s{sequence}.ts" if container == "ts" else f"s{sequence}.m4s"


def header_file(sequence: int) -> str:
    """The fMP4 header of the segments from `sequence` on."""
    return f"h{sequence}.mp4"


def captions_file(sequence: int) -> str:
    """What is said during a segment."""
    return f"c{sequence}.vtt"


def content_type(file: str) -> str:
    """By the ending."""
    return CONTENT_TYPES.get(file.rpartition(".")[2], "application/octet-stream")
