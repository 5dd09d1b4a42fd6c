"""What is in a live stream's playlists at the moment, and which files may go. Pure; `now_ms` is an argument.

A segment that has left the playlist stays on the disk as long as a player may still ask for it
(RFC 8216bis §6.2.2): for its own duration and that of the longest playlist it was in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bridge.outputs.date_range import DateRange
from bridge.outputs.hls_delivery import Directives
from bridge.outputs.hls_names import part_file
from bridge.outputs.hls_playlist import (
    SKIP_BOUNDARY_TARGETS,
    MediaPlaylist,
    Part,
    Report,
    Segment,
    ServerControl,
    Settled,
    Skip,
)

MAX_DATE_RANGES = 1_000
_LIVE_EDGE_TARGETS = 3
"""Parts further from the end than so many target durations leave the playlist."""
_SETTLED_AFTER = 20
"""So many of the newest segments of what only grows are written anew each time."""


@dataclass(frozen=True, slots=True)
class _Leaving:
    file: str
    from_ms: float
    """From when on it may be deleted."""


class HlsWindow:
    """One rendition: segments come at its end and, when it slides, leave at its beginning."""

    def __init__(self, playlist: MediaPlaylist, length: int | None, report_uri: str | None = None) -> None:
        """`playlist`: as it begins, empty. `length`: segments it holds; None for all."""
        self._base = playlist
        self._length = length
        self._report_uri = report_uri
        self._segments: deque[Segment] = deque()
        self._appeared: deque[float] = deque()
        self._sequence = playlist.sequence
        self._discontinuities = playlist.discontinuity_sequence
        self._longest_s = 0.0
        self._open: list[Part] = []
        # When it began, whether it is a discontinuity, its header.
        self._open_state: tuple[float, bool, str | None] = (0.0, False, None)
        self._ranges: dict[str, tuple[DateRange, float]] = {}
        self._removed: deque[tuple[str, float]] = deque()
        self._leaving: deque[_Leaving] = deque()
        self._ended = False
        self._settled = Settled()
        self._playlist: MediaPlaylist | None = None

    # --- what there is ---

    def playlist(self, other: HlsWindow | None = None) -> MediaPlaylist:
        """As it is now; with a report of how far `other` is, where parts are offered."""
        if self._playlist is None:
            began_ms, discontinuity, map_uri = self._open_state
            segments = tuple(self._segments)
            self._playlist = replace(
                self._base,
                segments=segments,
                sequence=self._sequence,
                discontinuity_sequence=self._discontinuities,
                ended=self._ended,
                open_parts=tuple(self._open),
                open_began_ms=began_ms,
                open_discontinuity=discontinuity,
                open_map_uri=map_uri if self._open else None,
                hint_uri=None if self._base.part_target_s is None else self.hint,
                date_ranges=tuple(told for told, _ in self._ranges.values()),
                settled=self._settled,
            )
        if other is None or self._ended or self._base.control is None:
            return self._playlist
        return replace(self._playlist, reports=tuple(other.report()))

    def report(self) -> Iterator[Report]:
        """How far this one is, for the other renditions' playlists."""
        if self._report_uri is None or (not self._segments and not self._open):
            return
        if self._open:
            yield Report(self._report_uri, self.next_sequence, len(self._open) - 1)
        else:
            last = self._segments[-1]
            yield Report(self._report_uri, last.sequence, len(last.parts) - 1 if last.parts else None)

    def skip(self, asked: Directives, now_ms: float) -> Skip | None:
        """What a delta update may leave out; None where there can be none."""
        boundary = None if self._base.control is None else self._base.control.skip_until_s
        if asked.skip == "no" or boundary is None or self._ended:
            return None
        left, segments = boundary, len(self._segments)
        for segment in reversed(self._segments):
            if left <= 0:
                break
            left -= segment.duration_s
            segments -= 1
        if asked.skip == "segments":
            return Skip(segments) if segments else None
        since_ms = now_ms - boundary * 1_000
        known = frozenset(told.id for told, added_ms in self._ranges.values() if added_ms < since_ms)
        removed = tuple(name for name, at_ms in self._removed if at_ms >= since_ms)
        return Skip(segments, known, removed) if segments else None

    @property
    def hint(self) -> str:
        """The part that comes next."""
        return part_file(self.next_sequence, len(self._open))

    @property
    def next_sequence(self) -> int:
        """The number of the segment in the making."""
        return self._sequence + len(self._segments)

    @property
    def open_parts(self) -> tuple[Part, ...]:
        """Of the segment in the making."""
        return tuple(self._open)

    @property
    def ended(self) -> bool:
        """Nothing comes any more."""
        return self._ended

    # --- what comes ---

    def add_part(self, part: Part, began_ms: float, discontinuity: bool, map_uri: str) -> None:
        """A part of the segment in the making; the times and the header are the segment's."""
        if not self._open:
            self._open_state = (began_ms, discontinuity, map_uri)
        self._open.append(part)
        self._playlist = None

    def add_segment(self, segment: Segment, now_ms: float) -> None:
        """The next segment; its parts are those that came before. Raises ValueError out of order."""
        if segment.sequence != self.next_sequence:
            raise ValueError(f"segment {segment.sequence} instead of {self.next_sequence}")
        parts = segment.parts or tuple(self._open)
        self._segments.append(replace(segment, parts=parts))
        self._appeared.append(now_ms)
        self._open.clear()
        duration_s = sum(held.duration_s for held in self._segments)
        self._longest_s = max(self._longest_s, duration_s)
        self._slide(duration_s)
        self._drop_parts(now_ms)
        self._drop_ranges(now_ms)
        self._settle()
        self._playlist = None

    def add_date_range(self, told: DateRange, now_ms: float) -> None:
        """Timed metadata, or more about what was told before.

        Raises ValueError for an id that stands for another range, for one too many, and for texts that
        cannot be written.
        """
        told.line()
        before = self._ranges.get(told.id)
        if before is not None and before[0].start_ms != told.start_ms:
            raise ValueError("the id stands for another date range (RFC 8216 §4.3.2.7)")
        if before is None and len(self._ranges) >= MAX_DATE_RANGES:
            raise ValueError(f"there are {MAX_DATE_RANGES} date ranges already")
        self._ranges[told.id] = (told, now_ms)
        self._playlist = None

    def end(self) -> None:
        """Nothing follows. What only grew never changes again."""
        self._ended = True
        self._open.clear()
        if self._base.kind == "event":
            self._base = replace(self._base, kind="vod")
        self._playlist = None

    # --- what goes ---

    def expired(self, now_ms: float) -> list[str]:
        """Files nobody may ask for any more; each is named once."""
        gone = [left.file for left in self._leaving if left.from_ms <= now_ms]
        self._leaving = deque(left for left in self._leaving if left.from_ms > now_ms)
        return gone

    def _slide(self, duration_s: float) -> None:
        if self._length is None:
            return
        least_s = 3 * self._base.target_s
        while len(self._segments) > self._length:
            first = self._segments[0]
            if duration_s - first.duration_s < least_s:
                return
            duration_s -= first.duration_s
            self._segments.popleft()
            # A discontinuity counts as long as its segment is there; then it moves into the number.
            self._discontinuities += first.discontinuity
            self._sequence += 1
            from_ms = self._appeared.popleft() + (first.duration_s + self._longest_s) * 1_000
            self._leaving.append(_Leaving(first.uri, from_ms))
            self._leaving.extend(_Leaving(part.uri, from_ms) for part in first.parts)
            self._forget_header(first)

    def _forget_header(self, gone: Segment) -> None:
        if gone.map_uri is None or any(held.map_uri == gone.map_uri for held in self._segments):
            return
        if self._open and self._open_state[2] == gone.map_uri:
            return
        self._leaving.append(_Leaving(gone.map_uri, self._leaving[-1].from_ms))

    def _drop_parts(self, now_ms: float) -> None:
        edge_s = float(_LIVE_EDGE_TARGETS * self._base.target_s)
        behind_s = 0.0
        for index in range(len(self._segments) - 1, -1, -1):
            segment = self._segments[index]
            if behind_s > edge_s and segment.parts:
                from_ms = now_ms + edge_s * 1_000
                self._leaving.extend(_Leaving(part.uri, from_ms) for part in segment.parts)
                self._segments[index] = replace(segment, parts=())
            behind_s += segment.duration_s

    def _settle(self) -> None:
        if self._length is not None:
            return
        while self._settled.count < len(self._segments) - _SETTLED_AFTER:
            segment = self._segments[self._settled.count]
            if segment.parts:
                return
            self._settled = self._settled.with_next(segment)

    def _drop_ranges(self, now_ms: float) -> None:
        if self._length is None or not self._segments:
            return
        first_ms = self._segments[0].began_ms
        for told, _ in [*self._ranges.values()]:
            if told.until_ms < first_ms:
                del self._ranges[told.id]
                self._removed.append((told.id, now_ms))
        boundary_ms = now_ms - SKIP_BOUNDARY_TARGETS * self._base.target_s * 1_000
        while self._removed and self._removed[0][1] < boundary_ms:
            self._removed.popleft()


def control_for(target_s: int, part_target_s: float | None) -> ServerControl:
    """What a stream offers. Without parts players stay three target durations back, with them three parts."""
    skip_s = float(SKIP_BOUNDARY_TARGETS * target_s)
    if part_target_s is None:
        return ServerControl(skip_until_s=skip_s, skip_date_ranges=True)
    # Three part durations are the recommended least; half a part more bridges a late one.
    return ServerControl(skip_until_s=skip_s, skip_date_ranges=True, part_hold_back_s=3.5 * part_target_s)
