"""From the banks to raw frames: every outlet of one format, encoded together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.core.bank import Bank
from bridge.core.filter_memory import FilterMemory
from bridge.core.ports import AudioFormat, Encoding
from bridge.core.room import Place
from mediacodecs.g711 import ulaw_encode

_FILTER_MS = 7.0
"""By then both resamplers on the new way, in and out, have all the past they need."""
_CROSS_FADE_MS = 10.0


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """One tick's frames of one format; the four lists belong together. Not to be changed."""

    audio_format: AudioFormat
    outlets: list[int]
    payloads: list[bytes]
    silent: list[bool]
    """Nothing sounds in the frame: it is the encoding's silence."""


@dataclass(slots=True)
class _Cable:
    """All outlets of a format that read from one bank."""

    bank: Bank
    rows: NDArray[np.intp]
    sources: NDArray[np.intp]
    outlets: list[int]
    memory: FilterMemory | None


class FrameOutlets:
    """The outlets of one format, of mixes or (`solo`) of single slots. Tables are indexed by rows of ours."""

    def __init__(self, audio_format: AudioFormat, *, solo: bool) -> None:
        """Raises ValueError for a format without a fixed frame."""
        self.audio_format = audio_format
        self.solo = solo
        self._silence = wire_frames(np.zeros((1, audio_format.frame_samples), np.int16), audio_format)[0]
        self._banks: list[Bank] = []
        self._outlet_of = np.full(16, -1, dtype=np.int64)
        self._bank_of = np.full(16, -1, dtype=np.intp)
        self._source_of = np.zeros(16, dtype=np.intp)  # flat output, or flat slot
        self._rows: dict[int, int] = {}
        self._free = list(range(15, -1, -1))
        self._memories: dict[int, FilterMemory] = {}
        self._cables: list[_Cable] = []
        self._changed = False
        self._old: dict[int, NDArray[np.float32]] = {}  # by row: what this tick begins with instead

    def __len__(self) -> int:
        return len(self._rows)

    def plug(self, outlet: int, place: Place, index: int) -> None:
        """From now on `outlet` gives output (or slot) `index` of the room at `place`."""
        bank = place.bank
        if bank not in self._banks:
            self._banks.append(bank)
        row = self._rows.get(outlet)
        if row is None:
            if not self._free:
                self._grow()
            row = self._rows[outlet] = self._free.pop()
            self._outlet_of[row] = outlet
            for memory in self._memories.values():
                memory.forget(row)
        elif self._banks[self._bank_of[row]].rate_hz != bank.rate_hz:
            memory_there = self._memories.get(bank.rate_hz)
            if memory_there is not None:
                memory_there.forget(row)
        self._bank_of[row] = self._banks.index(bank)
        width = bank.capacity if self.solo else bank.capacity + 1
        self._source_of[row] = place.row * width + index
        self._changed = True

    def unplug(self, outlet: int) -> None:
        """`outlet` gives nothing any more; nothing happens when it never did."""
        row = self._rows.pop(outlet, None)
        if row is not None:
            self._bank_of[row] = self._outlet_of[row] = -1
            self._free.append(row)
            self._changed = True

    def begin_with(self, outlet: int, frame: NDArray[np.float32], rate_hz: int) -> None:
        """In this tick `outlet` goes over from `frame` [S], at the rate it had before, to its new source."""
        row = self._rows[outlet]
        if rate_hz != self.audio_format.rate_hz:
            rows = np.array([row], dtype=np.intp)
            frame = self._memory(rate_hz).run(rows, frame[np.newaxis])[0]
        self._old[row] = frame

    def rewire(self) -> None:
        """Call after plugging, before the next tick."""
        if not self._changed:
            return
        self._changed = False
        self._cables = []
        for number, bank in enumerate(self._banks):
            rows = np.flatnonzero(self._bank_of == number)
            if rows.size:
                same = bank.rate_hz == self.audio_format.rate_hz
                memory = None if same else self._memory(bank.rate_hz)
                outlets = self._outlet_of[rows].tolist()
                self._cables.append(_Cable(bank, rows, self._source_of[rows], outlets, memory))

    def mark(self, wanted: dict[int, NDArray[np.bool_]]) -> None:
        """Set, in the flat mask of each bank (by id), the outputs or slots that are read here."""
        for cable in self._cables:
            wanted[id(cable.bank)][cable.sources] = True

    def give(self) -> list[FrameBatch]:
        """The tick's frames."""
        batches = [self._give(cable) for cable in self._cables]
        self._old.clear()
        return batches

    def _give(self, cable: _Cable) -> FrameBatch:
        bank = cable.bank
        frames = bank.solo if self.solo else bank.out
        sounds = (bank.solo_sounds if self.solo else bank.sounds.reshape(-1))[cable.sources]
        if cable.memory is not None:
            before = cable.memory.ringing[cable.rows]
            cable.memory.ringing[cable.rows] = sounds
            sounds = sounds | before
        payloads = [self._silence] * len(cable.outlets)
        on = np.flatnonzero(sounds)
        if on.size:
            pcm = frames[cable.sources[on]]
            if cable.memory is not None:
                sound = cable.memory.run(cable.rows[on], pcm.astype(np.float32))
                np.rint(sound, out=sound)
                pcm = np.clip(sound, -32_768, 32_767, out=sound).astype(np.int16)
            if self._old:
                self._go_over(cable.rows[on], pcm)
            made = wire_frames(pcm, self.audio_format)
            if len(made) == len(payloads):
                payloads = made
            else:
                for at, payload in zip(on.tolist(), made, strict=True):
                    payloads[at] = payload
        return FrameBatch(self.audio_format, cable.outlets, payloads, (~sounds).tolist())

    def _go_over(self, rows: NDArray[np.intp], pcm: NDArray[np.int16]) -> None:
        """Cross-fade in the rows of `pcm` that begin with something else."""
        time_ms = np.arange(pcm.shape[1], dtype=np.float32) / (self.audio_format.rate_hz / 1000)
        new = np.clip((time_ms - _FILTER_MS) / _CROSS_FADE_MS, 0, 1)
        for at, row in enumerate(rows.tolist()):
            old = self._old.get(row)
            if old is not None:
                pcm[at] = np.clip(np.rint(old + (pcm[at] - old) * new), -32_768, 32_767)

    def _memory(self, rate_hz: int) -> FilterMemory:
        if rate_hz not in self._memories:
            self._memories[rate_hz] = FilterMemory(rate_hz, self.audio_format.rate_hz, len(self._bank_of))
        return self._memories[rate_hz]

    def _grow(self) -> None:
        old = len(self._bank_of)
        self._outlet_of = np.concatenate((self._outlet_of, np.full(old, -1, dtype=np.int64)))
        self._bank_of = np.concatenate((self._bank_of, np.full(old, -1, dtype=np.intp)))
        self._source_of = np.concatenate((self._source_of, np.zeros(old, dtype=np.intp)))
        self._free.extend(range(2 * old - 1, old - 1, -1))
        for memory in self._memories.values():
            memory.grow(2 * old)


def wire_frames(pcm: NDArray[np.int16], audio_format: AudioFormat) -> list[bytes]:
    """Wire bytes of each row of `pcm` [n, S], C-contiguous; raises ValueError for Opus."""
    match audio_format.encoding:
        case Encoding.L16:
            coded = pcm.astype("<i2", copy=False).view(np.uint8)
        case Encoding.ULAW:
            coded = ulaw_encode(pcm)
        case _:
            raise ValueError("Opus is coded packet by packet (encode_plan)")
    frames: list[bytes] = coded.view(f"V{coded.shape[1]}").reshape(-1).tolist()
    return frames
