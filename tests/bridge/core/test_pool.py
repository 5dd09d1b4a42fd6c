from __future__ import annotations

import pytest

from bridge.core.pool import Rows

pytestmark = pytest.mark.unit


def test_the_lowest_free_row_is_given_first() -> None:
    rows = Rows()
    assert [rows.open() for _ in range(4)] == [0, 1, 2, 3]
    rows.close(2)
    rows.close(0)
    assert [rows.open(), rows.open(), rows.open()] == [0, 2, 4]


def test_the_top_is_just_above_the_highest_open_row() -> None:
    rows = Rows()
    for _ in range(5):
        rows.open()
    rows.close(1)
    assert rows.top == 5
    rows.close(4)
    rows.close(3)
    assert rows.top == 3
    rows.close(2)
    rows.close(0)
    assert rows.top == 0


def test_a_row_cannot_be_closed_twice() -> None:
    rows = Rows()
    rows.close(rows.open())
    with pytest.raises(KeyError):
        rows.close(0)
