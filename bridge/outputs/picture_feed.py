"""The pictures of a recording, coded.

One when something changes, and a key frame every second; or, where they are to be even, each.
"""

from __future__ import annotations

from bridge.core.ports import EVERYBODY, TICK_S, Whom
from bridge.outputs.encoders import Coded, PictureEncoder, PictureSettings
from bridge.outputs.picture import PicturePainter
from bridge.outputs.record import Begun, Record
from bridge.outputs.scene import Scene
from bridge.outputs.weave import Block

_TICKS_A_SECOND = round(1 / TICK_S)


class PictureFeed:
    """Follows the blocks of a recording; gives packets whose durations reach to the next picture."""

    def __init__(
        self,
        settings: PictureSettings,
        painter: PicturePainter,
        title: str = "",
        *,
        seen: Whom = EVERYBODY,
        even: bool = False,
    ) -> None:
        """`title`: what the conference is called, or empty. `seen`: who is shown.

        `even`: every picture is coded, so that bits can be counted by the second.
        """
        self.settings, self.painter = settings, painter
        self.scene = Scene(title, seen)
        self.encoder = PictureEncoder(settings, even=even)
        self._even = even
        self._happened: list[tuple[int, Record]] = []
        self._changed = True
        self._key = True
        self._key_at = 0
        self._group = max(1, int(settings.fps * settings.keyframe_s))
        self._held: Coded | None = None

    def put(self, block: Block) -> list[Coded]:
        """The packets that are complete; one is held back until it is known how long its picture stands."""
        self._happened += block.happened
        packets: list[Coded] = []
        for frame in range(self._frame_at(block.tick), self._frame_at(block.tick + block.ticks)):
            self._follow(frame * _TICKS_A_SECOND / self.settings.fps)
            if self._even or self._changed or self._key or frame - self._key_at >= self._group:
                packets += self._coded(frame)
        return packets

    def finish(self, end_tick: int) -> list[Coded]:
        """The rest of the packets, of a recording that long."""
        if self._held is None:
            return []
        self._held.duration = max(1, self._frame_at(end_tick) - (self._held.pts or 0))
        held, self._held = self._held, None
        return [held, *self.encoder.flush()]

    def _frame_at(self, tick: int) -> int:
        """The first frame at or after a tick."""
        return -(-tick * self.settings.fps // _TICKS_A_SECOND)

    def _follow(self, until_tick: float) -> None:
        while self._happened and self._happened[0][0] <= until_tick:
            _, record = self._happened.pop(0)
            self._changed = self.scene.take(record) or self._changed
            # A stretch begins with a key frame, so that it can be cut there.
            self._key = self._key or isinstance(record, Begun)

    def _coded(self, frame: int) -> list[Coded]:
        key = self._key or frame - self._key_at >= self._group
        if key:
            self._key_at = frame
        self._changed = self._key = False
        before, (self._held,) = (
            self._held,
            self.encoder.encode(self.painter.paint(self.scene.view), frame, keyframe=key),
        )
        if before is None:
            return []
        before.duration = frame - (before.pts or 0)
        return [before]
