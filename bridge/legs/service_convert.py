"""Audio of a service in another format than the stream's, turned into the stream's, message after message."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bridge.core.ports import PTIME_MS, AudioFormat, Encoding
from mediacodecs.g711 import ulaw_decode, ulaw_encode
from mediacodecs.l16 import l16_decode, l16_encode
from mediacodecs.resample import Resampler, resampler


class PlayConverter:
    """Goes on where the last message of the same format ended; another format begins anew."""

    def __init__(self, to_format: AudioFormat) -> None:
        self._to = to_format
        self._from: AudioFormat | None = None
        self._rate: _RateChange | None = None

    def reset(self) -> None:
        """What comes next does not go on with what came last."""
        self._from = self._rate = None

    def convert(self, payload: bytes, from_format: AudioFormat) -> bytes:
        """Wire audio in the stream's format; `payload` is a whole number of samples of `from_format`.

        A sample may be kept back for the next message, where the rate falls.
        """
        if from_format != self._from:
            self._from = from_format
            same = from_format.rate_hz == self._to.rate_hz
            self._rate = None if same else _RateChange(resampler(from_format.rate_hz, self._to.rate_hz))
        if self._rate is None:
            samples = _samples(payload, from_format).astype(np.int16)
        else:
            sound = self._rate.change(_samples(payload, from_format))
            samples = np.clip(np.rint(sound), -32_768, 32_767).astype(np.int16)
        if self._to.encoding is Encoding.ULAW:
            return ulaw_encode(samples).tobytes()
        return l16_encode(samples)


class _RateChange:
    """A resampler for chunks of any length.

    A chunk is cut into rows of 20 ms, each with what came before it as its history, so that a minute is one
    batch. The last row is filled up with zeros, and what these gave is thrown away: no output depends on
    inputs after its own.
    """

    def __init__(self, filter_: Resampler) -> None:
        self._filter = filter_
        self._row = filter_.rate_in * PTIME_MS // 1000
        self._history = np.zeros(filter_.history_samples, dtype=np.float32)
        self._step = max(1, filter_.rate_in // filter_.rate_out)
        self._rest = np.zeros(0, dtype=np.float32)

    def change(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The output [n * rate_out / rate_in] of as many inputs [n] as make up whole outputs."""
        waiting = np.concatenate((self._rest, samples))
        whole = len(waiting) - len(waiting) % self._step
        self._rest = waiting[whole:]
        rows = -(-whole // self._row)
        kept = len(self._history)
        heard = np.zeros(kept + rows * self._row, dtype=np.float32)
        heard[:kept] = self._history
        heard[kept : kept + whole] = waiting[:whole]
        self._history = heard[whole : whole + kept].copy()
        before = sliding_window_view(heard, kept)[: rows * self._row : self._row].copy()
        out = self._filter.process(heard[kept:].reshape(rows, self._row), before)
        changed: NDArray[np.float32] = out.reshape(-1)[
            : whole * self._filter.rate_out // self._filter.rate_in
        ]
        return changed


def _samples(payload: bytes, audio_format: AudioFormat) -> NDArray[np.float32]:
    if audio_format.encoding is Encoding.ULAW:
        return ulaw_decode(np.frombuffer(payload, np.uint8))
    return l16_decode(payload).astype(np.float32)
