"""Reads HLS playlists as a player does and holds them to the rules; knows nothing of how ours are made."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import datetime

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)(?:,|$)')


def attributes_of(text: str) -> dict[str, str]:
    """An attribute list; quotes are taken off. Fails for what is none."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _ATTRIBUTE.match(text, at)
        assert match is not None, f"no attribute list: {text[at:]!r}"
        name, value = match.groups()
        assert name not in found, f"{name} comes twice"
        found[name] = value.strip('"')
        at = match.end()
    return found


@dataclass
class ReadPart:
    uri: str
    duration: float
    independent: bool


@dataclass
class ReadSegment:
    sequence: int
    uri: str = ""
    duration: float = 0.0
    discontinuity: bool = False
    gap: bool = False
    map_uri: str | None = None
    date_ms: float | None = None
    parts: list[ReadPart] = field(default_factory=list)
    discontinuity_sequence: int = 0


@dataclass
class ReadPlaylist:
    text: str
    version: int = 1
    target: int = 0
    sequence: int = 0
    discontinuity_sequence: int = 0
    kind: str | None = None
    ended: bool = False
    part_target: float | None = None
    control: dict[str, str] = field(default_factory=dict)
    segments: list[ReadSegment] = field(default_factory=list)
    open: ReadSegment | None = None
    date_ranges: dict[str, dict[str, str]] = field(default_factory=dict)
    hint: str | None = None
    reports: dict[str, dict[str, str]] = field(default_factory=dict)
    skipped: int = 0
    removed_ranges: list[str] = field(default_factory=list)

    @property
    def last_sequence(self) -> int:
        return self.sequence + self.skipped + len(self.segments) - 1

    @property
    def open_parts(self) -> list[ReadPart]:
        return self.open.parts if self.open is not None else []

    def part_uris(self) -> list[str]:
        """Of all parts that are named, oldest first."""
        segments = [*self.segments, *([self.open] if self.open else [])]
        return [part.uri for segment in segments for part in segment.parts]


def read(text: str, before: ReadPlaylist | None = None) -> ReadPlaylist:
    """A media playlist; a delta update needs the playlist `before`."""
    lines = text.split("\n")
    assert lines[0] == "#EXTM3U" and lines[-1] == "", "first and last line"
    playlist = ReadPlaylist(text)
    tags = 0
    current: ReadSegment | None = None
    map_uri: str | None = None
    segments: list[ReadSegment] = []
    for line in lines[1:-1]:
        assert line, "an empty line"
        name, _, value = line.partition(":")
        if not line.startswith("#"):
            assert current is not None and current.duration, f"{line} without EXTINF"
            current.uri = line
            segments.append(current)
            current = None
            continue
        tags += 1
        if name in _OF_A_SEGMENT and current is None:
            current = ReadSegment(0, map_uri=map_uri)
        match name:
            case "#EXT-X-VERSION":
                playlist.version = int(value)
            case "#EXT-X-TARGETDURATION":
                playlist.target = int(value)
            case "#EXT-X-MEDIA-SEQUENCE":
                playlist.sequence = int(value)
            case "#EXT-X-DISCONTINUITY-SEQUENCE":
                assert not segments
                playlist.discontinuity_sequence = int(value)
            case "#EXT-X-PLAYLIST-TYPE":
                playlist.kind = value
            case "#EXT-X-ENDLIST":
                playlist.ended = True
            case "#EXT-X-PART-INF":
                playlist.part_target = float(attributes_of(value)["PART-TARGET"])
            case "#EXT-X-SERVER-CONTROL":
                playlist.control = attributes_of(value)
            case "#EXT-X-SKIP":
                told = attributes_of(value)
                playlist.skipped = int(told["SKIPPED-SEGMENTS"])
                playlist.removed_ranges = told.get("RECENTLY-REMOVED-DATERANGES", "").split("\t")
            case "#EXT-X-DATERANGE":
                told = attributes_of(value)
                playlist.date_ranges[told["ID"]] = told
            case "#EXT-X-PRELOAD-HINT":
                assert playlist.hint is None, "two hints of a type"
                playlist.hint = attributes_of(value)["URI"]
            case "#EXT-X-RENDITION-REPORT":
                told = attributes_of(value)
                playlist.reports[told["URI"]] = told
            case "#EXT-X-MAP":
                map_uri = attributes_of(value)["URI"]
                assert current is not None
                current.map_uri = map_uri
            case "#EXT-X-DISCONTINUITY":
                assert current is not None
                current.discontinuity = True
            case "#EXT-X-GAP":
                assert current is not None
                current.gap = True
            case "#EXT-X-PROGRAM-DATE-TIME":
                assert current is not None
                current.date_ms = datetime.fromisoformat(value).timestamp() * 1_000
            case "#EXT-X-PART":
                told = attributes_of(value)
                assert current is not None
                current.parts.append(
                    ReadPart(told["URI"], float(told["DURATION"]), told.get("INDEPENDENT") == "YES")
                )
            case "#EXTINF":
                assert current is not None
                current.duration = float(value.partition(",")[0])
            case _:
                raise AssertionError(f"an unknown tag: {line}")
    playlist.segments, playlist.open = segments, current
    if playlist.skipped and before is not None:
        _fill_in(playlist, before)
    number, discontinuities = playlist.sequence, playlist.discontinuity_sequence
    for segment in [*playlist.segments, *([current] if current else [])]:
        discontinuities += segment.discontinuity
        segment.sequence, segment.discontinuity_sequence = number, discontinuities
        number += 1
    return playlist


_OF_A_SEGMENT = {
    "#EXT-X-MAP", "#EXT-X-DISCONTINUITY", "#EXT-X-GAP", "#EXT-X-PROGRAM-DATE-TIME", "#EXT-X-PART", "#EXTINF",
}  # fmt: skip


def _fill_in(playlist: ReadPlaylist, before: ReadPlaylist) -> None:
    known = {segment.sequence: segment for segment in before.segments}
    wanted = range(playlist.sequence, playlist.sequence + playlist.skipped)
    assert all(number in known for number in wanted), "a delta update skips what the player does not know"
    skipped = [known[number] for number in wanted]
    carried = skipped[-1].map_uri
    for segment in [*playlist.segments, *([playlist.open] if playlist.open else [])]:
        if segment.map_uri is None:
            segment.map_uri = carried
        carried = segment.map_uri
    playlist.segments = [*skipped, *playlist.segments]
    playlist.skipped = 0
    ranges = {name: told for name, told in before.date_ranges.items() if name not in playlist.removed_ranges}
    playlist.date_ranges = {**ranges, **playlist.date_ranges}


def faults(playlist: ReadPlaylist, before: ReadPlaylist | None = None) -> list[str]:
    """What is wrong with a playlist, by itself and as the successor of `before` (both without skips)."""
    wrong: list[str] = []

    def must(holds: bool, rule: str) -> None:
        if not holds:
            wrong.append(rule)

    segments = playlist.segments
    must(playlist.target >= 1, "a target duration is a whole number of seconds")
    for segment in segments:
        must(math.floor(segment.duration + 0.5) <= playlist.target, f"{segment.sequence} exceeds the target")
        must(segment.date_ms is not None, f"{segment.sequence} has no date")
    if any(segment.map_uri for segment in segments):
        must(playlist.version >= 6, "EXT-X-MAP needs version 6")
    must(playlist.version >= 3, "decimal durations need version 3")
    _check_parts(playlist, must)
    _check_dates(playlist, must)
    if playlist.kind is None and not playlist.ended and playlist.sequence > 0:
        length = sum(segment.duration for segment in segments)
        must(length >= 3 * playlist.target, "a sliding playlist holds three target durations")
    if playlist.control:
        skip = playlist.control.get("CAN-SKIP-UNTIL")
        must(skip is None or float(skip) >= 6 * playlist.target, "the skip boundary is six target durations")
    if playlist.ended:
        must(playlist.hint is None, "nothing comes after the end")
    if before is not None:
        _check_change(playlist, before, must)
    return wrong


def _check_parts(playlist: ReadPlaylist, must) -> None:
    target = playlist.part_target
    with_parts = [segment for segment in playlist.segments if segment.parts]
    if target is None:
        must(not with_parts and playlist.open is None, "parts need PART-INF")
        return
    must("PART-HOLD-BACK" in playlist.control, "PART-INF needs PART-HOLD-BACK")
    must(float(playlist.control["PART-HOLD-BACK"]) >= 2 * target, "PART-HOLD-BACK is two parts at least")
    for segment in [*with_parts, *([playlist.open] if playlist.open else [])]:
        for index, part in enumerate(segment.parts):
            last = segment is not playlist.open and index == len(segment.parts) - 1
            must(part.duration <= target + 2e-6, f"{part.uri} exceeds the part target")
            must(part.duration >= 0.85 * target or last, f"{part.uri} is shorter than 85 % of the target")
    for segment in with_parts:
        whole = sum(part.duration for part in segment.parts)
        must(abs(whole - segment.duration) < 1e-4, f"{segment.sequence} is not the sum of its parts")
        must(segment.parts[0].independent, f"{segment.sequence} begins with what depends on something")
    behind = 0.0
    for segment in reversed(playlist.segments):
        if behind > 3 * playlist.target + 1e-6:
            must(not segment.parts, f"{segment.sequence} still has parts")
        behind += segment.duration


def _check_dates(playlist: ReadPlaylist, must) -> None:
    for one, next_one in zip(playlist.segments, playlist.segments[1:], strict=False):
        if one.date_ms is None or next_one.date_ms is None or next_one.discontinuity:
            continue
        gap_ms = next_one.date_ms - one.date_ms - 1_000 * one.duration
        must(abs(gap_ms) <= 2, f"the date of {next_one.sequence} does not follow")


def _check_change(playlist: ReadPlaylist, before: ReadPlaylist, must) -> None:
    must(playlist.target == before.target, "the target duration changed")
    must(playlist.sequence >= before.sequence, "the media sequence went back")
    must(playlist.discontinuity_sequence >= before.discontinuity_sequence, "discontinuities went back")
    known = {segment.sequence: segment for segment in before.segments}
    for segment in playlist.segments:
        old = known.get(segment.sequence)
        if old is None:
            must(segment.sequence > before.last_sequence, f"{segment.sequence} came in between")
            continue
        same = (old.uri, old.duration, old.discontinuity_sequence, old.map_uri, old.date_ms) == (
            segment.uri, segment.duration, segment.discontinuity_sequence, segment.map_uri, segment.date_ms,
        )  # fmt: skip
        must(same, f"{segment.sequence} changed")
        if segment.parts:
            must([p.uri for p in segment.parts] == [p.uri for p in old.parts], "parts changed")
    if before.open is not None and before.open_parts:
        later = next((s for s in playlist.segments if s.sequence == before.last_sequence + 1), playlist.open)
        if later is not None and later.parts:
            uris = [part.uri for part in later.parts]
            must(
                uris[: len(before.open_parts)] == [p.uri for p in before.open_parts], "parts were taken back"
            )
    if before.ended:
        must(playlist.text == before.text, "an ended playlist changed")
