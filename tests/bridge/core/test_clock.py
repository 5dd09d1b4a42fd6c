from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.clock import Clock

pytestmark = pytest.mark.unit


def test_first_call_begins_the_grid_and_is_due_at_once() -> None:
    clock = Clock()
    assert clock.next_at() == -math.inf
    assert clock.due(5.0) == 1
    assert clock.next_at() == pytest.approx(5.02)


def test_call_before_time_is_early_and_moves_nothing() -> None:
    clock = Clock()
    clock.due(5.0)
    assert clock.due(5.01) == 0
    assert clock.next_at() == pytest.approx(5.02)
    assert clock.early == 1


def test_slightly_late_tick_does_not_put_off_the_next() -> None:
    clock = Clock()
    clock.due(5.0)
    assert clock.due(5.027) == 1
    assert clock.next_at() == pytest.approx(5.04)
    assert clock.lateness_s == pytest.approx(0.007)
    assert (clock.on_time, clock.late) == (2, 0)


def test_missed_ticks_are_made_up_for_and_counted() -> None:
    clock = Clock()
    clock.due(5.0)
    assert clock.due(5.065) == 3
    assert (clock.late, clock.caught_up, clock.resets) == (1, 2, 0)
    assert clock.next_at() == pytest.approx(5.08)


def test_what_lies_beyond_the_buffer_is_given_up() -> None:
    clock = Clock(max_catch_up=5)
    clock.due(5.0)
    assert clock.due(9.0) == 1
    assert clock.resets == 1
    assert clock.skipped == 199
    assert clock.next_at() == pytest.approx(9.02)


def test_most_that_is_caught_up_is_the_limit_itself() -> None:
    clock = Clock(max_catch_up=5)
    clock.due(5.0)
    assert clock.due(5.02 * 1 + 0.081) == 5
    assert clock.resets == 0


def test_timer_a_hair_too_soon_is_on_time() -> None:
    clock = Clock()
    clock.due(5.0)
    assert clock.due(clock.next_at() - 1e-8) == 1


@given(st.lists(st.floats(0, 0.2), min_size=1, max_size=60))
def test_ticks_run_and_skipped_always_add_up_to_the_time_that_passed(steps: list[float]) -> None:
    clock, now, run = Clock(), 100.0, 0
    for step in steps:
        now += step
        run += clock.due(now)
        assert clock.next_at() > now - 1e-6
    if not clock.resets:
        assert run == 1 + math.floor((now - (100.0 + steps[0]) + 1e-6) / 0.02 + 1e-9)
    assert clock.on_time + clock.late + clock.resets + clock.early == len(steps)


def test_clock_without_a_tick_or_a_buffer_is_refused() -> None:
    with pytest.raises(ValueError):
        Clock(0)
    with pytest.raises(ValueError):
        Clock(max_catch_up=0)
