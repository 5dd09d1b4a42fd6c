"""A live room that publishes, on a clock that runs some times faster than real time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from bridge.outputs.live_wire import AddPush, Event, PushSpec, Remove
from tests.kit.live_room import RATE, LiveStudio
from tests.kit.tones import tone

KEY = "very-secret-key"
LOUD = tone(600, 60.0, RATE)


class Stage:
    """A live room, fed some times faster than real time so that connections can follow."""

    def __init__(self, folder: Path) -> None:
        self.studio = LiveStudio(folder)
        self._at = 0

    def push(
        self, port: int, spec: PushSpec, *, attempt: int = 1, base: int | None = None, name: str = "push",
        stalled_s: float = 10.0,
    ) -> None:  # fmt: skip
        self.studio.command(AddPush(name, attempt, spec, port, f"/live/{KEY}?token=hush", base, stalled_s))

    def hear(self, seconds: float, speed: float = 6.0) -> None:
        """The tone goes on without a seam."""
        for _ in range(round(seconds * 10)):
            self.studio.hear(LOUD[self._at : self._at + RATE // 10])
            self._at += RATE // 10
            time.sleep(0.1 / speed)

    def hear_until(self, holds: Callable[[], bool], within_s: float = 10.0) -> None:
        until = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < until, self.studio.events
            self.hear(0.1)

    def said(self, kind: type[Event]) -> list[Event]:
        return self.studio.of(kind)

    def end(self, name: str = "push") -> None:
        self.studio.command(Remove(name))
        self.studio.close()
