from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.errors import ConfigError
from bridge.harness.results import CallResult, RunResult, Threshold
from bridge.harness.session_report import SessionReport

pytestmark = pytest.mark.unit


def a_run(*calls: CallResult, **more: object) -> RunResult:
    return RunResult("ws://127.0.0.1:9/", 1.0, 100, list(calls), **more)  # type: ignore[arg-type]


def a_call(number: int = 1, scenario: str = "", **more: object) -> CallResult:
    return CallResult(number, f"id-{number}", scenario, 1.0, 100, "caller hung up", **more)  # type: ignore[arg-type]


def test_calls_of_many_runs_are_counted_through_and_named_by_their_test(tmp_path: Path) -> None:
    report = SessionReport(tmp_path / "report")
    names = [report.wav_name(number) for number in (1, 1, 2)]
    assert names == ["calls/call-0001.wav", "calls/call-0002.wav", "calls/call-0003.wav"]
    report.add(a_run(a_call(wav=names[0])), called="test_greeting")
    report.add(a_run(a_call(1, "Asks", wav=names[1]), a_call(2, "Asks", failures=["x"])), called="test_asks")
    report.add(a_run(a_call(1, "Alone")))
    run = report.finish()
    assert [(call.number, call.scenario) for call in run.calls] == [
        (1, "test_greeting"), (2, "test_asks: Asks"), (3, "test_asks: Asks"), (4, "Alone"),
    ]  # fmt: skip
    assert [call.wav for call in run.calls][:2] == names[:2]
    assert run.target == "ws://127.0.0.1:9/"
    written = json.loads((tmp_path / "report" / "report.json").read_bytes())
    assert written["passed"] is False and len(written["calls"]) == 4
    assert (tmp_path / "report" / "index.html").is_file() and (tmp_path / "report" / "junit.xml").is_file()


def test_thresholds_are_kept_and_one_late_run_makes_all_of_it_invalid(tmp_path: Path) -> None:
    report = SessionReport(tmp_path)
    report.add(a_run(a_call(), thresholds=[Threshold("failed<1", 0.0, True)]))
    report.add(a_run(a_call(), valid=False, invalid_because="It was late."), called="test_late")
    report.add(a_run(interrupted=True))
    run = report.finish()
    assert [threshold.text for threshold in run.thresholds] == ["failed<1"]
    assert (run.valid, run.invalid_because, run.interrupted) == (False, "test_late: It was late.", True)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(ConfigError, match="not empty"):
        SessionReport(tmp_path)


def test_a_session_without_a_call_has_a_report_that_says_so(tmp_path: Path) -> None:
    assert SessionReport(tmp_path).finish().target == "no bot"
