from __future__ import annotations

import pytest

from bridge.harness.timeline import MAX_MOMENTS, MOMENTS_OF_A_RULE, Timeline

pytestmark = pytest.mark.unit


def test_times_count_from_the_beginning() -> None:
    times = iter((105.0, 105.25))
    timeline = Timeline(lambda: next(times))
    timeline.note("mark", "early")
    timeline.begin()
    timeline.note("clear")
    timeline.note("gap", "40 ms", 120.4)
    told = [(one.at_ms, one.kind) for one in timeline.moments()]
    assert told == [(0, "mark"), (120, "gap"), (250, "clear")]


def test_rules_are_counted_however_often_and_shown_a_few_times() -> None:
    timeline = Timeline()
    for _ in range(1_000):
        timeline.found("not_json")
    timeline.found("talked_over")
    assert timeline.broken_rules("violation") == {"not_json": 1_000}
    assert timeline.broken_rules("conduct") == {"talked_over": 1}
    assert len(timeline.moments()) == MOMENTS_OF_A_RULE + 1
    assert timeline.failures() == ["not_json (× 1,000): A message is not JSON; it is dropped."]


def test_moments_and_their_texts_are_bounded() -> None:
    timeline = Timeline()
    for _ in range(MAX_MOMENTS + 5):
        timeline.note("mark", "x" * 500)
    moments = timeline.moments()
    assert len(moments) == MAX_MOMENTS + 1
    assert (moments[-1].kind, moments[-1].text) == ("left out", "5 more")
    assert len(moments[0].text) == 80
