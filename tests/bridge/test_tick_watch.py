from __future__ import annotations

import pytest

from bridge.tick_watch import JUDGED_TICKS, TickWatch

pytestmark = pytest.mark.unit


def run(watch: TickWatch, lateness_s: list[float]) -> list[bool]:
    return [watch.observe(lateness, 0.002) for lateness in lateness_s]


def test_nothing_seen_is_not_overload() -> None:
    watch = TickWatch()
    assert not watch.overloaded
    assert watch.lateness_ms(50, 99) == [0.0, 0.0]


def test_a_few_late_ticks_are_no_overload_and_many_are() -> None:
    watch = TickWatch()
    run(watch, ([0.02] + [0.0] * 9) * (JUDGED_TICKS // 10))
    assert not watch.overloaded
    changes = run(watch, [0.02, 0.0] * (JUDGED_TICKS // 2))
    assert watch.overloaded
    assert changes.count(True) == 1


def test_overload_ends_only_when_hardly_any_tick_is_late() -> None:
    watch = TickWatch()
    run(watch, [0.03] * JUDGED_TICKS)
    run(watch, ([0.02] + [0.0] * 9) * (JUDGED_TICKS // 10))
    assert watch.overloaded
    run(watch, [0.001] * JUDGED_TICKS)
    assert not watch.overloaded


def test_how_many_are_too_many_can_be_chosen() -> None:
    strict, never = TickWatch(0.0), TickWatch(1.0)
    run(strict, [0.03] + [0.0] * (JUDGED_TICKS - 1))
    assert strict.overloaded
    run(strict, [0.0] * JUDGED_TICKS)
    assert not strict.overloaded
    run(never, [0.03] * JUDGED_TICKS)
    assert not never.overloaded


def test_percentiles_are_of_the_last_minute() -> None:
    watch = TickWatch()
    run(watch, [1.0] * 3000)
    run(watch, [0.004] * 3000)
    assert watch.lateness_ms(50, 99) == pytest.approx([4.0, 4.0])
    assert watch.duration_ms(50) == pytest.approx([2.0])
