"""Single slots as Opus: one encode for each, whoever listens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.core.encoders import QUIET_TICKS, EncodeJob, Encoders, Stream
from bridge.core.room import Place, Room


@dataclass(slots=True, eq=False)
class _Source(Stream):
    """A slot somebody wants alone."""

    place: Place | None = None
    slot: int = 0
    """Flat."""
    quiet: int = QUIET_TICKS
    """Ticks since it sounded."""


class SoloPackets:
    """Outlets of slots after their fader and before the gate."""

    def __init__(self, encoders: Encoders) -> None:
        self._encoders = encoders
        self._sources: dict[tuple[Room, int], _Source] = {}
        self._keys: dict[int, tuple[Room, int]] = {}  # by outlet

    def plug(self, outlet: int, place: Place, index: int) -> None:
        """From now on `outlet` gives slot `index` of the room at `place`."""
        key = (place.bank.rooms[place.row], index)
        source = self._sources.setdefault(key, _Source())
        source.place = place
        source.slot = place.row * place.bank.capacity + index
        if outlet not in self._keys:
            self._keys[outlet] = key
            source.outlets = [*source.outlets, outlet]

    def unplug(self, outlet: int) -> None:
        """`outlet` gives nothing any more; nothing happens when it never did."""
        key = self._keys.pop(outlet, None)
        if key is None:
            return
        source = self._sources[key]
        source.outlets = [other for other in source.outlets if other != outlet]
        if not source.outlets:
            self._encoders.release(source)
            del self._sources[key]

    def mark(self, wanted: dict[int, NDArray[np.bool_]]) -> None:
        """Set, in the flat mask of each bank (by id), the slots that are read here."""
        for source in self._sources.values():
            if source.place is not None:
                wanted[id(source.place.bank)][source.slot] = True

    def give(self) -> list[EncodeJob]:
        """The tick's encodes."""
        jobs: list[EncodeJob] = []
        silent: dict[int, list[int]] = {}
        for source in self._sources.values():
            place = source.place
            if place is None:
                continue
            bank = place.bank
            sounds = bank.solo_sounds.reshape(-1)[source.slot]
            source.quiet = 0 if sounds else source.quiet + 1
            if source.quiet >= QUIET_TICKS:
                silent.setdefault(bank.rate_hz, []).extend(source.outlets)
                continue
            frame = np.zeros((1, bank.samples), dtype=np.int16)
            if sounds:
                frame[0] = bank.solo.reshape(-1, bank.samples)[source.slot]
            # Nothing to warm up with: whoever listens begins with this sound anyway.
            jobs += self._encoders.jobs([source], bank.rate_hz, frame)
        jobs.extend(self._encoders.silence(rate_hz, outlets) for rate_hz, outlets in silent.items())
        return jobs
