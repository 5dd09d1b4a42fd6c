from __future__ import annotations

import numpy as np
import pytest

from bridge.core.table import Table, grown

pytestmark = pytest.mark.unit


class Shelf(Table):
    """A table with one column of numbers and one of rows of flags."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = self._column("numbers", np.int64, -1)
        self.flags = self._column("flags", np.bool_, width=(2,))
        self.grow(2)


def test_columns_grow_together_and_keep_what_they_hold() -> None:
    shelf = Shelf()
    shelf.numbers[1], shelf.flags[0] = 7, True
    shelf.grow(4)
    assert shelf.numbers.tolist() == [-1, 7, -1, -1]
    assert shelf.flags.tolist() == [[True, True], [False, False], [False, False], [False, False]]
    assert (shelf.numbers.dtype.name, shelf.flags.dtype.name) == ("int64", "bool")


def test_row_that_is_reset_is_as_new_in_every_column_and_no_other_is() -> None:
    shelf = Shelf()
    shelf.numbers[:], shelf.flags[:] = 7, True
    shelf.reset(0)
    assert shelf.numbers.tolist() == [-1, 7]
    assert shelf.flags.tolist() == [[False, False], [True, True]]


def test_an_array_grows_by_rows_that_are_filled() -> None:
    larger = grown(np.ones((2, 3), np.int16), 4, 7)
    assert larger.tolist() == [[1] * 3] * 2 + [[7] * 3] * 2 and larger.dtype == np.int16
