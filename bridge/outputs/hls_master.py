"""The master playlist of an HLS stream: what there is to choose from (RFC 8216 §4.3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.outputs.hls_tags import Attributes, attribute_list, quoted, uri


@dataclass(frozen=True, slots=True)
class Subtitles:
    """The captions of a stream, as its master playlist names them."""

    uri: str
    language: str = "en-US"
    name: str = "English CC (auto)"
    group: str = "subs"
    default: bool = True


@dataclass(frozen=True, slots=True)
class Variant:
    """One encoding of the stream."""

    uri: str
    bandwidth: int
    """The most bits a second any stretch of a target duration takes."""
    codecs: str
    average_bandwidth: int | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class MasterPlaylist:
    """What there is to choose from."""

    variants: Sequence[Variant]
    subtitles: Subtitles | None = None
    independent_segments: bool = True

    def text(self, query: str = "") -> str:
        """The playlist; `query` is put behind every URI."""
        lines = ["#EXTM3U", "#EXT-X-VERSION:6"]
        if self.independent_segments:
            lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
        if self.subtitles is not None:
            lines.append(_subtitles(self.subtitles, query))
        for variant in self.variants:
            lines.append(_variant(variant, self.subtitles))
            lines.append(uri(variant.uri, query))
        return "\n".join(lines) + "\n"


def _subtitles(subtitles: Subtitles, query: str) -> str:
    return "#EXT-X-MEDIA:" + attribute_list(
        [
            ("TYPE", "SUBTITLES"),
            ("GROUP-ID", quoted(subtitles.group)),
            ("LANGUAGE", quoted(subtitles.language)),
            ("NAME", quoted(subtitles.name)),
            ("AUTOSELECT", "YES"),
            ("DEFAULT", "YES" if subtitles.default else "NO"),
            ("URI", quoted(uri(subtitles.uri, query))),
            ("FORCED", "NO"),
            ("CHARACTERISTICS", quoted("public.accessibility.transcribes-spoken-dialog")),
        ]
    )


def _variant(variant: Variant, subtitles: Subtitles | None) -> str:
    told: Attributes = []
    if variant.width is not None and variant.height is not None:
        told.append(("RESOLUTION", f"{variant.width}x{variant.height}"))
    told.append(("BANDWIDTH", str(variant.bandwidth)))
    if variant.average_bandwidth is not None:
        told.append(("AVERAGE-BANDWIDTH", str(variant.average_bandwidth)))
    told.append(("CODECS", quoted(variant.codecs)))
    if variant.fps is not None:
        told.append(("FRAME-RATE", f"{variant.fps:.3f}"))
    if subtitles is not None:
        told.append(("SUBTITLES", quoted(subtitles.group)))
    return "#EXT-X-STREAM-INF:" + attribute_list(told)
