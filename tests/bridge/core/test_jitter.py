from __future__ import annotations

import random

import numpy as np
import pytest

from bridge.core.jitter import Arrivals
from bridge.core.pool import PlayoutSettings

pytestmark = pytest.mark.unit


def fed(
    ticks: int, delay_ms: float | None = None, spare_ms: float = 0.0, *, jitter_ms: float = 0.0, rows: int = 1
) -> Arrivals:
    """Rows to which something came in each tick."""
    arrivals = Arrivals(PlayoutSettings())
    draw = random.Random(1)
    for _ in range(ticks):
        for row in range(rows):
            delay = draw.uniform(0, jitter_ms) if delay_ms is None else delay_ms
            arrivals.came(row, delay / 1000, spare_ms)
        arrivals.fold(rows)
    return arrivals


def plan(arrivals: Arrivals, *, quiet: bool = False, depth_ms: float = 20.0) -> list[tuple[int, float]]:
    rows = 1
    return arrivals.plan(np.ones(rows, np.bool_), np.full(rows, quiet), np.full(rows, depth_ms))


def test_regular_arrivals_have_no_jitter_whatever_their_delay() -> None:
    assert fed(100, 500).jitter_ms[0] == 0


def test_jitter_is_about_the_most_that_arrivals_are_late() -> None:
    assert fed(500, jitter_ms=60).jitter_ms[0] == pytest.approx(55, abs=6)


def test_jitter_is_forgotten_within_seconds() -> None:
    arrivals = fed(500, jitter_ms=60)
    for _ in range(1_500):
        arrivals.came(0, 0.0, 0.0)
        arrivals.fold(1)
    assert arrivals.jitter_ms[0] < 1


def test_one_stall_is_not_taken_for_more_than_may_be_held() -> None:
    arrivals = fed(100, 0)
    arrivals.came(0, 30.0, 0.0)
    for _ in range(2):
        arrivals.fold(1)
    assert arrivals.jitter_ms[0] <= 200
    assert arrivals.wait_s(0, 0.0) <= 0.2
    assert arrivals.stalled(0, 30.0) and not arrivals.stalled(0, 0.5)


def test_a_wait_makes_up_for_what_the_first_packet_was_early() -> None:
    arrivals = fed(500, jitter_ms=60)
    jitter_s = arrivals.jitter_ms[0] / 1000
    assert arrivals.wait_s(0, 0.0) == pytest.approx(jitter_s, abs=0.002)
    assert arrivals.wait_s(0, 0.02) == pytest.approx(jitter_s - 0.02, abs=0.002)
    assert arrivals.wait_s(0, 0.5) == 0


def test_what_all_arrivals_found_to_spare_can_be_taken_out() -> None:
    arrivals = fed(102, 0, 30.0)
    assert plan(arrivals) == [(0, 30.0)]
    assert arrivals.surplus_ms(0) == 30


def test_one_arrival_without_anything_to_spare_is_enough_to_leave_the_buffer_alone() -> None:
    arrivals = fed(102, 0, 30.0)
    arrivals.came(0, 0.0, 2.0)
    for _ in range(2):
        arrivals.fold(1)
    assert plan(arrivals) == []
    assert plan(arrivals, quiet=True) == [(0, 2.0)]
    arrivals.came(0, 0.0, -20.0)
    for _ in range(2):
        arrivals.fold(1)
    assert plan(arrivals) == [(0, -20.0)]
    assert plan(arrivals, depth_ms=200.0) == []


def test_nothing_is_taken_out_before_a_second_is_known() -> None:
    assert plan(fed(48, 0, 30.0)) == []
    arrivals = fed(102, 0, 30.0)
    arrivals.begin(np.array([0]))
    assert plan(arrivals) == [] and arrivals.surplus_ms(0) == 0


def test_a_correction_is_remembered_and_the_row_rests() -> None:
    arrivals = fed(102, 0, 30.0)
    arrivals.corrected(0, 10.0, 30.0, quiet=False)
    assert arrivals.surplus_ms(0) == 20
    pauses = 0
    while not plan(arrivals):
        arrivals.fold(1)
        pauses += 1
    assert 8 <= pauses <= 10


def test_a_reserve_counts_as_needed() -> None:
    arrivals = fed(102, 0, 30.0)
    arrivals.reserve_ms[0] = 20.0
    assert plan(arrivals) == [(0, 10.0)]
    arrivals.reserve_ms[0] = 40.0
    assert plan(arrivals) == [(0, -10.0)]


def test_only_the_neediest_rows_are_planned_for() -> None:
    arrivals = Arrivals(PlayoutSettings(corrections_per_tick=2))
    for _ in range(102):
        for row in range(5):
            arrivals.came(row, 0.0, 10.0 * row)
        arrivals.fold(5)
    every = np.ones(5, np.bool_)
    assert arrivals.plan(every, ~every, np.zeros(5)) == [(4, 40.0), (3, 30.0)]


def test_rows_keep_what_is_known_of_them_when_there_are_more() -> None:
    arrivals = fed(102, 0, 30.0)
    arrivals.grow(64)
    assert arrivals.surplus_ms(0) == 30
    arrivals.came(63, 0.0, 5.0)
    arrivals.fold(64)
    assert plan(arrivals) == [(0, 30.0)]
    arrivals.reset(0)
    assert arrivals.surplus_ms(0) == 0
