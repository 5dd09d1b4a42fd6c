"""Time in the files and time of day: straight within a stretch, a jump over every pause."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.outputs.record_time import Pause, RecordTime, Stretch

pytestmark = pytest.mark.unit

# Ten seconds from 1,000,000 on; a pause of 5 s; four seconds more.
TWO = RecordTime((Stretch(0, 1_000_000, 500, 0), Stretch(1, 1_015_000, 200, 500)))


@pytest.mark.parametrize(
    ("file_ms", "wall_ms"),
    [(0, 1_000_000), (9_999, 1_009_999), (10_000, 1_015_000), (14_000, 1_019_000)],
)
def test_a_time_in_the_file_was_a_time_of_day(file_ms: int, wall_ms: int) -> None:
    assert TWO.wall_ms(file_ms) == wall_ms


@pytest.mark.parametrize("outside", [-1, 14_001])
def test_outside_of_the_file_there_is_no_time_of_day(outside: int) -> None:
    assert TWO.wall_ms(outside) is None
    assert RecordTime().wall_ms(0) is None


def test_the_pause_is_told() -> None:
    assert list(TWO.pauses()) == [Pause(10_000, 1_010_000, 1_015_000)]
    assert TWO.duration_ms == 14_000


def test_a_clock_put_back_leaves_every_time_of_the_file_one_time_of_day() -> None:
    back = RecordTime((Stretch(0, 1_000_000, 500, 0), Stretch(1, 1_005_000, 500, 500)))
    assert back.wall_ms(9_000) == 1_009_000
    assert back.wall_ms(10_000) == 1_005_000


def test_a_stretch_without_a_tick_has_no_time() -> None:
    time = RecordTime((Stretch(0, 1_000, 50, 0), Stretch(1, 9_000, 0, 50), Stretch(2, 20_000, 50, 50)))
    assert [time.wall_ms(at) for at in (999, 1_000, 1_001)] == [1_999, 20_000, 20_001]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**4)), min_size=1, max_size=8), st.data())
def test_every_time_in_the_files_is_one_of_the_stretch_that_it_lies_in(
    spans: list[tuple[int, int]], data: st.DataObject
) -> None:
    stretches, wall, at = [], 1_700_000_000_000, 0
    for number, (gap_ms, ticks) in enumerate(spans):
        wall += gap_ms
        stretches.append(Stretch(number, wall, ticks, at))
        wall, at = wall + ticks * 20, at + ticks
    time = RecordTime(tuple(stretches))
    if at:
        file_ms = data.draw(st.integers(0, at * 20 - 1))
        (around,) = [one for one in stretches if one.at_ms <= file_ms < one.at_ms + one.duration_ms]
        assert time.wall_ms(file_ms) == around.began_ms + file_ms - around.at_ms
