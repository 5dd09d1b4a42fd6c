"""A room's sound for one output: the `OutputPort` of `bridge.core.ports`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bridge.core.ports import L16_48K, FrameSink, ProgramSource, SoloSource, Source
from bridge.patch import Output, RoomPatch

_PROGRAM = ""
_FAINTEST_DBOV = -60.0


class RoomTaps:
    """Closed, it takes everything and does nothing, like a leg's port."""

    def __init__(
        self,
        patch: RoomPatch,
        tick: Callable[[], int],
        sound_ms: Callable[[], int],
        on_report: Callable[[str], None],
    ) -> None:
        self._patch = patch
        self._on_report = on_report
        self._taps: dict[str, Output] = {}
        self.tick = tick
        self.sound_ms = sound_ms
        self.closed = False

    @property
    def room_id(self) -> str:
        """The room it is of."""
        return self._patch.room_id

    def open_program(self, sink: FrameSink) -> None:
        """From the next tick on, `sink` gets the room's mix."""
        self._open(_PROGRAM, ProgramSource(), sink)

    def open_participant(self, participant_id: str, sink: FrameSink) -> None:
        """The same of a participant alone."""
        self._open(participant_id, SoloSource(participant_id), sink)

    def close_participant(self, participant_id: str) -> None:
        """Nothing happens when it was not open."""
        tap = self._taps.pop(participant_id, None)
        if tap is not None:
            self._patch.starve(None, tap)

    def levels(self) -> Mapping[str, int]:
        """How loud each participant is now: 0 to 100, evenly from −60 to 0 dBov."""
        if self.closed:
            return {}
        share = 100 / -_FAINTEST_DBOV
        return {
            who: min(100, max(0, round((dbov - _FAINTEST_DBOV) * share)))
            for who, dbov in self._patch.levels().items()
        }

    def report(self, trouble: str) -> None:
        """Tell whoever watches."""
        if not self.closed:
            self._on_report(trouble)

    def close(self) -> None:
        """Close every tap."""
        self.closed = True
        for key in list(self._taps):
            self.close_participant(key)

    def _open(self, key: str, source: Source, sink: FrameSink) -> None:
        self.close_participant(key)
        if not self.closed:
            self._taps[key] = Output(source, L16_48K, sink, None)
            self._patch.feed(None, self._taps[key])
