from __future__ import annotations

import pytest

from bridge.harness.lateness import Lateness

pytestmark = pytest.mark.unit


def told(*late_ms: float) -> Lateness:
    lateness = Lateness()
    for one in late_ms:
        lateness.note(one / 1000)
    return lateness


def test_a_punctual_harness_has_no_problem() -> None:
    assert told().problem == ""
    assert told(*[5.0] * 100, *[25.0]).problem == ""
    assert str(told(*[5.0] * 99, 25.0)) == "worst 25 ms, 1.00 % of ticks over 20 ms"


def test_one_tick_that_is_very_late_is_too_much() -> None:
    assert "was 101 ms late" in told(*[0.0] * 10_000, 101.0).problem


def test_many_ticks_that_are_a_little_late_are_too_many() -> None:
    assert "20 ms late 2.0 % of the time; 1 % is allowed" in told(*[0.0] * 98, 21.0, 21.0).problem
