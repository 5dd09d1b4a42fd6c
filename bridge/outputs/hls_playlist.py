"""HLS media playlists as values, and their text (RFC 8216, and for low latency draft-pantos-hls-rfc8216bis).

A value says what is in a playlist; the text follows from it, so the same value always gives the same bytes.
Nothing here decides when a segment enters or leaves: that is `hls_window`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bridge.outputs.date_range import DateRange
from bridge.outputs.hls_tags import Attributes, attribute_list, date_time, decimal, quoted, uri

Kind = Literal["live", "event", "vod"]
"""`live` slides; `event` only grows; `vod` never changes again."""

_LATER = "\x01"
"""Stands for a query that is not known yet; no URI holds it."""
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
class Settled:
    """The text of the oldest segments of a playlist from which nothing leaves.

    It is kept: to write hours of it anew for every part would take longer than a tick.
    """

    count: int = 0
    text: str = ""
    header: str | None = None
    """Which fMP4 header holds behind them."""

    def with_next(self, segment: Segment) -> Settled:
        """One more, whose parts are not told any more."""
        lines = "\n".join(_segment_lines(segment, self.header, _LATER))
        return Settled(self.count + 1, f"{self.text}{lines}\n", segment.map_uri)


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
    settled: Settled = Settled()
    """Of the first segments, the text as it was written before."""

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
        return 6 if self.open_map_uri or any(segment.map_uri for segment in self.segments) else 3

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
        if self.kind == "live" or self.discontinuity_sequence:
            yield f"#EXT-X-DISCONTINUITY-SEQUENCE:{self.discontinuity_sequence}"
        left_out = 0
        if skip is not None:
            left_out = min(skip.segments, len(self.segments))
            told: Attributes = [("SKIPPED-SEGMENTS", str(left_out))]
            if skip.removed:
                told.append(("RECENTLY-REMOVED-DATERANGES", quoted("\t".join(skip.removed))))
            yield "#EXT-X-SKIP:" + attribute_list(told)
        elif self.settled.count:
            left_out = self.settled.count
            yield self.settled.text.replace(f"?{_LATER}", f"?{query}" if query else "").removesuffix("\n")
        # What was said in a skipped segment need not be said again: the client carries it on.
        header = self.segments[left_out - 1].map_uri if left_out else None
        for segment in self.segments[left_out:]:
            yield from _segment_lines(segment, header, query)
            header = segment.map_uri
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


def _opening(
    discontinuity: bool, map_uri: str | None, header: str | None, began_ms: float, query: str
) -> Iterator[str]:
    if discontinuity:
        yield "#EXT-X-DISCONTINUITY"
    if map_uri is not None and (discontinuity or map_uri != header):
        yield f"#EXT-X-MAP:URI={quoted(uri(map_uri, query))}"
    yield f"#EXT-X-PROGRAM-DATE-TIME:{date_time(began_ms)}"


def _segment_lines(segment: Segment, header: str | None, query: str) -> Iterator[str]:
    yield from _opening(segment.discontinuity, segment.map_uri, header, segment.began_ms, query)
    yield from (_part(part, query) for part in segment.parts)
    if segment.gap:
        yield "#EXT-X-GAP"
    yield f"#EXTINF:{segment.duration_s:.6f},"
    yield uri(segment.uri, query)


def _part(part: Part, query: str) -> str:
    told: Attributes = [("DURATION", f"{part.duration_s:.6f}"), ("URI", quoted(uri(part.uri, query)))]
    if part.independent:
        told.append(("INDEPENDENT", "YES"))
    return "#EXT-X-PART:" + attribute_list(told)
