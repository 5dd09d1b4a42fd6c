"""The frames that say most of a recording: one as a JPEG, the best of every part of it as a WebP.

A frame says the more, the more participants it shows, somebody talking, for a longer time.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from bridge.core.ports import EVERYBODY, Whom
from bridge.outputs.picture import PicturePainter
from bridge.outputs.record import Record
from bridge.outputs.scene import Scene, View
from bridge.outputs.weave import Block

PREVIEW_FRAMES: Final = 10
_SPAN_TICKS: Final = 500
"""Of every so long a span the best frame is remembered."""
_LONG_ENOUGH: Final = 250
"""A frame that stands this many ticks is not better for standing longer."""


@dataclass(slots=True)
class _Best:
    span: int
    worth: float
    view: View


class Stills:
    """Follows the blocks of a recording, remembers what was worth seeing."""

    def __init__(self, title: str = "", seen: Whom = EVERYBODY) -> None:
        self._scene = Scene(title, seen)
        self._since = 0
        self._best: list[_Best] = []

    def put(self, block: Block) -> None:
        """Follow the next block."""
        for tick, record in block.happened:
            self._take(tick, record)

    def finish(self, tick: int) -> None:
        """The recording ends there."""
        self._rate(tick)

    def best(self) -> View:
        """The frame that says most; an empty room's when nobody was ever there."""
        if not self._best:
            return self._scene.view
        return max(self._best, key=lambda best: (best.worth, -best.span)).view

    def choice(self, count: int = PREVIEW_FRAMES) -> list[View]:
        """Up to `count` frames in the order of their times: of each part of the recording the best."""
        if not self._best:
            return [self._scene.view]
        parts = np.array_split(np.arange(len(self._best)), min(count, len(self._best)))
        chosen = [max((self._best[at] for at in part), key=lambda best: best.worth).view for part in parts]
        return [view for at, view in enumerate(chosen) if at == 0 or view != chosen[at - 1]]

    def _take(self, tick: int, record: Record) -> None:
        before = self._scene.view
        if self._scene.take(record):
            after, self._scene.view = self._scene.view, before
            self._rate(tick)
            self._scene.view = after
            self._since = tick

    def _rate(self, until: int) -> None:
        view = self._scene.view
        stood = until - self._since
        if not view.tiles or stood <= 0:
            return
        worth = (
            10.0 * len(view.tiles) + 5 * min(1, view.talking) + 10 * min(stood, _LONG_ENOUGH) / _LONG_ENOUGH
        )
        span = self._since // _SPAN_TICKS
        if not self._best or self._best[-1].span != span:
            self._best.append(_Best(span, worth, view))
        elif worth > self._best[-1].worth:
            self._best[-1] = _Best(span, worth, view)


def thumbnail(view: View, painter: PicturePainter) -> bytes:
    """A frame as a JPEG of the recording's size."""
    drain = io.BytesIO()
    Image.fromarray(painter.paint(view)).save(drain, "JPEG", quality=85)
    return drain.getvalue()


def preview(views: list[View], painter: PicturePainter) -> bytes:
    """Frames on top of each other as a WebP, each a sixteenth of the recording's area."""
    width, height = painter.settings.width // 4, painter.settings.height // 4
    sheet = Image.new("RGB", (width, height * len(views)))
    for row, view in enumerate(views):
        small = Image.fromarray(painter.paint(view)).resize((width, height), Image.Resampling.LANCZOS)
        sheet.paste(small, (0, row * height))
    drain = io.BytesIO()
    sheet.save(drain, "WEBP", quality=80, method=4)
    return drain.getvalue()
