"""From the banks to raw frames: every outlet of one format, encoded together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.core.bank import Bank
from bridge.core.ports import AudioFormat, Encoding
from bridge.core.room import Place
from bridge.core.table import FIRST_CAPACITY, Table
from mediacodecs.g711 import ulaw_encode
from mediacodecs.resample import resampler

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
    resampled: bool


class FrameOutlets(Table):
    """The outlets of one format, of mixes or (`solo`) of single slots. Tables are indexed by rows of ours."""

    def __init__(self, audio_format: AudioFormat, *, solo: bool) -> None:
        """Raises ValueError for a format without a fixed frame."""
        super().__init__()
        self.audio_format = audio_format
        self.solo = solo
        self._silence = wire_frames(np.zeros((1, audio_format.frame_samples), np.int16), audio_format)[0]
        self._banks: list[Bank] = []
        self._outlet_of = self._column("_outlet_of", np.int64, -1)
        self._bank_of = self._column("_bank_of", np.intp, -1)  # index into _banks
        self._source_of = self._column("_source_of", np.intp)  # flat output, or flat slot
        self._rows: dict[int, int] = {}
        self._free: list[int] = []
        self._cables: list[_Cable] = []
        self._changed = False
        self._old: dict[int, NDArray[np.float32]] = {}  # by row: what this tick begins with instead
        self.grow(FIRST_CAPACITY)

    def grow(self, capacity: int) -> None:
        """Make room for more outlets."""
        self._free.extend(range(capacity - 1, len(self._bank_of) - 1, -1))
        super().grow(capacity)

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
                self.grow(2 * len(self._bank_of))
            row = self._rows[outlet] = self._free.pop()
            self._outlet_of[row] = outlet
        self._bank_of[row] = self._banks.index(bank)
        width = bank.capacity if self.solo else bank.capacity + 1
        self._source_of[row] = place.row * width + index
        self._changed = True

    def unplug(self, outlet: int) -> None:
        """`outlet` gives nothing any more; nothing happens when it never did."""
        row = self._rows.pop(outlet, None)
        if row is not None:
            self.reset(row)
            self._free.append(row)
            self._changed = True

    def begin_with(self, outlet: int, sound: NDArray[np.float32], rate_hz: int) -> None:
        """In this tick `outlet` goes over from the second half of `sound` [2S] to its new source.

        The first half is the tick before; `rate_hz` is that of both.
        """
        before, now = sound.reshape(2, 1, -1)
        if rate_hz != self.audio_format.rate_hz:
            change = resampler(rate_hz, self.audio_format.rate_hz)
            now = change.process(now, before[:, before.shape[1] - change.history_samples :].copy())
        self._old[self._rows[outlet]] = now[0]

    def rewire(self) -> None:
        """Call after plugging, before the next tick."""
        if not self._changed:
            return
        self._changed = False
        self._cables = []
        for number, bank in enumerate(self._banks):
            rows = np.flatnonzero(self._bank_of == number)
            if rows.size:
                resampled = bank.rate_hz != self.audio_format.rate_hz
                outlets = self._outlet_of[rows].tolist()
                self._cables.append(_Cable(bank, rows, self._source_of[rows], outlets, resampled))

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
        bank, sources = cable.bank, cable.sources
        sounds = (bank.solo_sounds if self.solo else bank.sounds).reshape(-1)[sources]
        if cable.resampled:  # a filter sounds on after its input
            sounds = sounds | (bank.solo_sounded if self.solo else bank.sounded).reshape(-1)[sources]
        payloads = [self._silence] * len(cable.outlets)
        on = np.flatnonzero(sounds)
        if on.size:
            made = self._make(cable, on)
            if len(made) == len(payloads):
                payloads = made
            else:
                for at, payload in zip(on.tolist(), made, strict=True):
                    payloads[at] = payload
        return FrameBatch(self.audio_format, cable.outlets, payloads, (~sounds).tolist())

    def _make(self, cable: _Cable, on: NDArray[np.intp]) -> list[bytes]:
        """The frames of the outlets `on` of a cable. What several hear alike is resampled and coded once."""
        sources = cable.sources[on]
        if not cable.resampled:
            pcm = cable.bank.solo.reshape(-1, cable.bank.samples) if self.solo else cable.bank.out
            return wire_frames(self._gone_over(cable.rows[on], pcm[sources]), self.audio_format)
        if not self.solo:
            sources = _sparing(cable.bank, sources)
        distinct, group = np.unique(sources, return_inverse=True)
        change = resampler(cable.bank.rate_hz, self.audio_format.rate_hz)
        sound = change.process(*self._sound(cable.bank, distinct, change.history_samples))
        np.rint(sound, out=sound)
        pcm = np.clip(sound, -32_768, 32_767, out=sound).astype(np.int16)
        if self._old:
            return wire_frames(self._gone_over(cable.rows[on], pcm[group]), self.audio_format)
        made = wire_frames(pcm, self.audio_format)
        return [made[at] for at in group.tolist()]

    def _sound(
        self, bank: Bank, sources: NDArray[np.intp], tail: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """[n, S] of this tick and the last `tail` samples [n, tail] of the one before."""
        if not self.solo:
            before = bank.before[:, bank.samples - tail :]
            return bank.out[sources].astype(np.float32), before[sources].astype(np.float32)
        solo, before = bank.solo.reshape(-1, bank.samples), bank.solo_before.reshape(-1, bank.samples)
        sounds, sounded = bank.solo_sounds.reshape(-1)[sources], bank.solo_sounded.reshape(-1)[sources]
        return (
            np.multiply(solo[sources], sounds[:, np.newaxis], dtype=np.float32),
            np.multiply(before[sources, bank.samples - tail :], sounded[:, np.newaxis], dtype=np.float32),
        )

    def _gone_over(self, rows: NDArray[np.intp], pcm: NDArray[np.int16]) -> NDArray[np.int16]:
        """`pcm` [n, S], where those of `rows` that begin with something else go over from that."""
        if self._old:
            time_ms = np.arange(pcm.shape[1], dtype=np.float32) / (self.audio_format.rate_hz / 1000)
            new = np.clip((time_ms - _FILTER_MS) / _CROSS_FADE_MS, 0, 1)
            for at, row in enumerate(rows.tolist()):
                old = self._old.get(row)
                if old is not None:
                    pcm[at] = np.clip(np.rint(old + (pcm[at] - old) * new), -32_768, 32_767)
        return pcm


def _sparing(bank: Bank, outputs: NDArray[np.intp]) -> NDArray[np.intp]:
    """The flat outputs to be read in place of `outputs`: the program's, where they gave the same for 40 ms.

    That is more than any resampler remembers.
    """
    double = (bank.alike & bank.alike_before).reshape(-1)[outputs]
    width = bank.capacity + 1
    return np.where(double, outputs // width * width + bank.capacity, outputs)


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
