from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.harness.percentiles import percentile
from bridge.harness.report_figures import Figure, figures, histogram
from bridge.harness.results import BargeIn, CallResult, Response, RunResult, Threshold
from tests.kit import report_runs
from tests.kit.report_runs import make_run

pytestmark = pytest.mark.unit


def call(number: int, **more: object) -> CallResult:
    return replace(CallResult(number, str(number), "", 0.0, 1_000, "caller hung up", connect_ms=10.0), **more)  # type: ignore[arg-type]


def found(run: RunResult) -> dict[str, Figure]:
    return {figure.key: figure for figure in figures(run)}


def of(*calls: CallResult, thresholds: tuple[Threshold, ...] = ()) -> dict[str, Figure]:
    return found(RunResult("t", 0.0, 0, list(calls), list(thresholds)))


@pytest.mark.parametrize(
    ("count", "share", "rank"),
    [(20, 0.95, 19), (100, 0.95, 95), (1, 0.95, 1), (2, 0.5, 1), (3, 0.5, 2), (10, 0.9, 9), (7, 1.0, 7)],
)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(
    count: int, share: float, rank: int
) -> None:
    assert percentile(range(1, count + 1), share) == rank
    assert percentile([], share) is None


def test_percentiles_agree_with_a_plain_count_over_a_whole_run() -> None:
    run = make_run(30)
    heard = [float(r.heard_ms) for c in run.calls for r in c.responses if r.heard_ms is not None]
    response = found(run)["response"]
    assert response.n == len(heard) > 50
    assert [response.p50, response.p90, response.p95, response.max] == [
        *(report_runs.percentile(heard, share) for share in (0.5, 0.9, 0.95)),
        max(heard),
    ]


def test_what_never_happened_is_counted_beside_the_values() -> None:
    both = of(
        call(1, responses=[Response(0, 500, 400), Response(0, None, None)]),
        call(2, responses=[Response(0, None, 450)], barge_ins=[BargeIn(0, None, None), BargeIn(9, 250, 300)]),
        call(3, connect_ms=None),
    )
    assert (both["response"].n, both["response"].never) == (1, 2)
    assert (both["response_arrived"].n, both["response_arrived"].never) == (2, 1)
    assert (both["barge_in_clear"].n, both["barge_in_clear"].never) == (1, 1)
    assert (both["barge_in"].n, both["barge_in"].never) == (1, 1)
    assert (both["connect"].n, both["connect"].never) == (2, 1)
    # Who never connected is not counted once more as never heard.
    assert (both["first_heard"].n, both["first_heard"].never) == (0, 2)


def test_a_bot_at_its_own_end_had_nothing_to_clear() -> None:
    clear = of(call(1, barge_ins=[BargeIn(0, None, 300)]))["barge_in_clear"]
    assert (clear.n, clear.never) == (0, 0)


def test_every_value_falls_into_one_cell() -> None:
    values = sorted([0.0, 1.0, 99.0, 100.0, 101.0, 480.0, 481.5])
    spread = histogram(values)
    assert spread is not None
    assert sum(spread.counts) + spread.over == len(values)
    assert spread.width == 50
    assert spread.counts == [2, 1, 2, 0, 0, 0, 0, 0, 0, 2]
    assert histogram([]) is None
    only_nothing = histogram([0.0, 0.0])
    assert only_nothing is not None and only_nothing.counts == [2]


def test_few_far_values_do_not_squeeze_all_others_into_one_cell() -> None:
    spread = histogram([*[float(ms) for ms in range(500, 600)], 60_000.0])
    assert spread is not None
    assert spread.over == 1
    assert spread.width * len(spread.counts) < 2_000


def test_a_threshold_is_always_within_the_picture() -> None:
    spread = histogram([100.0, 110.0], reach=800.0)
    assert spread is not None and spread.width * len(spread.counts) > 800


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("response_p95<0.8s", "response", 800),
        ("response_heard_p95<800ms", "response", 800),
        ("response_arrived_p95<800ms", "response_arrived", 800),
        ("barge_in_p95<500ms", "barge_in", 500),
        ("clear_p95<500ms", "barge_in_clear", 500),
        ("overtalk_p95<5%", "overtalk", 5),
        ("connect<100ms", "connect", 100),
    ],
)
def test_a_threshold_stands_at_the_figure_it_is_about(text: str, key: str, value: float) -> None:
    for name, figure in of(call(1), thresholds=(Threshold(text, 1.0, False),)).items():
        assert [(limit.text, limit.value) for limit in figure.limits] == (
            [(text, value)] if name == key else []
        )


def test_a_limit_knows_on_which_side_values_should_be() -> None:
    both = (Threshold("response_p95<800ms", 1.0, True), Threshold("response_min>=100ms", 1.0, False))
    response = of(call(1), thresholds=both)["response"]
    assert [(limit.value, limit.upper, limit.passed) for limit in response.limits] == [
        (800, True, True),
        (100, False, False),
    ]
    assert not [
        limit
        for figure in of(call(1), thresholds=(Threshold("<b>", 1.0, True),)).values()
        for limit in figure.limits
    ]
