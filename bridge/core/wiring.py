"""What the verbs have changed since the last tick, and how it is made effective at the next tick edge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.core.banks import Banks
from bridge.core.farewell import Farewells
from bridge.core.outlets import Outlets
from bridge.core.pools import Pools
from bridge.core.room import Room

WATCHED_TICKS = 50
"""How long a look at the levels keeps even what nobody hears decoded: several looks of a live page."""


class Wiring:
    """Call `note…` whenever something changes, `settle` at the tick edge."""

    def __init__(self, banks: Banks, pools: Pools, outlets: Outlets, farewells: Farewells) -> None:
        self._banks = banks
        self._pools = pools
        self._outlets = outlets
        self._farewells = farewells
        # Dictionaries as sets that keep their order: the same verbs always give the same arrangement.
        self._renumbered: dict[Room, None] = {}
        self._rewired: dict[Room, None] = {}
        self._rerouted = False
        self._watched: dict[Room, int] = {}  # ticks left

    def note_numbers(self, room: Room) -> None:
        """Gains or faders have changed."""
        self._renumbered[room] = None

    def note_wires(self, room: Room) -> None:
        """Slots, inputs or outlets have come or gone."""
        self._rewired[room] = None

    def note_end(self, room: Room) -> None:
        """The room is closed; takes it out of its bank at once."""
        self._renumbered.pop(room, None)
        self._rewired.pop(room, None)
        self._watched.pop(room, None)
        moved = self._banks.vacate(room)
        if moved is not None:
            self._rewired[moved] = None
        self._rerouted = True

    def note_watched(self, room: Room) -> None:
        """Somebody looks at the levels in it; holds for `WATCHED_TICKS`."""
        self._rerouted |= room not in self._watched
        self._watched[room] = WATCHED_TICKS

    def note_routes(self) -> None:
        """Somebody listens no more, or is heard no more."""
        self._rerouted = True

    def settle(self) -> None:
        """Bring what changed into banks, feeds and outlets, and tell the pools what anybody hears."""
        for room in self._renumbered:
            if room.place is not None and room not in self._rewired:
                self._banks.settle(room)
                self._rerouted = True
        self._renumbered.clear()
        while self._rewired:
            room = next(iter(self._rewired))
            moved = self._banks.settle(room)
            if moved is not None:
                self._rewired[moved] = None
            self._plug(room)
            del self._rewired[room]
            self._rerouted = True
        if self._watched:
            self._watch()
        if self._rerouted:
            self._route()

    def _watch(self) -> None:
        for room, left in list(self._watched.items()):
            if left:
                self._watched[room] = left - 1
            else:
                del self._watched[room]
                self._rerouted = True

    def _plug(self, room: Room) -> None:
        place = room.place
        if place is None:
            return
        for slot in room.slots.values():
            if slot.input is not None:
                self._pools.feed(slot.input.pool).plug(slot.input.row, place, slot.index)
        self._outlets.plug(room, place)

    def _route(self) -> None:
        # Once more after this tick: what is fading will be silent by then.
        self._rerouted = bool(self._farewells) or any(bank.changing for bank in self._banks)
        readers = self._outlets.readers(self._banks)
        heard: dict[int, NDArray[np.bool_]] = {}
        for bank in self._banks:
            bank.tapped[:] = readers.alone[id(bank)]
            heard[id(bank)] = bank.heard(readers.outputs[id(bank)])
        for room in self._watched:
            if room.place is not None:
                bank, row = room.place.bank, room.place.row
                heard[id(bank)][row] |= bank.fader[row] > 0
        flat = {bank: mask.reshape(-1) for bank, mask in heard.items()}
        for feed in self._pools.feeds.values():
            feed.rewire()
            feed.listen(flat)
        self._farewells.listen()
