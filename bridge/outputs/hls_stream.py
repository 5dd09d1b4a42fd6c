"""One live HLS stream as its viewers see it: both renditions, kept from what the encoder tells."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from bridge.outputs.date_range import DateRange
from bridge.outputs.hls_master import MasterPlaylist, Subtitles, Variant
from bridge.outputs.hls_names import CAPTIONS, MEDIA, part_file, segment_file
from bridge.outputs.hls_playlist import MediaPlaylist, Part, Segment
from bridge.outputs.hls_window import HlsWindow, control_for
from bridge.outputs.live_wire import AddHls, CaptionsMade, Closed, HlsSpec, Opened, PartMade, SegmentMade
from bridge.outputs.media_units import CLOCK_HZ
from bridge.spread import Spread

log = logging.getLogger(__name__)

Told = Opened | PartMade | SegmentMade | CaptionsMade | Closed


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """How a stream does. Delays in ms: from when the last sample of a part (or segment, where there are no
    parts) sounded until it was in the playlist; None before the first one.
    """

    segments: int
    parts: int
    bytes: int
    delay_p50_ms: int | None
    delay_p99_ms: int | None
    waiting: int
    """Requests that wait for what comes."""


class HlsStream:
    """Takes the encoder's events with `told`; `changed` is set and replaced whenever a playlist is another.

    On one event loop's thread; touches no file.
    """

    def __init__(
        self, spec: HlsSpec, now_ms: Callable[[], float], *, static: bool = False, sequence: int = 0
    ) -> None:
        """`now_ms`: the wall clock, Unix ms. `static`: given out by what can only give out files.

        `sequence`: the first segment's number. A stream that is taken up again under the same name must not
        count from 0 again: numbers never decrease (RFC 8216bis §6.2.2).
        """
        self._first = sequence
        self._static = static
        self.spec = spec
        self.changed = asyncio.Event()
        self.version = 0
        """Grows with every change."""
        self.media: HlsWindow | None = None
        self.captions: HlsWindow | None = None
        self.waiting = 0
        self._now_ms = now_ms
        self._opened: Opened | None = None
        self._known: set[str] = set()
        self._uncaptioned: dict[int, SegmentMade] = {}
        self._open: list[PartMade] = []
        self._delays = Spread()
        self._segments = self._parts = self._bytes = 0
        self._peak = 0
        self._early: list[DateRange] = []

    # --- what comes ---

    def told(self, event: Told, *, gap: bool = False) -> None:
        """Something was made; its file is there, but for a `gap`."""
        match event:
            case Opened():
                self._open_with(event)
            case PartMade():
                self._part(event)
            case SegmentMade():
                self._segment(event, gap)
            case CaptionsMade():
                self._captioned(event, gap)
            case Closed():
                self.end()
        self._change()

    def mark(self, date_range: DateRange) -> None:
        """Timed metadata. Raises ValueError for what cannot be written, or stands for something else."""
        if self.media is None:
            date_range.line()
            self._early.append(date_range)
            return
        self.media.add_date_range(date_range, self._now_ms())
        self._change()

    def end(self) -> None:
        """Nothing follows."""
        for window in (self.media, self.captions):
            if window is not None:
                window.end()
        self._change()

    def wake(self) -> None:
        """Whoever waits for a change is to look again."""
        self._change()

    def resumed(self, output: str, directory: str) -> AddHls:
        """The order for another encoder that goes on where one died."""
        if self.media is None:
            return AddHls(output, self.spec, directory, self._first)
        sequence = self.media.next_sequence
        if not self._open:
            return AddHls(output, self.spec, directory, sequence, uncaptioned=self._without_captions())
        first, last = self._open[0], self._open[-1]
        torn = SegmentMade(
            output, sequence, segment_file(sequence, "fmp4"), first.header, first.at,
            last.at + last.duration - first.at, first.began_ms, first.discontinuity, 0,
        )  # fmt: skip
        parts = tuple(part.file for part in self._open)
        return AddHls(output, self.spec, directory, sequence + 1, torn, parts, self._without_captions())

    # --- what there is ---

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.media is not None and self.media.ended

    def playlist(self, name: str) -> MediaPlaylist | None:
        """The media playlist of that name; None when there is none (yet)."""
        if name == MEDIA and self.media is not None:
            return self.media.playlist(self.captions)
        if name == CAPTIONS and self.captions is not None:
            return self.captions.playlist(self.media)
        return None

    def window(self, name: str) -> HlsWindow | None:
        """The rendition of that name."""
        return self.media if name == MEDIA else self.captions if name == CAPTIONS else None

    def master(self) -> MasterPlaylist | None:
        """What there is to choose from; None before the encoder has begun."""
        if self._opened is None:
            return None
        sound, picture, captions = self.spec.sound, self.spec.picture, self.spec.captions
        usual = sound.bitrate + (0 if picture is None else picture.bitrate)
        # An encoder's rate goes up and down around what it was told; containers add a little.
        peak = max(self._peak, int(usual * 1.5) + 20_000)
        variant = Variant(
            MEDIA,
            peak,
            self._opened.codecs,
            min(peak, int(usual * 1.1) + 8_000),
            None if picture is None else picture.width,
            None if picture is None else picture.height,
            self._opened.fps,
        )
        subtitles = None if captions is None else Subtitles(CAPTIONS, captions.language, captions.name)
        return MasterPlaylist([variant], subtitles)

    def knows(self, file: str) -> bool:
        """Whether there is such a file to be given out."""
        return file in self._known

    def hinted(self, file: str) -> bool:
        """Whether the file is the part that comes next, and is worth waiting for."""
        return self.media is not None and not self.media.ended and file == self._hint()

    def expired(self) -> list[str]:
        """Files nobody may ask for any more; they are forgotten here, and to be deleted."""
        now_ms, gone = self._now_ms(), []
        for window in (self.media, self.captions):
            if window is not None:
                gone += window.expired(now_ms)
        self._known.difference_update(gone)
        return gone

    def figures(self) -> StreamFigures:
        """As it is now."""
        p50, p99 = self._delays.percentile(0.5), self._delays.percentile(0.99)
        return StreamFigures(self._segments, self._parts, self._bytes, p50, p99, self.waiting)

    # --- the encoder's events, one by one ---

    def _open_with(self, opened: Opened) -> None:
        if self.media is not None:  # another encoder goes on
            return
        self._opened = opened
        control = None if self._static else control_for(opened.target_s, opened.part_target_s)
        length = self.spec.window if self.spec.kind == "live" else None
        begin = MediaPlaylist(
            opened.target_s,
            sequence=self._first,
            discontinuity_sequence=self._first,
            kind=self.spec.kind,
            control=control,
        )
        media = replace(begin, part_target_s=opened.part_target_s)
        low_latency = opened.part_target_s is not None
        self.media = HlsWindow(media, length, MEDIA if low_latency else None)
        if self.spec.captions is not None:
            self.captions = HlsWindow(begin, length, CAPTIONS if low_latency else None)
        for date_range in self._early:
            self.media.add_date_range(date_range, self._now_ms())
        self._early.clear()

    def _part(self, made: PartMade) -> None:
        assert self.media is not None
        self._known.update((made.file, made.header))
        self._open.append(made)
        self._parts += 1
        if made.last:  # its segment comes with it: until then there is nothing to be hinted at
            return
        self._enter(made)
        self._late(made.began_ms, made.duration)

    def _enter(self, made: PartMade) -> None:
        assert self.media is not None
        first = self._open[0]
        part = Part(made.file, made.duration / CLOCK_HZ, made.independent)
        self.media.add_part(part, first.began_ms, first.discontinuity, made.header)

    def _segment(self, made: SegmentMade, gap: bool) -> None:
        assert self.media is not None
        if self._open and self._open[-1].last:
            last = self._open[-1]
            self._enter(last)
            self._late(last.began_ms, last.duration)
        elif not self._open:
            self._late(made.began_ms, made.duration)
        self._open.clear()
        self._known.add(made.file)
        if made.header is not None:
            self._known.add(made.header)
        self.media.add_segment(_segment(made, made.file, made.header, gap), self._now_ms())
        self._segments += 1
        self._bytes += made.size
        self._peak = max(self._peak, made.size * 8 * CLOCK_HZ // max(made.duration, 1))
        if self.captions is not None:
            self._uncaptioned[made.sequence] = made

    def _captioned(self, made: CaptionsMade, gap: bool) -> None:
        segment = self._uncaptioned.pop(made.sequence, None)
        if segment is None or self.captions is None:
            return
        self._known.add(made.file)
        self.captions.add_segment(_segment(segment, made.file, None, gap), self._now_ms())

    def _late(self, began_ms: float, duration: int) -> None:
        self._delays.add(round(self._now_ms() - began_ms - duration * 1_000 / CLOCK_HZ))

    def _without_captions(self) -> tuple[SegmentMade, ...]:
        return tuple(made for _, made in sorted(self._uncaptioned.items()))

    def _hint(self) -> str:
        assert self.media is not None
        return part_file(self.media.next_sequence, len(self._open))

    def _change(self) -> None:
        self.version += 1
        self.changed.set()
        self.changed = asyncio.Event()


def _segment(made: SegmentMade, file: str, header: str | None, gap: bool) -> Segment:
    duration_s = made.duration / CLOCK_HZ
    return Segment(made.sequence, file, duration_s, made.began_ms, made.discontinuity, header, gap=gap)
