"""HLS playlists as values, and their text (RFC 8216, and for low latency draft-pantos-hls-rfc8216bis).

A value says what is in a playlist; the text follows from it, so the same value always gives the same bytes.
Nothing here decides when a segment enters or leaves: that is `hls_window`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bridge.outputs.hls_tags import Attributes, attribute_list, date_time, decimal, quoted, uri

Kind = Literal["live", "event", "vod"]
"""`live` slides; `event` only grows; `vod` never changes again."""

SKIP_BOUNDARY_TARGETS = 6
"""RFC 8216bis §4.4.3.8: what a delta update may leave out lies at least six target durations back."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a segment that can be played before the segment is complete."""

    uri: str
    duration_s: float
    independent: bool
    """It can be decoded without the part before it."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A media segment of a playlist."""

    sequence: int
    uri: str
    duration_s: float
    began_ms: float
    """When its first sample sounded, Unix ms."""
    discontinuity: bool = False
    """Its timestamps or encoding do not follow from the segment before."""
    map_uri: str | None = None
    """The fMP4 header that belongs to it."""
    parts: tuple[Part, ...] = ()
    gap: bool = False
    """It is missing: players are not to ask for it."""


@dataclass(frozen=True, slots=True)
class DateRange:
    """Timed metadata: what is said about a span of time. `attributes` are the sender's own, named `X-…`."""

    id: str
    start_ms: float
    duration_s: float | None = None
    attributes: tuple[tuple[str, str | float | bytes], ...] = ()
    end_ms: float | None = None
    planned_duration_s: float | None = None
    kind: str | None = None
    """The CLASS attribute."""
    end_on_next: bool = False

    def line(self) -> str:
        """The tag. ID, START-DATE, DURATION and the X- attributes come first and in this order.

        100ms' player for Android finds them by a regular expression with exactly that order. Raises
        ValueError where a text cannot be written (RFC 8216 §4.2 knows no escape).
        """
        told: Attributes = [("ID", quoted(self.id)), ("START-DATE", quoted(date_time(self.start_ms)))]
        if self.duration_s is not None:
            if not self.duration_s >= 0:
                raise ValueError("a date range cannot last less than nothing")
            told.append(("DURATION", decimal(self.duration_s)))
        for name, value in self.attributes:
            if not name.startswith("X-"):
                raise ValueError(f"{name!r}: a client's own attribute begins with X-")
            told.append((name, _own(value)))
        if self.end_ms is not None:
            told.append(("END-DATE", quoted(date_time(self.end_ms))))
        if self.planned_duration_s is not None:
            told.append(("PLANNED-DURATION", decimal(self.planned_duration_s)))
        if self.kind is not None:
            told.append(("CLASS", quoted(self.kind)))
        if self.end_on_next:
            if self.kind is None or self.duration_s is not None or self.end_ms is not None:
                raise ValueError("END-ON-NEXT needs a CLASS and neither duration nor end (RFC 8216 §4.3.2.7)")
            told.append(("END-ON-NEXT", "YES"))
        return "#EXT-X-DATERANGE:" + attribute_list(told)

    @property
    def until_ms(self) -> float:
        """Up to when it says something, Unix ms."""
        if self.end_ms is not None:
            return self.end_ms
        return self.start_ms + 1_000 * (self.duration_s or self.planned_duration_s or 0.0)


@dataclass(frozen=True, slots=True)
class Report:
    """How far another rendition of the same stream is."""

    uri: str
    last_sequence: int
    last_part: int | None = None


@dataclass(frozen=True, slots=True)
class ServerControl:
    """What the server can do beyond handing out files. The same in all playlists of a stream."""

    can_block_reload: bool = True
    skip_until_s: float | None = None
    skip_date_ranges: bool = False
    hold_back_s: float | None = None
    part_hold_back_s: float | None = None

    def line(self) -> str:
        """The tag."""
        told: Attributes = []
        if self.can_block_reload:
            told.append(("CAN-BLOCK-RELOAD", "YES"))
        if self.skip_until_s is not None:
            told.append(("CAN-SKIP-UNTIL", decimal(self.skip_until_s)))
            if self.skip_date_ranges:
                told.append(("CAN-SKIP-DATERANGES", "YES"))
        if self.hold_back_s is not None:
            told.append(("HOLD-BACK", decimal(self.hold_back_s)))
        if self.part_hold_back_s is not None:
            told.append(("PART-HOLD-BACK", decimal(self.part_hold_back_s)))
        return "#EXT-X-SERVER-CONTROL:" + attribute_list(told)


@dataclass(frozen=True, slots=True)
class Skip:
    """What a delta update leaves out."""

    segments: int
    """How many of the oldest segments."""
    date_ranges: frozenset[str] = frozenset()
    """Ids of date ranges the client knows already."""
    removed: tuple[str, ...] = ()
    """Ids of date ranges that have left the playlist lately."""


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """One rendition of a stream: its segments, oldest first, with consecutive numbers."""

    target_s: int
    """No segment, rounded to a whole second, is longer (RFC 8216 §4.3.3.1)."""
    segments: tuple[Segment, ...] = ()
    sequence: int = 0
    """The number of the first segment there is, or that there will be."""
    discontinuity_sequence: int = 0
    kind: Kind = "live"
    ended: bool = False
    part_target_s: float | None = None
    """With parts: no part is longer, and none but a segment's last is shorter than 85 % of it."""
    open_parts: tuple[Part, ...] = ()
    """Of the segment that follows the last one."""
    open_began_ms: float = 0.0
    open_discontinuity: bool = False
    open_map_uri: str | None = None
    hint_uri: str | None = None
    """The part that comes next."""
    control: ServerControl | None = None
    date_ranges: tuple[DateRange, ...] = ()
    reports: tuple[Report, ...] = ()

    @property
    def next_sequence(self) -> int:
        """The number of the segment in the making."""
        return self.sequence + len(self.segments)

    @property
    def duration_s(self) -> float:
        """Of all complete segments."""
        return sum(segment.duration_s for segment in self.segments)

    def version(self, skip: Skip | None = None) -> int:
        """The least that the tags in use require (RFC 8216bis §8)."""
        if skip is not None:
            return 10 if skip.removed or skip.date_ranges else 9
        if any(segment.gap for segment in self.segments):
            return 8
        return 6 if any(s.map_uri for s in self.segments) or self.open_map_uri else 3

    def text(self, skip: Skip | None = None, query: str = "") -> str:
        """The playlist; as a delta update when something may be skipped. `query` is put behind every URI."""
        return "\n".join(self._lines(skip, query)) + "\n"

    def _lines(self, skip: Skip | None, query: str) -> Iterator[str]:
        yield "#EXTM3U"
        yield f"#EXT-X-VERSION:{self.version(skip)}"
        yield f"#EXT-X-TARGETDURATION:{self.target_s}"
        if self.kind != "live":
            yield f"#EXT-X-PLAYLIST-TYPE:{self.kind.upper()}"
        if self.control is not None:
            yield self.control.line()
        if self.part_target_s is not None:
            yield f"#EXT-X-PART-INF:PART-TARGET={decimal(self.part_target_s)}"
        yield f"#EXT-X-MEDIA-SEQUENCE:{self.sequence}"
        if self.kind == "live":
            yield f"#EXT-X-DISCONTINUITY-SEQUENCE:{self.discontinuity_sequence}"
        left_out = 0
        if skip is not None:
            left_out = min(skip.segments, len(self.segments))
            told: Attributes = [("SKIPPED-SEGMENTS", str(left_out))]
            if skip.removed:
                told.append(("RECENTLY-REMOVED-DATERANGES", quoted("\t".join(skip.removed))))
            yield "#EXT-X-SKIP:" + attribute_list(told)
        # What was said in a skipped segment need not be said again: the client carries it on.
        header = self.segments[left_out - 1].map_uri if left_out else None
        for segment in self.segments[left_out:]:
            yield from _opening(segment.discontinuity, segment.map_uri, header, segment.began_ms, query)
            header = segment.map_uri
            yield from (_part(part, query) for part in segment.parts)
            if segment.gap:
                yield "#EXT-X-GAP"
            yield f"#EXTINF:{segment.duration_s:.6f},"
            yield uri(segment.uri, query)
        if self.open_parts:
            yield from _opening(self.open_discontinuity, self.open_map_uri, header, self.open_began_ms, query)
            yield from (_part(part, query) for part in self.open_parts)
        for date_range in self.date_ranges:
            if skip is None or date_range.id not in skip.date_ranges:
                yield date_range.line()
        if self.ended:
            yield "#EXT-X-ENDLIST"
            return
        if self.hint_uri is not None:
            yield f"#EXT-X-PRELOAD-HINT:TYPE=PART,URI={quoted(uri(self.hint_uri, query))}"
        for report in self.reports:
            told = [("URI", quoted(uri(report.uri, query))), ("LAST-MSN", str(report.last_sequence))]
            if report.last_part is not None:
                told.append(("LAST-PART", str(report.last_part)))
            yield "#EXT-X-RENDITION-REPORT:" + attribute_list(told)


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
    independent_segments: bool = field(default=True)

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


def _opening(
    discontinuity: bool, map_uri: str | None, header: str | None, began_ms: float, query: str
) -> Iterator[str]:
    if discontinuity:
        yield "#EXT-X-DISCONTINUITY"
    if map_uri is not None and (discontinuity or map_uri != header):
        yield f"#EXT-X-MAP:URI={quoted(uri(map_uri, query))}"
    yield f"#EXT-X-PROGRAM-DATE-TIME:{date_time(began_ms)}"


def _part(part: Part, query: str) -> str:
    told: Attributes = [("DURATION", f"{part.duration_s:.6f}"), ("URI", quoted(uri(part.uri, query)))]
    if part.independent:
        told.append(("INDEPENDENT", "YES"))
    return "#EXT-X-PART:" + attribute_list(told)


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


def _own(value: str | float | bytes) -> str:
    """A client's own value: a text, a number or bytes (RFC 8216 §4.3.2.7)."""
    if isinstance(value, bytes):
        return "0x" + value.hex().upper()
    return quoted(value) if isinstance(value, str) else decimal(value)
