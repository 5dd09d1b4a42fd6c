"""Which distinct mixes are to be encoded, and who gets which: one encode for all who hear the same.

A listener belongs to a stream: its room's program, or one led by a listener, whose row it encodes. Who no
longer hears what his stream encodes leaves it at once, for another encoder that is first fed what he heard
last; who has heard the same as the program, or as another stream, for `AGREE_TICKS` comes over to it. Both
are inaudible, since every encoder knows the recent past of those it serves.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bridge.core.bank import Bank
from bridge.core.encoders import QUIET_TICKS, WARM_FRAMES, EncodeJob, Encoders, Stream
from bridge.core.listeners import PROGRAM_LEADS, Listeners
from bridge.core.room import Place, Room

AGREE_TICKS = WARM_FRAMES
"""Identical frames after which two streams become one: as many as an encoder remembers."""
_PROGRAM = -1  # in keys, since the program's index changes with the capacity


@dataclass(slots=True, eq=False)
class _Shared(Stream):
    """A stream with its members, as listeners' numbers."""

    members: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Cable:
    """All listeners in one bank, and the programs of their rooms."""

    bank: Bank
    numbers: NDArray[np.intp]
    programs: list[_Shared]
    rows: NDArray[np.intp]
    """Of the programs' rooms."""


@dataclass(frozen=True, slots=True)
class _Past:
    """What was heard at each of some flat outputs."""

    bank: Bank
    outputs: NDArray[np.intp]

    def __call__(self, number: int) -> NDArray[np.int16]:
        return self.bank.past(int(self.outputs[number]))


class EncodePlan:
    """The packet outlets of mixes."""

    def __init__(self, encoders: Encoders) -> None:
        self._encoders = encoders
        self._table = Listeners()
        self._numbers: dict[tuple[Room, int], int] = {}
        self._rooms: dict[int, Room] = {}  # by listener
        self._outlets: dict[int, list[int]] = {}  # by listener
        self._keys: dict[int, tuple[Room, int]] = {}  # by outlet
        self._programs: dict[Room, _Shared] = {}
        self._listening: Counter[Room] = Counter()  # listeners in each room
        self._led: dict[int, _Shared] = {}  # streams led by a listener
        self._cables: list[_Cable] = []
        self._changed = False

    def plug(self, outlet: int, place: Place, index: int) -> None:
        """From now on `outlet` gives output `index` of the room at `place`."""
        room = place.bank.rooms[place.row]
        key = (room, _PROGRAM if index == place.bank.capacity else index)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._table.add()
            self._rooms[number] = room
            self._listening[room] += 1
            self._outlets[number] = []
            self._programs.setdefault(room, _Shared()).members.append(number)
        self._table.row[number] = place.row
        self._table.index[number] = index
        self._changed = True
        if outlet not in self._keys:
            self._keys[outlet] = key
            self._outlets[number].append(outlet)
            stream = self._stream(number)
            stream.outlets = [*stream.outlets, outlet]

    def unplug(self, outlet: int) -> None:
        """`outlet` gives nothing any more; nothing happens when it never did."""
        key = self._keys.pop(outlet, None)
        if key is None:
            return
        number = self._numbers[key]
        stream = self._stream(number)
        stream.outlets = [other for other in stream.outlets if other != outlet]
        self._outlets[number].remove(outlet)
        if not self._outlets[number]:
            self._leave(number)
            self._table.remove(number)
            del self._numbers[key], self._outlets[number], self._rooms[number]
            self._listening[key[0]] -= 1
            if not self._listening[key[0]]:
                del self._programs[key[0]], self._listening[key[0]]
            self._changed = True

    def rewire(self) -> None:
        """Call after plugging, before the next tick."""
        if not self._changed:
            return
        self._changed = False
        by_bank: dict[Bank, list[int]] = {}
        rooms: dict[Bank, list[Room]] = {}
        for number, room in self._rooms.items():
            if room.place is not None:
                by_bank.setdefault(room.place.bank, []).append(number)
        for room in self._programs:
            if room.place is not None:
                rooms.setdefault(room.place.bank, []).append(room)
        self._cables = [
            _Cable(
                bank,
                np.array(numbers, dtype=np.intp),
                [self._programs[room] for room in rooms[bank]],
                np.array([room.place.row for room in rooms[bank] if room.place is not None], dtype=np.intp),
            )
            for bank, numbers in by_bank.items()
        ]

    def mark(self, wanted: dict[int, NDArray[np.bool_]]) -> None:
        """Set, in the flat mask of each bank (by id), the outputs that are read here."""
        for cable in self._cables:
            width, numbers = cable.bank.capacity + 1, cable.numbers
            wanted[id(cable.bank)][self._table.row[numbers] * width + self._table.index[numbers]] = True

    def give(self) -> list[EncodeJob]:
        """The tick's encodes: one for each distinct mix, one for all who hear silence."""
        jobs: list[EncodeJob] = []
        silent: dict[int, list[int]] = {}
        for cable in self._cables:
            bank = cable.bank
            self._sort(bank, cable.numbers)
            streams, outputs = self._streams(cable)
            quiet = bank.quiet.reshape(-1)[outputs] >= QUIET_TICKS
            loud = outputs[~quiet]
            for at in np.flatnonzero(quiet).tolist():
                silent.setdefault(bank.rate_hz, []).extend(streams[at].outlets)
            sounding = [streams[at] for at in np.flatnonzero(~quiet).tolist()]
            jobs += self._encoders.jobs(sounding, bank.rate_hz, bank.out[loud], _Past(bank, loud))
        jobs.extend(self._encoders.silence(rate_hz, outlets) for rate_hz, outlets in silent.items())
        return jobs

    def _streams(self, cable: _Cable) -> tuple[list[_Shared], NDArray[np.intp]]:
        """The streams of a bank that somebody listens to, and the flat outputs they encode."""
        table, numbers, width = self._table, cable.numbers, cable.bank.capacity + 1
        leads = numbers[table.lead[numbers] == numbers]
        used = [at for at, program in enumerate(cable.programs) if program.outlets]
        streams = [cable.programs[at] for at in used] + [self._led[lead] for lead in leads.tolist()]
        own = table.row[leads] * width + table.index[leads]
        return streams, np.concatenate((cable.rows[used] * width + cable.bank.capacity, own))

    # --- who hears the same ---

    def _sort(self, bank: Bank, numbers: NDArray[np.intp]) -> None:
        """Take listeners out of streams that are not what they hear, and into those that long were."""
        table = self._table
        apart = ~bank.alike[table.row[numbers], table.index[numbers]]
        own = table.lead[numbers] != PROGRAM_LEADS
        led = numbers[own]
        moved: set[int] = set()
        if led.size:
            table.agreed[led] = np.where(apart[own], 0, table.agreed[led] + 1)
            apart[own] = table.differ(bank, led)
            moved.update(led[table.agreed[led] >= AGREE_TICKS].tolist())
            for number in moved:
                self._move(number, PROGRAM_LEADS)
            moved |= self._join_twins(bank, led)
        if apart.any():
            self._split(bank, [number for number in numbers[apart].tolist() if number not in moved])

    def _split(self, bank: Bank, numbers: list[int]) -> None:
        """Give those who do not hear what their streams encode new ones, together if they hear the same."""
        groups: dict[tuple[Room, int, bytes], int] = {}
        for number in numbers:
            key = (self._rooms[number], int(self._table.lead[number]), self._table.heard(bank, number))
            lead = groups.setdefault(key, number)
            if lead == number:
                self._leave(number)
                self._led[number] = _Shared()
                self._enter(number, number)
            else:
                self._move(number, lead)

    def _join_twins(self, bank: Bank, led: NDArray[np.intp]) -> set[int]:
        """Bring together streams of a room that have encoded the same for long enough; gives who moved."""
        table = self._table
        led = led[table.lead[led] != PROGRAM_LEADS]
        if len(led) < 2:
            return set()
        first = table.first_alike(bank, led)
        lead, other = table.lead[led], table.lead[first]
        table.twinned[led] = np.where(
            lead == other, 0, np.where(table.twin[led] == other, table.twinned[led] + 1, 1)
        )
        table.twin[led] = other
        moved: set[int] = set()
        ripe = np.flatnonzero(table.twinned[led] >= AGREE_TICKS)
        for number, target in zip(led[ripe].tolist(), other[ripe].tolist(), strict=True):
            if target in self._led and table.heard(bank, number) == table.heard(bank, target):
                self._move(number, target)
                moved.add(number)
        return moved

    def _stream(self, number: int) -> _Shared:
        lead = int(self._table.lead[number])
        return self._programs[self._rooms[number]] if lead == PROGRAM_LEADS else self._led[lead]

    def _move(self, number: int, lead: int) -> None:
        self._leave(number)
        self._enter(number, lead)

    def _enter(self, number: int, lead: int) -> None:
        table = self._table
        table.lead[number] = lead
        table.agreed[number] = table.twinned[number] = 0
        stream = self._stream(number)
        stream.members.append(number)
        stream.outlets = stream.outlets + self._outlets[number]

    def _leave(self, number: int) -> None:
        stream = self._stream(number)
        stream.members.remove(number)
        gone = set(self._outlets[number])
        stream.outlets = [outlet for outlet in stream.outlets if outlet not in gone]
        lead = int(self._table.lead[number])
        if not stream.members:
            self._encoders.release(stream)
            if lead != PROGRAM_LEADS:
                del self._led[lead]
        elif lead == number:
            heir = stream.members[0]
            self._led[heir] = self._led.pop(number)
            self._table.lead[stream.members] = heir
