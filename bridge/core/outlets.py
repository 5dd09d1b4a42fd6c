"""Every open outlet, by number: raw frames by format, packets of mixes, packets of single slots."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.core.bank import Bank
from bridge.core.encode_plan import EncodePlan
from bridge.core.encoders import EncodeJob, Encoders
from bridge.core.handover import OldSound
from bridge.core.outlet import FrameBatch, FrameOutlets
from bridge.core.ports import AudioFormat
from bridge.core.room import Place, Room, Slot, UnknownName
from bridge.core.solo_packets import SoloPackets

Kind = FrameOutlets | EncodePlan | SoloPackets


@dataclass(frozen=True, slots=True)
class Readers:
    """Who reads what, as masks by the id of a bank."""

    outputs: dict[int, NDArray[np.bool_]]
    """[rows, K+1]"""
    alone: dict[int, NDArray[np.bool_]]
    """[rows, K]: slots read by themselves."""


@dataclass(frozen=True, slots=True)
class _Outlet:
    kind: Kind
    room: Room
    slot: Slot | None
    """None: the program."""

    @property
    def siblings(self) -> set[int]:
        """The numbers of all outlets that end together with this one."""
        return self.room.program_outlets if self.slot is None else self.slot.outlets

    @property
    def index(self) -> int:
        return self.room.capacity if self.slot is None else self.slot.index


class Outlets:
    """Numbers them, and knows which kind each is of."""

    def __init__(self, encoders: Encoders) -> None:
        self._open: dict[int, _Outlet] = {}
        self._frames: dict[tuple[AudioFormat, bool], FrameOutlets] = {}
        self._mixes = EncodePlan(encoders)
        self._solos = SoloPackets(encoders)
        self._last = 0

    @property
    def frame_outlets(self) -> int:
        """How many are open."""
        return sum(len(outlets) for outlets in self._frames.values())

    def open_frames(self, room: Room, slot: Slot | None, audio_format: AudioFormat, *, solo: bool) -> int:
        """Raises ValueError for Opus."""
        key = (audio_format, solo)
        if key not in self._frames:
            self._frames[key] = FrameOutlets(audio_format, solo=solo)
        return self._add(_Outlet(self._frames[key], room, slot))

    def open_packets(self, room: Room, slot: Slot | None, *, solo: bool) -> int:
        """The same for Opus."""
        return self._add(_Outlet(self._solos if solo else self._mixes, room, slot))

    def close(self, number: int) -> None:
        """Raises UnknownName."""
        old = self._open.pop(number, None)
        if old is None:
            raise UnknownName(f"no outlet {number} is open")
        old.kind.unplug(number)
        old.siblings.discard(number)

    def plug(self, room: Room, place: Place) -> None:
        """All outlets of `room` read from `place` from now on."""
        for number in _numbers(room):
            one = self._open[number]
            one.kind.plug(number, place, one.index)

    def readers(self, banks: Iterable[Bank]) -> Readers:
        """Make what was plugged effective; gives who reads what."""
        banks = list(banks)
        outputs = {id(bank): np.zeros(bank.sounds.size, dtype=np.bool_) for bank in banks}
        alone = {id(bank): np.zeros(bank.tapped.size, dtype=np.bool_) for bank in banks}
        for frames in self._frames.values():
            frames.rewire()
            frames.mark(alone if frames.solo else outputs)
        self._mixes.rewire()
        self._mixes.mark(outputs)
        self._solos.mark(alone)
        for bank in banks:
            outputs[id(bank)] = outputs[id(bank)].reshape(bank.sounds.shape)
            alone[id(bank)] = alone[id(bank)].reshape(bank.tapped.shape)
        return Readers(outputs, alone)

    def begin_with(self, room: Room, old: OldSound) -> None:
        """In this tick the raw outlets of `room` go over from `old` to the new sound."""
        for number in _numbers(room):
            one = self._open[number]
            if isinstance(one.kind, FrameOutlets):
                index = one.index if one.slot is not None else len(old.solos)
                if index < len(old.solos) or one.slot is None:
                    sound = (old.solos if one.kind.solo else old.mixes)[index]
                    one.kind.begin_with(number, sound, old.rate_hz)

    def give_frames(self) -> list[FrameBatch]:
        """The tick's raw frames."""
        return [batch for outlets in self._frames.values() for batch in outlets.give()]

    def give_encodes(self) -> list[EncodeJob]:
        """What of this tick is to be encoded."""
        return self._mixes.give() + self._solos.give()

    def _add(self, made: _Outlet) -> int:
        self._last += 1
        self._open[self._last] = made
        made.siblings.add(self._last)
        return self._last


def _numbers(room: Room) -> list[int]:
    return [*room.program_outlets, *(number for slot in room.slots.values() for number in slot.outlets)]
