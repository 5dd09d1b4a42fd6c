from __future__ import annotations

from dataclasses import replace
from xml.etree.ElementTree import Element

import pytest

from bridge.harness.capacity_results import CapacityResult
from bridge.harness.report_junit import as_junit
from bridge.harness.results import CallResult, RunResult, Threshold
from tests.kit.junit_xml import read_junit
from tests.kit.report_runs import HOSTILE, hostile_run, make_capacity, make_run

pytestmark = pytest.mark.unit


def call(number: int, **fields: object) -> CallResult:
    return CallResult(number, "id", "greeting", 0.0, 1_500, **{"end": "caller hung up", **fields})  # type: ignore[arg-type]


RUN = RunResult(
    "wss://bot.example/stream",
    1_795_190_400.25,
    2_000,
    [
        call(1, connect_ms=3.0, wav="calls/call-0001.wav"),
        call(2, end="bot failed", failures=["bot failed: 1011 \x00\ud800", "never_heard: The caller …"]),
        call(3, end="cancelled"),
        call(
            4, failures=["not_json (× 3): A message is not JSON; it is dropped."], violations={"not_json": 3}
        ),
        call(5, failures=["step 2: the bot did not talk within 3s"]),
    ],
    [Threshold("response_p95<800ms", None, False), Threshold("failed<2", 1.0, True)],
    settings={"codec": "l16-16k"},
    seed=7,
)


def cases(run: RunResult | CapacityResult) -> dict[str, Element]:
    return {str(case.get("name")): case for case in read_junit(as_junit(run)).findall("testcase")}


def what_of(case: Element) -> tuple[str, str | None, str | None]:
    """What a case came to, of which type, and the message."""
    for tag in ("failure", "error", "skipped"):
        if (found := case.find(tag)) is not None:
            return tag, found.get("type"), found.get("message")
    return "passed", None, None


def test_there_is_a_case_for_every_call_and_threshold_and_no_character_that_xml_cannot_hold() -> None:
    found = cases(RUN)
    assert what_of(found["call 1"]) == ("passed", None, None)
    assert what_of(found["call 2"]) == ("failure", "bot failed", "bot failed: 1011 \ufffd\ufffd")
    assert what_of(found["call 3"]) == ("skipped", "cancelled", "cancelled")
    assert what_of(found["call 4"])[:2] == ("failure", "not_json")
    assert what_of(found["call 5"])[:2] == ("failure", "expectation")
    kind, type_, message = what_of(found["response_p95<800ms"])
    assert (kind, type_) == ("failure", "threshold") and "nothing to measure" in str(message)
    assert what_of(found["failed<2"]) == ("passed", None, None)
    assert found["call 1"].get("classname") == "greeting"
    assert found["call 1"].get("time") == "1.500"


def test_a_suite_says_when_it_was_of_what_and_how_it_was_run() -> None:
    suite = read_junit(as_junit(RUN))
    assert suite.get("timestamp") == "2026-11-20T16:00:00"
    assert suite.get("time") == "2.000"
    told = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert (told["target"], told["seed"], told["codec"]) == ("wss://bot.example/stream", "7", "l16-16k")
    assert told["connect_p95_ms"] == "3"
    assert "FAILED: 3 of 5 calls failed" in str(suite.findtext("system-out"))


def test_a_call_s_own_figures_go_along_with_it() -> None:
    run = make_run(20)
    said = {name: case.findtext("system-out", "") for name, case in cases(run).items()}
    for one in run.calls:
        text = said[f"call {one.number}"]
        assert one.call_id in text and f"ended: {one.end}" in text
        for response in one.responses:
            assert "never" in text if response.heard_ms is None else f"{response.heard_ms} ms" in text
        for name, times in one.violations.items():
            assert f"{name} × {times}" in text
    assert "sound: calls/call-0001.wav" in cases(RUN)["call 1"].findtext("system-out", "")


def test_nothing_of_an_invalid_run_has_passed_or_failed() -> None:
    found = cases(replace(RUN, valid=False, invalid_because="The harness itself was 312 ms late."))
    kept_time = found.pop("the harness kept time")
    assert what_of(kept_time) == ("error", "invalid", "The harness itself was 312 ms late.")
    assert {what_of(case)[0] for case in found.values()} == {"skipped"}


def test_an_interrupted_run_is_an_error() -> None:
    assert what_of(cases(replace(RUN, interrupted=True))["the run was gone through"])[0] == "error"
    assert "the run was gone through" not in cases(RUN)


def test_in_a_search_only_what_breaks_below_what_was_asked_for_is_a_failure() -> None:
    found = cases(make_capacity())
    assert [what_of(found[f"{calls} calls at once"])[0] for calls in (65, 70, 80)] == [
        "passed", "skipped", "skipped"
    ]  # fmt: skip
    assert what_of(found["50 calls or more are held"])[0] == "passed"
    more = cases(replace(make_capacity(), at_least=70))
    assert what_of(more["70 calls at once"])[:2] == ("failure", "broke")
    assert what_of(more["70 calls or more are held"])[:2] == ("failure", "capacity")
    unknown = cases(replace(make_capacity(late=True), at_least=200, ended="interrupted"))
    assert what_of(unknown["160 calls at once"])[:2] == ("skipped", "harness late")
    assert what_of(unknown["200 calls or more are held"])[0] == "error"
    assert what_of(unknown["the search was gone through"])[0] == "error"


def test_hostile_texts_make_no_other_document() -> None:
    run = hostile_run()
    calls = [replace(call, violations={}) for call in run.calls]
    suite = read_junit(as_junit(replace(run, calls=calls, thresholds=[])))
    assert len(suite.findall("testcase")) == len(HOSTILE) + 2
    suite = read_junit(as_junit(replace(run, calls=calls, thresholds=[], valid=True)))
    assert suite.get("failures") == str(len(HOSTILE) + 1)
