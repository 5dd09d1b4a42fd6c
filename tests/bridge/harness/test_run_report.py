from __future__ import annotations

from xml.etree import ElementTree

import msgspec
import pytest

from bridge.harness.report_json import as_json
from bridge.harness.results import CallResult, RunResult, Threshold
from bridge.harness.run_report import as_junit
from bridge.harness.run_summary import summary, verdict

pytestmark = pytest.mark.unit


def call(number: int, **fields: object) -> CallResult:
    return CallResult(number, "id", "greeting", 0.0, 1_500, **{"end": "caller hung up", **fields})  # type: ignore[arg-type]


RUN = RunResult(
    "wss://bot.example/stream",
    0.0,
    2_000,
    [
        call(1, connect_ms=3.0),
        call(2, end="bot failed", failures=["bot failed: 1011 \x00\ud800", "never_heard: The caller …"]),
        call(3, end="cancelled"),
    ],
    [Threshold("response_p95<800ms", None, False), Threshold("failed<2", 1.0, True)],
)


def test_junit_has_a_case_for_every_call_and_threshold_and_holds_no_character_that_xml_cannot() -> None:
    suite = ElementTree.fromstring(as_junit(RUN))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("6", "2", "0")
    cases = {case.get("name"): case for case in suite}
    failure = cases["call 2"].find("failure")
    assert failure is not None and failure.get("message") == "bot failed: 1011 \ufffd\ufffd"
    assert cases["call 3"].find("skipped") is not None
    assert list(cases["call 1"]) == []
    missed = cases["response_p95<800ms"].find("failure")
    assert missed is not None and "nothing to measure" in str(missed.text)
    assert cases["call 1"].get("classname") == "greeting"


def test_an_invalid_run_is_an_error_of_the_harness() -> None:
    invalid = RunResult("ws://x", 0, 1, [], valid=False, invalid_because="late")
    suite = ElementTree.fromstring(as_junit(invalid))
    assert suite.get("errors") == "1"
    assert verdict(invalid) == "INVALID: late"


def test_json_is_the_result_and_whether_it_passed() -> None:
    run = RunResult("ws://x", 0, 1, [call(1)])
    read = msgspec.json.decode(as_json(run))
    assert read.pop("passed") is True
    assert msgspec.convert(read, RunResult) == run


def test_the_summary_tells_what_failed_first_things_first() -> None:
    told = summary(RUN).splitlines()
    assert told[-1] == "FAILED: 1 of 3 calls failed, 1 of 2 thresholds were not met"
    assert told[-2] == "call 2: bot failed: 1011 \x00\ud800 (and 1 more)"
    assert "FAILED  response_p95<800ms: there was nothing to measure, so it is not met" in told
    assert "met     failed<2: 1" in told
