"""Arrays over rows that come and go: they grow together, and a row for another owner is as new in all."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)
FIRST_CAPACITY = 8
"""Rows a table begins with; owners double it whenever they are used up."""


class Table:
    """Its columns are attributes, arrays [capacity, ...]. `grow` makes them anew: read them again afterwards.

    A subclass declares its columns in `__init__`, each once, and then calls `grow` for the first time. Where
    it keeps anything else by row, or memoryviews of columns, it extends `grow`.
    """

    def __init__(self) -> None:
        self._fills: dict[str, float] = {}

    def _column(
        self,
        name: str,
        dtype: type[Scalar] | np.dtype[Scalar],
        fill: float = 0,
        width: tuple[int, ...] = (),
    ) -> NDArray[Scalar]:
        """A column, still without rows, to be kept as `self.<name>`. `fill` is what a new row holds."""
        self._fills[name] = fill
        return np.zeros((0, *width), dtype=dtype)

    def grow(self, capacity: int) -> None:
        """Make room for rows up to `capacity`; what is in the others stays."""
        for name, fill in self._fills.items():
            setattr(self, name, grown(getattr(self, name), capacity, fill))

    def reset(self, row: int) -> None:
        """Make `row` as new."""
        for name, fill in self._fills.items():
            getattr(self, name)[row] = fill


def grown(array: NDArray[Scalar], capacity: int, fill: float) -> NDArray[Scalar]:
    """A copy of `array` [old, …] as [capacity, …], the new rows filled."""
    shape = (capacity, *array.shape[1:])
    # Zeros cost no memory until they are written to.
    larger = np.full(shape, fill, dtype=array.dtype) if fill else np.zeros(shape, dtype=array.dtype)
    larger[: len(array)] = array
    return larger
