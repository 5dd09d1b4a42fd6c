from __future__ import annotations

import random

import pytest

from bridge.spread import Spread, Summary

pytestmark = pytest.mark.unit


def spread(values: list[int]) -> Spread:
    made = Spread()
    for value in values:
        made.add(value)
    return made


def test_nothing_has_no_percentiles() -> None:
    assert Spread().summary() == Summary(0, None, None, None, None)


def test_one_value_is_all_its_figures() -> None:
    assert spread([1_237]).summary() == Summary(1, 1_237, 1_237, 1_237, 1_237)


def test_small_values_are_exact() -> None:
    assert spread(list(range(1, 101))).summary() == Summary(100, 1, 50, 95, 100)
    assert spread(list(range(1, 21))).percentile(0.95) == 19


def test_percentiles_of_a_hundred_thousand_values_are_within_a_percent() -> None:
    chance = random.Random(3)
    values = [int(chance.lognormvariate(6.5, 0.8)) for _ in range(100_000)]
    summary, ordered = spread(values).summary(), sorted(values)
    assert (summary.min, summary.max) == (ordered[0], ordered[-1])
    assert summary.p50 == pytest.approx(ordered[50_000], rel=0.01)
    assert summary.p95 == pytest.approx(ordered[95_000], rel=0.01)


def test_memory_has_a_bound_whatever_the_values_are() -> None:
    made = spread([*range(0, 4_000_000, 97), 10**12, -5])
    assert len(made._cells) <= 1_200
    assert (made.summary().min, made.summary().max) == (0, 10**12)
