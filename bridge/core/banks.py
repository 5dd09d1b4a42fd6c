"""Where rooms stand: finds each the bank of its rate and size, and moves it when it outgrows that."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.core.bank import Bank, Stages
from bridge.core.edges import Edges
from bridge.core.gate import Gate
from bridge.core.handover import Handover
from bridge.core.limiter import Limiter
from bridge.core.meter import Meter
from bridge.core.ports import PTIME_MS
from bridge.core.room import Place, Room
from bridge.core.settings import CoreSettings


class Banks:
    """All banks there are, one or more for a rate and capacity. None is ever taken down: there are few."""

    def __init__(self, settings: CoreSettings) -> None:
        self._settings = settings
        self._banks: list[Bank] = []
        self._stages: dict[int, Stages] = {}
        self._turn = 0
        self.migrations = 0
        self._handovers: list[Handover] = []

    def __iter__(self) -> Iterator[Bank]:
        return iter(self._banks)

    def __len__(self) -> int:
        return len(self._banks)

    def shift(self) -> None:
        """Begin a tick in all of them."""
        self._turn += 1
        for bank in self._banks:
            bank.shift(self._turn)

    def busy(self) -> list[Bank]:
        """Those that hold rooms."""
        return [bank for bank in self._banks if bank.rooms]

    def take_handovers(self) -> list[Handover]:
        """Rooms whose rate has risen since the last call."""
        handovers, self._handovers = self._handovers, []
        return handovers

    def settle(self, room: Room) -> Room | None:
        """Bring what the verbs have changed in `room` into its bank, or into another one.

        Gives the other room that was moved in order to fill a gap, if any.
        """
        place, moved = room.place, None
        if place is None:
            bank = self._bank(room.rate_hz, room.capacity)
            room.place = Place(bank, bank.admit(room))
        elif (place.bank.rate_hz, place.bank.capacity) != (room.rate_hz, room.capacity):
            bank = self._bank(room.rate_hz, room.capacity)
            self.migrations += 1
            if place.bank.rate_hz != bank.rate_hz:
                self._handovers.append(Handover(room, place.bank, place.row))
            row = bank.admit(room)
            bank.adopt(row, place.bank, place.row)
            bank.update(row, room)
            moved = self.vacate(room)
            room.place = Place(bank, row)
        else:
            place.bank.update(place.row, room)
        room.fresh.clear()
        return moved

    def vacate(self, room: Room) -> Room | None:
        """Take `room` out of its bank; gives the room that was moved into the gap, if any."""
        place, room.place = room.place, None
        if place is None:
            return None
        moved = place.bank.remove(place.row)
        if moved is not None:
            moved.place = Place(place.bank, place.row)
        return moved

    def _bank(self, rate_hz: int, capacity: int) -> Bank:
        for bank in self._banks:
            if (bank.rate_hz, bank.capacity) == (rate_hz, capacity) and not bank.full:
                return bank
        self._banks.append(Bank(rate_hz, capacity, self._stages_at(rate_hz), self._turn))
        return self._banks[-1]

    def _stages_at(self, rate_hz: int) -> Stages:
        if rate_hz not in self._stages:
            chosen = self._settings
            limiter = Limiter(chosen.limiter, rate_hz * PTIME_MS // 1000)
            self._stages[rate_hz] = Stages(
                Gate(chosen.gate), Meter(chosen.meter), Edges(chosen.meter), limiter
            )
        return self._stages[rate_hz]
