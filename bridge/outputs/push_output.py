"""A live output that publishes by RTMP, where it is coded: frames in, one connection's tags out."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

from bridge.outputs.child_link import LinkEnded
from bridge.outputs.flv import FlvStream, Tag
from bridge.outputs.live_codings import Coding, PictureCoding, SoundCoding
from bridge.outputs.live_wire import AddPush, Closed, Event, Publishing, PushEnded, PushLook
from bridge.outputs.media_units import CLOCK_HZ
from bridge.outputs.push_line import LineLimits, PushLine
from bridge.outputs.push_notes import Mark, in_picture, levels_tag
from bridge.outputs.tag_queue import TagQueue
from bridge.outputs.webvtt import Cue

_LOOK_EVERY = CLOCK_HZ
_WINDOW_S = 0.25
"""Peers are to say what they have read four times a second, less often while there is little to be read."""
_LEAST_WINDOW_BYTES = 2_000
"""Two seconds of coded silence."""
_MOST_NOTES = 64
"""Marks and levels that are of the 100 ms that were not coded yet; more are left out."""


class PushOutput:
    """One connection, which begins when the output does: when it ends, the output is `over`.

    An `Output` of `bridge.outputs.live_room`.
    """

    def __init__(
        self, order: AddPush, tell: Callable[[Event], None], limits: LineLimits | None = None
    ) -> None:
        """`tell` is called on the line's thread too."""
        self.sound, self.picture = order.spec.sound, order.spec.picture
        self._order = order
        bitrate = self.sound.bitrate + (0 if self.picture is None else self.picture.bitrate)
        self._tell = tell
        self._queue = TagQueue()
        self._line = PushLine(
            order.port, order.path, order.base, self._queue,
            window_bytes=max(_LEAST_WINDOW_BYTES, round(bitrate / 8 * _WINDOW_S)),
            publishing=self._publishing, ended=self._ended,
            limits=limits or LineLimits(stalled_s=order.stalled_s),
        )  # fmt: skip
        self._stream: FlvStream
        self._sounds: deque[Tag] = deque()
        self._pictures: deque[Tag] = deque()
        self._notes: deque[Tag] = deque()
        self._unseen: deque[Mark] = deque(maxlen=_MOST_NOTES)
        """Marks that were in no picture yet."""
        self._sound_until = 0
        self._passed = 0
        """All of before it was passed on."""
        self._looked = 0
        self._started = False
        self._state = threading.Lock()
        self._is_over = self._closing = self._silenced = False

    @property
    def over(self) -> bool:
        """The connection is gone, and nothing comes of what is taken."""
        return self._is_over

    def begin(self, sound: SoundCoding, picture: PictureCoding | None) -> None:
        """Who codes from now on."""
        spec = self._order.spec
        track = None if picture is None else picture.track
        self._stream = FlvStream(sound.track, track, spec.sound, spec.picture)
        self._queue.begin(self._stream)
        if not self._started:
            self._started = True
            self._line.start()

    def take(self, sound: Coding, picture: Coding, now: int) -> None:
        """What was coded up to `now` (samples)."""
        self._sounds += [self._stream.sound_tag(unit) for unit in sound.units]
        for unit in picture.units:
            self._pictures.append(self._stream.picture_tag(unit, self._marks_until(unit.at)))
        if sound.units:
            self._sound_until = sound.units[-1].until
        # Sound comes out of its encoder later than pictures do.
        self._pass_on(min(now, self._sound_until))
        if now - self._looked >= _LOOK_EVERY and not self._is_over:
            self._looked = now
            self._tell(self._look())

    def caption(self, cue: Cue) -> None:
        """RTMP has none."""

    def mark(self, mark: Mark) -> None:
        """Timed metadata of a moment that is coded next."""
        if self._note(mark.tag(self._next_note(mark.at))) and self.picture is not None:
            self._unseen.append(mark)

    def levels(self, at: int, at_ms: float, levels: Mapping[str, int]) -> None:
        """How loud everybody is from then on; passed over unless that was asked for."""
        if self._order.spec.levels:
            self._note(levels_tag(self._next_note(at), at_ms, levels))

    def cut(self) -> None:
        """Time jumps."""
        self._pass_on(None)

    def close(self, why: str = "") -> None:
        """Send what there is, unpublish; `Closed` follows soon."""
        self._pass_on(None)
        with self._state:
            self._closing = True
            over = self._is_over
        if over or not self._started:
            self._tell(Closed(self._order.output, why))
        else:
            self._line.finish()

    def abandon(self) -> None:
        """End it without a word: another one takes its place."""
        with self._state:
            self._silenced = True
        if self._started:
            self._line.finish()

    def join(self, within_s: float) -> None:
        """Wait for the end of what was closed."""
        if self._started:
            self._line.join(within_s)

    def _next_note(self, at: int) -> int:
        """When it is said: not before what was said last."""
        return max(at, self._passed, self._notes[-1].at if self._notes else at)

    def _note(self, tag: Tag) -> bool:
        if len(self._notes) >= _MOST_NOTES:
            return False
        self._notes.append(tag)
        return True

    def _marks_until(self, at: int) -> bytes:
        """Those that belong into the picture of `at`, as a NAL unit."""
        due: list[Mark] = []
        while self._unseen and self._unseen[0].at <= at:
            due.append(self._unseen.popleft())
        return in_picture(due)

    def _pass_on(self, until: int | None) -> None:
        """All there is of before `until`, in the order of its times."""
        ready: list[Tag] = []
        for held in (self._sounds, self._pictures, self._notes):
            while held and (until is None or held[0].at < until):
                ready.append(held.popleft())
        ready.sort(key=lambda tag: tag.at)
        if ready:
            self._passed = max(self._passed, ready[-1].at, until or 0)
            self._queue.put(ready)
            self._line.wake()

    def _look(self) -> PushLook:
        waiting_ms, dropped_ms = (
            samples * 1000 // CLOCK_HZ for samples in (self._queue.waiting, self._queue.left_out)
        )
        order, line = self._order, self._line
        unread_ms = round(line.unread_s * 1000)
        return PushLook(order.output, order.attempt, line.sent_bytes, waiting_ms, dropped_ms, unread_ms)

    # --- on the line's thread ---

    def _publishing(self, base: int) -> None:
        if not self._silenced:
            self._say(Publishing(self._order.output, self._order.attempt, base))

    def _ended(self, why: str) -> None:
        with self._state:
            self._is_over = True
            closing, silenced = self._closing, self._silenced
        if silenced:
            return
        output = self._order.output
        self._say(Closed(output) if closing else PushEnded(output, self._order.attempt, why))

    def _say(self, event: Event) -> None:
        with suppress(LinkEnded):  # there is nobody any more to be told
            self._tell(event)
