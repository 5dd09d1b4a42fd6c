"""The search for a bot's capacity, without calls: which numbers it tries, and what it makes of a step."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.harness.capacity import TRIES, CapacitySearch, at_full_load, step_of
from bridge.harness.capacity_results import StepVerdict
from bridge.harness.results import BargeIn, CallResult, Response, RunResult
from bridge.harness.thresholds import read_threshold

pytestmark = pytest.mark.unit


def searched(search: CapacitySearch, limit: int | None, late_from: int | None = None) -> list[int]:
    """The numbers tried on a bot that breaks above `limit`, by a harness that is late from some number on."""
    tried = []
    while (calls := search.next) is not None:
        tried.append(calls)
        assert len(tried) < 60, tried
        verdict: StepVerdict = "held" if limit is None or calls <= limit else "broke"
        if late_from is not None and calls >= late_from:
            verdict = "harness late"
        search.take(calls, verdict)
    return tried


@given(st.integers(0, 2_000), st.integers(1, 300), st.floats(0, 0.5), st.integers(1, 2_000))
def test_any_limit_is_found_to_the_precision_asked_for(
    limit: int, start: int, precision: float, at_least: int
) -> None:
    search = CapacitySearch(start, at_least=at_least, most=10_000, precision=precision)
    tried = searched(search, limit)
    assert search.ended == "found"
    assert search.broke is not None
    assert search.held <= limit < search.broke
    assert search.broke - search.held <= max(1, precision * search.held)
    assert tried[0] == start
    assert len(tried) == len(set(tried)), "nothing is tried twice"
    # What was asked for is known for certain, however coarse the search is.
    assert search.held >= at_least or search.broke <= at_least


@given(st.integers(1, 2_000), st.integers(1, 300), st.integers(0, 2_000))
def test_a_harness_that_is_late_bounds_the_search_and_is_never_taken_for_the_bot_s_limit(
    late_from: int, start: int, limit: int
) -> None:
    search = CapacitySearch(start, precision=0.1)
    searched(search, limit, late_from)
    assert search.held <= min(limit, late_from - 1)
    if limit + 1 < late_from:
        assert search.broke is None or search.broke > limit
    else:
        assert search.broke is None
        assert search.ended == "harness late"
        assert search.late_at is not None and search.late_at >= late_from
        assert search.late_at - search.held <= max(1, 0.1 * search.held)
    if search.ended == "found":
        assert search.broke is not None and search.held <= limit < search.broke


def test_it_doubles_and_then_halves() -> None:
    search = CapacitySearch(10)
    assert searched(search, 67) == [10, 20, 40, 80, 60, 70, 65]
    assert (search.held, search.broke, search.ended) == (65, 70, "found")


def test_a_bot_that_does_not_hold_the_first_step_is_searched_below_it() -> None:
    search = CapacitySearch(50)
    assert searched(search, 3) == [50, 25, 12, 6, 3, 4]
    assert (search.held, search.broke) == (3, 4)
    search = CapacitySearch(50)
    assert searched(search, 0)[-1] == 1
    assert (search.held, search.broke) == (0, 1)


def test_what_was_asked_for_is_tried_itself_when_it_is_in_doubt() -> None:
    search = CapacitySearch(10, at_least=64, precision=1.0)
    assert searched(search, 66) == [10, 20, 40, 80, 64]
    assert (search.held, search.broke) == (64, 80)


def test_one_late_step_may_have_been_an_accident_and_is_made_again() -> None:
    search = CapacitySearch(10)
    search.take(10, "held")
    search.take(20, "harness late")
    assert search.next == 20
    search.take(20, "held")
    assert search.next == 40
    assert search.late_at is None
    for _ in range(TRIES):
        search.take(40, "harness late")
    assert search.late_at == 40
    assert search.next == 30
    search.take(30, "harness late")
    assert search.next == 30
    search.take(30, "broke")
    assert (search.broke, search.next) == (30, 25)


def test_a_search_ends_where_it_was_told_to_or_when_it_is_broken_off() -> None:
    search = CapacitySearch(10, most=50)
    assert searched(search, None) == [10, 20, 40, 50]
    assert (search.ended, search.held, search.broke) == ("limit", 50, None)
    search = CapacitySearch(10)
    search.take(10, "held")
    search.take(20, "interrupted")
    assert (search.next, search.ended, search.held) == (None, "interrupted", 10)


@pytest.mark.parametrize(
    ("start", "at_least", "precision"), [(0, 1, 0.1), (9, 1, 0.1), (1, 9, 0.1), (1, 1, -1)]
)
def test_numbers_that_leave_nothing_to_search_are_refused(
    start: int, at_least: int, precision: float
) -> None:
    with pytest.raises(ValueError, match="1 ≤ first step ≤ 8"):
        CapacitySearch(start, at_least=at_least, most=8, precision=precision)


# --- a step ---


def call(number: int, started_at: float, *responses: tuple[int, int | None]) -> CallResult:
    return CallResult(
        number, f"call-{number}", "", started_at, 20_000, "caller hung up", connect_ms=500.0,
        late_ms=float(number), responses=[Response(at, heard, heard) for at, heard in responses],
    )  # fmt: skip


def run_of(*calls: CallResult, valid: bool = True) -> RunResult:
    return RunResult("ws://bot.example/", 1_000.0, 20_000, list(calls), valid=valid, invalid_because="" if valid else "late")  # fmt: skip  # noqa: E501


def test_only_what_was_asked_while_all_callers_were_there_is_judged() -> None:
    early = replace(
        call(1, 1_000.0, (1_000, 200), (4_500, 900), (9_800, 300)), barge_ins=[BargeIn(4_600, 100, 120)]
    )
    late = call(2, 1_004.0, (600, 800))
    asked = [read_threshold("response_p50<850ms")]
    run = at_full_load(run_of(early, late), 5.0, asked)
    # All are there from 1004.5 to 1009.5; call 1 has said `start` at 1000.5.
    assert [[one.asked_ms for one in call.responses] for call in run.calls] == [[4_500], [600]]
    assert [len(call.barge_ins) for call in run.calls] == [1, 0]
    assert [(one.value, one.passed) for one in run.thresholds] == [(800, True)]


def test_a_run_in_which_nothing_was_asked_at_full_load_stays_whole() -> None:
    run = run_of(call(1, 1_000.0, (100, 200)), call(2, 1_008.0))
    assert at_full_load(run, 5.0, []) is run
    refused = run_of(replace(call(1, 1_000.0), connect_ms=None, end="connect failed"))
    assert at_full_load(refused, 5.0, []) is refused


def test_a_step_says_what_broke() -> None:
    calls = [call(number, 1_000.0, (1_000, 100 * number)) for number in range(1, 11)]
    step = step_of(run_of(*calls), 10, "steps/01-10-calls")
    assert (step.verdict, step.because, step.report) == ("held", "", "steps/01-10-calls")
    assert (step.response_p50_ms, step.response_p95_ms, step.response_max_ms) == (500, 1_000, 1_000)
    assert (step.connect_p95_ms, step.late_ms, step.barge_in_clear_p95_ms) == (500, 10, None)
    calls[3] = replace(call(4, 1_000.0, (1_000, None)), failures=["unanswered: nobody answered"])
    run = run_of(*calls)
    asked = [
        read_threshold("response_p95<800ms"),
        read_threshold("barge_in_p95<1s"),
        read_threshold("failed<9"),
    ]
    step = step_of(replace(run, thresholds=[one.judge(calls) for one in asked]), 10)
    assert step.verdict == "broke"
    assert step.because == (
        "1 of 10 calls failed (unanswered); response_p95<800ms: there was nothing to measure, or so often it "
        "never happened; barge_in_p95<1s: there was nothing to measure, or so often it never happened."
    )
    assert (step.failed_calls, step.unanswered) == (1, 1)
    fine = [one for one in calls if not one.failures]
    step = step_of(replace(run_of(*fine), thresholds=[asked[0].judge(fine)]), 9)
    assert step.because == "response_p95<800ms: it was 1,000 ms."


def test_a_late_harness_says_nothing_of_the_bot() -> None:
    broken = replace(call(1, 1_000.0), failures=["unanswered: nobody answered"])
    assert step_of(run_of(broken, valid=False), 1).verdict == "harness late"
    assert step_of(replace(run_of(broken, valid=False), interrupted=True), 1).verdict == "interrupted"
