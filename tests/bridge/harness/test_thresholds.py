from __future__ import annotations

import pytest

from bridge.harness.report_figures import figures
from bridge.harness.results import BargeIn, CallResult, Response, RunResult
from bridge.harness.thresholds import QUANTITIES, describe, read_threshold

pytestmark = pytest.mark.unit


def call(number: int = 1, **fields: object) -> CallResult:
    given = {
        "number": number, "call_id": "x", "scenario": "", "started_at": 0.0, "duration_ms": 1,
        "end": "caller hung up", "connect_ms": 5.0,
    }  # fmt: skip
    return CallResult(**{**given, **fields})  # type: ignore[arg-type]


def answered(*heard_ms: int | None) -> CallResult:
    return call(responses=[Response(0, heard, heard) for heard in heard_ms])


@pytest.mark.parametrize(
    ("text", "value", "met"),
    [
        ("response_p95<800ms", 950, False),
        ("response_p95 <= 0.95s", 950, True),
        ("response_p50<800ms", 500, True),
        ("response_median<800ms", 500, True),
        ("response_min>=50ms", 50, True),
        ("response_mean<526ms", 525, True),
        ("response_max==1000ms", 1000, True),
        ("response<1s", 1000, False),
        ("response>40ms", 50, True),
        ("response==1000ms", 50, False),
        ("response_delay_p99.9<1s", 1000, False),
        ("Response_P95<2s", 950, True),
        ("failed<1", 0, True),
        ("responses>=20", 20, True),
    ],
)
def test_thresholds_are_read_and_judged(text: str, value: float, met: bool) -> None:
    calls = [answered(*range(50, 550, 50)), answered(*range(550, 1050, 50))]
    judged = read_threshold(text).judge(calls)
    assert (judged.text, judged.value, judged.passed) == (text, value, met)


def test_all_that_is_to_be_equal_is_looked_at() -> None:
    stutters, is_smooth = call(gaps=1), call(gaps=0)
    judged = read_threshold("gaps==1").judge([stutters, is_smooth])
    assert (judged.value, judged.passed) == (0, False)
    judged = read_threshold("gaps==0").judge([stutters, is_smooth])
    assert (judged.value, judged.passed) == (1, False)
    assert read_threshold("gaps==1").judge([stutters, stutters]).passed


@pytest.mark.parametrize("text", ["response_p95<800ms", "barge_in<1s", "overtalk<5%", "gaps_max>0"])
def test_where_nothing_was_measured_a_threshold_is_not_met(text: str) -> None:
    judged = read_threshold(text).judge([call(connect_ms=None)])
    assert (judged.value, judged.passed) == (None, False)


def test_an_answer_that_never_came_is_later_than_any_limit() -> None:
    calls = [answered(*[100] * 19, None)]
    assert read_threshold("response_p95<800ms").judge(calls).passed
    judged = read_threshold("response_max<800ms").judge(calls)
    assert (judged.value, judged.passed) == (None, False)
    assert not read_threshold("response_max>800ms").judge(calls).passed


def test_a_bot_that_ends_by_itself_had_nothing_to_clear_and_one_that_goes_on_has_not_cleared() -> None:
    ended = call(barge_ins=[BargeIn(0, 120, 140), BargeIn(0, None, 600)])
    assert read_threshold("barge_in_clear<200ms").judge([ended]).value == 120
    went_on = call(barge_ins=[BargeIn(0, None, None)])
    assert not read_threshold("barge_in_clear<200ms").judge([ended, went_on]).passed


def test_rules_and_failures_are_counted_over_the_whole_run() -> None:
    calls = [
        call(failures=["no"], violations={"not_json": 2}, conduct={"not_yielded": 1}),
        call(violations={"not_json": 1}, end="connection lost"),
    ]
    for text, value in (
        ("not_json<3", 3), ("violations<9", 3), ("not_yielded<1", 1), ("failed<1", 1),
        ("failed_share<10%", 50), ("connections_lost<1", 1), ("connect_failed<1", 0),
    ):  # fmt: skip
        assert read_threshold(text).judge(calls).value == value, text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("fast", "no threshold such as response_p95<800ms"),
        ("response_p95=800ms", "no threshold"),
        ("respnse_p95<800ms", "did you mean response?"),
        ("qqq<1", "nothing is called qqq in qqq<1; there are connect, first_audio"),
        ("response_p95<800", "response in response_p95<800 is a time such as 800ms"),
        ("overtalk<5ms", "a share such as 5%"),
        ("failed<1s", "a plain number"),
        ("failed_p95<1", "one number for the whole run and has no p95"),
        ("response_p0<1s", "say min"),
    ],
)
def test_what_is_not_understood_is_told_with_what_is_known(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("?", "[?]")):
        read_threshold(text)


def test_the_page_s_figures_can_all_be_asked_for_by_the_names_they_have_there() -> None:
    run = RunResult("ws://x", 0.0, 1, [call()])
    for figure in figures(run):
        unit = {"ms": "ms", "%": "%", "": ""}[figure.unit]
        assert read_threshold(f"{figure.key}_p95<5{unit}").what.name in QUANTITIES


def test_every_name_is_told_to_people() -> None:
    told = describe()
    assert all(name in told for name in (*QUANTITIES, "failed_share", "never_heard", "wrong_rate"))
