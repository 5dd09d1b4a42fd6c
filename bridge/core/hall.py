"""Rooms too big for a bank: only the inputs with sound are mixed, and equal outputs are mixed once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.core.bank_rows import BankRows
from bridge.core.limiter import Limiter


def mix_hall(hall: BankRows, limiter: Limiter, ramp: NDArray[np.float32]) -> None:
    """From `live` to `out` for every room of `hall`, one after the other; `ramp` [S] rises to 1.

    Two outputs are equal when their gains for the inputs with sound are, and their limiters' gains too.
    Gives exactly what one product over everything would, but for the order of the sum.
    """
    moving = dict(hall.moving)
    outputs = hall.out.reshape(-1, hall.capacity + 1, hall.samples)
    for row in range(len(hall.rooms)):
        active = np.flatnonzero(hall.active[row])
        gains = hall.crosspoint[row][:, active]
        before = moving.get(row)
        columns = [gains, hall.limit_gain[row][:, np.newaxis]]
        if before is not None:
            columns.append(before[:, active])
        key = np.ascontiguousarray(np.concatenate(columns, axis=1))
        whole = key.view(f"V{key.itemsize * key.shape[1]}").reshape(-1)
        _, first, group = np.unique(whole, return_index=True, return_inverse=True)
        sound = hall.live[row][active]
        mix = np.matmul(gains[first], sound)
        if before is not None:
            old = np.matmul(before[first][:, active], sound)
            old -= mix
            old *= 1 - ramp
            mix += old
        limit_gain = hall.limit_gain[row][first]
        limiter.limit(mix, limit_gain)
        hall.limit_gain[row] = limit_gain[group]
        np.rint(mix, out=mix)
        # "clip" lets take() write straight into the outputs; the indices are all within range.
        np.take(mix.astype(np.int16), group, axis=0, out=outputs[row], mode="clip")
