from __future__ import annotations

import msgspec
import pytest

from bridge.harness.report_json import as_json
from bridge.harness.results import CallResult, RunResult, Threshold
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


def test_what_a_run_that_is_invalid_says_above_all_is_why() -> None:
    assert verdict(RunResult("ws://x", 0, 1, [], valid=False, invalid_because="late")) == "INVALID: late"


def test_json_is_the_result_and_whether_it_passed() -> None:
    run = RunResult("ws://x", 0, 1, [call(1)])
    read = msgspec.json.decode(as_json(run))
    assert read.pop("passed") is True
    assert msgspec.convert(read, RunResult) == run


def test_the_summary_tells_what_failed_first_things_first() -> None:
    told = summary(RUN).splitlines()
    assert told[-1] == "FAILED: 1 of 3 calls failed, 1 of 2 thresholds were not met"
    assert told[-2] == "call 2: bot failed: 1011 \ufffd\ufffd (and 1 more)"
    assert "FAILED  response_p95<800ms: there was nothing to measure, so it is not met" in told
    assert "met     failed<2: 1" in told
