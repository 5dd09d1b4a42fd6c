"""Where a live stream is cut into parts and segments, on whole coded frames and before key frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bridge.outputs.media_units import CLOCK_HZ, Unit


@dataclass(frozen=True, slots=True)
class CutPlan:
    """All counted in steps: coded frames of the picture, or of the sound where there is no picture."""

    step_hz: float
    """Steps a second."""
    part: int | None
    segment: int

    @property
    def part_s(self) -> float | None:
        """The longest part, seconds; all but a segment's last one are so long."""
        return None if self.part is None else self.part / self.step_hz

    @property
    def target_s(self) -> int:
        """The target duration: of whole segments, rounded (RFC 8216 §4.3.3.1)."""
        return max(1, int(self.segment / self.step_hz + 0.5))


def plan_sound(segment_s: float, part_s: float | None, frame: int) -> CutPlan:
    """For sound alone, in frames of `frame` samples: as many whole parts as come nearest to `segment_s`."""
    if part_s is None:
        return CutPlan(CLOCK_HZ / frame, None, max(1, round(segment_s * CLOCK_HZ / frame)))
    part = max(1, int(part_s * CLOCK_HZ / frame + 1e-9))
    return CutPlan(CLOCK_HZ / frame, part, part * max(1, round(segment_s * CLOCK_HZ / frame / part)))


def plan_picture(segment_s: float, part_s: float | None, fps: int, keyframe_s: float) -> CutPlan:
    """With a picture: segments of whole groups of pictures, as many as come nearest to `segment_s`."""
    group = group_of(fps, keyframe_s)
    segment = group * max(1, round(segment_s * fps / group))
    return CutPlan(fps, None if part_s is None else max(1, int(part_s * fps + 1e-9)), segment)


def group_of(fps: int, keyframe_s: float) -> int:
    """How many pictures there are from one key frame to the next."""
    return max(1, int(fps * keyframe_s))


@dataclass(frozen=True, slots=True)
class Piece:
    """What belongs together: a part, or a whole segment where there are no parts."""

    sound: tuple[Unit, ...]
    picture: tuple[Unit, ...]
    at: int
    until: int
    independent: bool
    """It begins with a key frame."""
    opens: bool
    """A segment begins with it."""
    closes: bool
    """A segment ends with it."""

    @property
    def duration(self) -> int:
        """In samples."""
        return self.until - self.at


class Cutter:
    """Takes coded frames in the order of their times, of each track apart, and gives pieces.

    The times of a track follow each other without gaps; after one, finish and take another cutter. A picture
    begins with a key frame (others are dropped), and has one at least every `plan.segment` frames, which the
    encoder's groups see to. Sound that begins before the piece's end belongs to the piece.
    """

    def __init__(self, plan: CutPlan, with_picture: bool) -> None:
        self._plan = plan
        self._with_picture = with_picture
        self._sound: deque[Unit] = deque()
        self._picture: deque[Unit] = deque()
        self._steps = 0  # of the open segment, in pieces already given
        self._at: int | None = None

    def put_sound(self, units: Iterable[Unit]) -> None:
        """What was coded next."""
        self._sound.extend(units)

    def put_picture(self, units: Iterable[Unit]) -> None:
        """What was coded next."""
        for unit in units:
            if self._at is None:
                if not unit.key:
                    continue
                self._at = unit.at
            self._picture.append(unit)

    def pieces(self) -> Iterator[Piece]:
        """Those that are complete."""
        while (piece := self._next()) is not None:
            yield piece

    def finish(self) -> Iterator[Piece]:
        """What is left; the last one may be shorter. Nothing can be put in afterwards."""
        yield from self.pieces()
        if not self._with_picture:
            if self._sound:
                yield self._of_sound(len(self._sound), last=True)
            return
        while self._picture:
            wanted = min(self._wanted(), len(self._picture))
            last = wanted == len(self._picture)
            yield self._with_pictures(wanted, self._picture[wanted - 1].until, last)

    def _wanted(self) -> int:
        """How many steps the next piece has."""
        left = self._plan.segment - self._steps
        return left if self._plan.part is None else min(self._plan.part, left)

    def _next(self) -> Piece | None:
        wanted = self._wanted()
        if not self._with_picture:
            return self._of_sound(wanted) if len(self._sound) >= wanted else None
        if self._at is None or len(self._picture) < wanted:
            return None
        until = self._picture[wanted - 1].until
        if not self._sound or self._sound[-1].until < until:
            return None
        return self._with_pictures(wanted, until)

    def _of_sound(self, wanted: int, last: bool = False) -> Piece:
        sound = tuple(self._sound.popleft() for _ in range(wanted))
        return self._piece(sound, (), sound[0].at, sound[-1].until, wanted, last)

    def _with_pictures(self, wanted: int, until: int, last: bool = False) -> Piece:
        assert self._at is not None
        at, self._at = self._at, until
        picture = tuple(self._picture.popleft() for _ in range(wanted))
        sound = []
        while self._sound and (self._sound[0].at < until or last):
            unit = self._sound.popleft()
            if unit.until > at:  # the rest lay before the first key frame
                sound.append(unit)
        return self._piece(tuple(sound), picture, at, until, wanted, last)

    def _piece(
        self, sound: tuple[Unit, ...], picture: tuple[Unit, ...], at: int, until: int, steps: int, last: bool
    ) -> Piece:
        opens = self._steps == 0
        self._steps = (self._steps + steps) % self._plan.segment
        independent = picture[0].key if picture else True
        return Piece(sound, picture, at, until, independent, opens, last or self._steps == 0)
