"""A live HLS output, where its files are made: coded frames in, parts and segments in a directory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from bridge.outputs.cutter import CutPlan, Cutter, Piece, plan_picture, plan_sound
from bridge.outputs.fmp4 import Fmp4
from bridge.outputs.hls_names import captions_file, header_file, part_file, segment_file
from bridge.outputs.live_codings import Coding, PictureCoding, SoundCoding
from bridge.outputs.live_wire import (
    AddHls,
    CaptionsMade,
    Closed,
    Event,
    Opened,
    PartMade,
    SegmentMade,
    Trouble,
)
from bridge.outputs.media_units import CLOCK_HZ
from bridge.outputs.mpegts import TransportStream
from bridge.outputs.webvtt import CaptionQueue, Cue, segment_text

_FRAGMENTS_A_SEGMENT = 1_000
"""So that fragment numbers grow also when another process goes on with the next segment."""


class HlsOutput:
    """Writes files, and tells of each when it is there. Never raises because of a disk: it says `Trouble`.

    Order of calls: `begin`, then `take` as often as there is something, `cut` and `begin` again where time
    jumps, at last `close`.
    """

    def __init__(self, order: AddHls, origin_ms: float, tell: Callable[[Event], None]) -> None:
        """`origin_ms`: when sample 0 sounded, Unix ms."""
        self.sound, self.picture = order.spec.sound, order.spec.picture
        self._name, self._spec = order.output, order.spec
        self._directory = Path(order.directory)
        self._origin_ms = origin_ms
        self._tell = tell
        self._sequence = order.sequence
        self._discontinuity = order.sequence > 0
        self._opened = False
        self._trouble = ""
        self._skipping = False  # something could not be written; what follows begins anew
        self._header_file: str | None = None
        self._header = b""
        self._captions = None if order.spec.captions is None else CaptionQueue()
        self._uncaptioned: deque[SegmentMade] = deque(order.uncaptioned)
        self._parts: list[bytes] = []
        self._parts_at = self._parts_until = 0
        if order.torn is not None:
            self._mend(order.torn, order.torn_parts)

    def begin(self, sound: SoundCoding, picture: PictureCoding | None) -> None:
        """Who codes from now on."""
        self._plan = self._plan_for(sound, picture)
        self._cutter = Cutter(self._plan, picture is not None)
        self._mp4 = Fmp4(sound.track, None if picture is None else picture.track)
        self._ts = None
        if self._spec.container == "ts":
            self._ts = TransportStream(sound.track, None if picture is None else picture.track)
        if not self._opened:
            self._opened = True
            tracks = (
                [sound.track.codec_name]
                if picture is None
                else ([picture.track.codec_name, sound.track.codec_name])
            )
            fps = None if picture is None else float(picture.spec.fps)
            plan = self._plan
            self._tell(Opened(self._name, plan.target_s, plan.part_s, ",".join(tracks), fps))

    def take(self, sound: Coding, picture: Coding, now: int) -> None:
        """What was coded up to `now` (samples)."""
        self._cutter.put_sound(sound.units)
        self._cutter.put_picture(picture.units)
        self._make(self._cutter.pieces())
        self._give_captions(now)

    def caption(self, cue: Cue) -> None:
        """Something was said."""
        if self._captions is not None:
            self._captions.put(cue)

    def cut(self) -> None:
        """Time jumps: what is in the making is finished, what follows begins anew."""
        self._make(self._cutter.finish())
        self._complete()
        self._discontinuity = True

    def close(self, why: str = "") -> None:
        """Finish what is in the making."""
        if self._opened:
            self._make(self._cutter.finish())
            self._complete()
            self._give_captions(None)
        self._tell(Closed(self._name, why))

    def _plan_for(self, sound: SoundCoding, picture: PictureCoding | None) -> CutPlan:
        segment_s, part_s = self._spec.segment_s, self._spec.part_s
        if picture is None:
            return plan_sound(segment_s, part_s, sound.frame)
        return plan_picture(segment_s, part_s, picture.spec.fps, picture.spec.keyframe_s)

    def _make(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            if self._skipping:
                if not self._complete() or not piece.independent:
                    continue
                self._skipping = False
            try:
                self._write_header()
                if self._plan.part is None:
                    self._whole(piece)
                else:
                    self._part(piece)
            except OSError as error:
                self._failed(error)
            else:
                self._went_well()

    def _whole(self, piece: Piece) -> None:
        if self._ts is not None:
            self._segment(
                segment_file(self._sequence, "ts"), self._ts.segment(piece.sound, piece.picture), piece
            )
        else:
            number = self._sequence * _FRAGMENTS_A_SEGMENT
            fragment = self._mp4.fragment(number, piece.sound, piece.picture)
            self._segment(segment_file(self._sequence, "fmp4"), fragment, piece)

    def _segment(self, file: str, content: bytes, piece: Piece) -> None:
        self._write(file, content)
        self._made(file, len(content), piece.at, piece.until)

    def _part(self, piece: Piece) -> None:
        index = len(self._parts)
        number = self._sequence * _FRAGMENTS_A_SEGMENT + index
        fragment = self._mp4.fragment(number, piece.sound, piece.picture, first=index == 0)
        file = part_file(self._sequence, index)
        self._write(file, fragment)
        if index == 0:
            self._parts_at = piece.at
        self._parts.append(fragment)
        self._parts_until = piece.until
        assert self._header_file is not None
        made = PartMade(
            self._name, self._sequence, index, file, self._header_file, piece.at, piece.duration,
            self._wall(piece.at), piece.independent, self._discontinuity, piece.closes,
        )  # fmt: skip
        self._tell(made)
        if piece.closes:
            self._write_joined()

    def _complete(self) -> bool:
        """Make the segment of the parts there are; False when it cannot be written."""
        if self._parts:
            try:
                self._write_joined()
            except OSError as error:
                self._failed(error)
                return False
        return True

    def _write_joined(self) -> None:
        content = b"".join(self._parts)
        file = segment_file(self._sequence, "fmp4")
        self._write(file, content)
        self._parts.clear()
        self._made(file, len(content), self._parts_at, self._parts_until)

    def _made(self, file: str, size: int, at: int, until: int) -> None:
        made = SegmentMade(
            self._name, self._sequence, file, self._header_file, at, until - at, self._wall(at),
            self._discontinuity, size,
        )  # fmt: skip
        self._sequence += 1
        self._discontinuity = self._skipping
        if self._captions is not None:
            self._uncaptioned.append(made)
        self._tell(made)

    def _mend(self, torn: SegmentMade, parts: Iterable[str]) -> None:
        """What another process left unfinished."""
        try:
            content = b"".join((self._directory / part).read_bytes() for part in parts)
            self._write(torn.file, content)
        except OSError as error:
            self._say(_reason(error))
        if self._captions is not None:
            self._uncaptioned.append(torn)
        self._tell(torn)

    def _give_captions(self, now: int | None) -> None:
        if self._captions is None or self._spec.captions is None:
            return
        wait = int(self._spec.captions.wait_s * CLOCK_HZ)
        while self._uncaptioned:
            segment = self._uncaptioned[0]
            until = segment.at + segment.duration
            if now is not None and now < until + wait:
                return
            file = captions_file(segment.sequence)
            cues = self._captions.take(segment.at, until)
            try:
                self._write(file, segment_text(cues, segment.at).encode())
            except OSError as error:
                self._say(_reason(error))
                return
            self._uncaptioned.popleft()
            self._tell(CaptionsMade(self._name, segment.sequence, file))

    def _write_header(self) -> None:
        if self._ts is not None:
            return
        header = self._mp4.header()
        if header != self._header:
            file = header_file(self._sequence)
            self._write(file, header)
            self._header_file, self._header = file, header

    def _write(self, file: str, content: bytes) -> None:
        """For whoever looks the file is whole or not there."""
        unfinished = self._directory / f".{file}"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as opened:
                opened.write(content)
            unfinished.rename(self._directory / file)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise

    def _failed(self, error: OSError) -> None:
        self._skipping = True
        # Parts that were told keep their place; only what follows them does not follow from them.
        self._discontinuity = self._discontinuity or not self._parts
        self._say(_reason(error))

    def _went_well(self) -> None:
        self._say("")

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._tell(Trouble(self._name, trouble))

    def _wall(self, at: int) -> float:
        return self._origin_ms + at * 1_000 / CLOCK_HZ


def _reason(error: OSError) -> str:
    """Without the path."""
    return os.strerror(error.errno) if error.errno else "it cannot be written"
