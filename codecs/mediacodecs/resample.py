"""Changing the rate of many legs at once: a polyphase FIR filter written as a matrix product.

A block of inputs and the history before it, times one banded matrix, is a block of outputs; the same matrix
serves every row and every block, so a whole batch is one call into BLAS. The state is the last few input
samples of each row, which the caller keeps and passes in.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

RATES_HZ = (8_000, 16_000, 48_000)
TAPS_PER_PHASE = 48
"""Flat to 0.85 of the lower Nyquist frequency (3.4 kHz of 4) within 0.1 dB; 32 taps save 1 ms of delay."""

_STOP_DB = 84.0
_PASS = 0.85  # of the lower rate's Nyquist frequency: 3.4 kHz, the edge of the telephone band, at 8 kHz
_ROWS = 128  # together: more would fall out of the cache between one block and the next
_BLOCK = 16  # samples at the lower rate; see benchmarks/codecs.py


class Resampler:
    """Converts float32 audio between two of `RATES_HZ`, chunk after chunk, for any number of rows.

    Holds no state but its matrix: it may be shared by threads, and any row may stop and go on elsewhere
    with its history. Output may exceed the range of the input by the filter's overshoot.
    """

    rate_in: int
    rate_out: int
    delay_s: float
    """How much later a sound is in the output than in the input; the same for all frequencies and chunks."""
    history_samples: int
    """H: input samples of each row that must be kept between calls."""
    block: int
    """Chunks are a multiple of this many input samples; 20 ms always are."""

    def __init__(self, rate_in: int, rate_out: int, taps_per_phase: int = TAPS_PER_PHASE) -> None:
        """Design the filter; raises ValueError for other rates, equal ones, or fewer than 8 taps."""
        if rate_in not in RATES_HZ or rate_out not in RATES_HZ or rate_in == rate_out:
            raise ValueError(f"cannot resample from {rate_in} to {rate_out} Hz")
        if taps_per_phase < 8:
            raise ValueError(f"{taps_per_phase} taps per phase are too few")
        self.rate_in = rate_in
        self.rate_out = rate_out
        ratio = max(rate_in, rate_out) // min(rate_in, rate_out)
        taps = _low_pass(ratio, taps_per_phase)
        if rate_out > rate_in:
            self._step, self._outputs = 1, ratio  # inputs and outputs of one turn of the polyphase wheel
            self.history_samples = taps_per_phase - 1
            lag = taps_per_phase * ratio // 2 - 1
        else:
            self._step, self._outputs = ratio, 1
            self.history_samples = (taps_per_phase - 1) * ratio - 1
            # Each output is computed from inputs up to the end of its own period, not only to its beginning.
            lag = taps_per_phase * ratio // 2 - ratio
        self.delay_s = lag / max(rate_in, rate_out)
        self.block = _BLOCK * self._step
        self._matrix = self._banded(taps)

    def history(self, n: int) -> NDArray[np.float32]:
        """Zeros [n, history_samples]: n rows that have heard nothing yet."""
        return np.zeros((n, self.history_samples), dtype=np.float32)

    def process(
        self, x: NDArray[np.float32], history: NDArray[np.float32], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Output [n, S_out] of the input chunk `x` [n, S_in]; `history` [n, H] is moved on in place.

        S_in is a multiple of `block` and S_out = S_in * rate_out / rate_in. `out`, when given, is filled
        and returned: float32 [n, S_out], C-contiguous.
        Raises ValueError when the shapes do not fit.
        """
        n, samples = x.shape
        blocks, rest = divmod(samples, self.block)
        if rest:
            raise ValueError(f"{samples} samples are not a multiple of {self.block}")
        width = _BLOCK * self._outputs
        if out is None:
            out = np.empty((n, blocks * width), dtype=np.float32)
        elif out.shape != (n, blocks * width) or not out.flags.c_contiguous:
            raise ValueError(f"out must be contiguous [{n}, {blocks * width}], not {out.shape}")
        heard = np.concatenate((history, x), axis=1)
        history[:] = heard[:, samples:]
        # Blocks lead, rows follow: then each product is over a plain matrix whose rows lie a stride apart,
        # which BLAS takes as it is; overlapping windows side by side would have to be copied first.
        row, item = heard.strides
        windows: NDArray[np.float32] = np.ndarray(
            (blocks, n, self.history_samples + self.block),
            dtype=np.float32,
            buffer=heard,
            strides=(self.block * item, row, item),
        )
        blocks_first = out.reshape(n, blocks, width).transpose(1, 0, 2)
        for start in range(0, n, _ROWS):
            some = slice(start, start + _ROWS)
            np.matmul(windows[:, some], self._matrix, out=blocks_first[:, some])
        return out

    def _banded(self, taps: NDArray[np.float64]) -> NDArray[np.float32]:
        """The matrix [H + block, outputs of a block] that holds the taps, shifted from turn to turn."""
        matrix = np.zeros((self.history_samples + self.block, _BLOCK * self._outputs), dtype=np.float32)
        for turn in range(_BLOCK):
            for phase in range(self._outputs):
                column = taps[phase :: self._outputs]
                newest = self.history_samples + turn * self._step + self._step - 1
                span = np.arange(len(column))
                keep = newest - span >= 0
                matrix[newest - span[keep], turn * self._outputs + phase] = column[keep]
        gain = self._outputs  # the zeros that stand between the samples when the rate rises take it away
        return matrix * np.float32(gain)


@cache
def resampler(rate_in: int, rate_out: int) -> Resampler:
    """The resampler between two rates with the usual number of taps, designed once."""
    return Resampler(rate_in, rate_out)


def _low_pass(ratio: int, taps_per_phase: int) -> NDArray[np.float64]:
    """Taps [ratio * taps_per_phase - 1] of a Kaiser-windowed sinc at the higher rate; their sum is 1.

    The transition begins at `_PASS`; it is as wide as the number of taps makes it, yet centred no higher than
    the lower Nyquist frequency.
    """
    length = ratio * taps_per_phase - 1
    # Kaiser's formulas: the shape of the window, and the width of the transition as a share of Nyquist.
    beta = 0.1102 * (_STOP_DB - 8.7)
    transition = 2 * (_STOP_DB - 7.95) / (14.36 * taps_per_phase)
    cutoff = min(_PASS + transition / 2, 1.0) / (2 * ratio)  # cycles per sample
    offset = np.arange(length) - (length - 1) / 2
    taps: NDArray[np.float64] = np.sinc(2 * cutoff * offset) * np.kaiser(length, beta)
    taps /= math.fsum(taps)
    return taps
