from __future__ import annotations

from pathlib import Path

import pytest

from bridge.harness.results import CallResult, RunResult
from bridge.harness.run_command import FAILED, INVALID, PASSED, tell
from bridge.harness.run_report import ReportFolder

pytestmark = pytest.mark.unit

GOOD = RunResult("ws://x", 0.0, 1, [CallResult(1, "id", "", 0.0, 1, "caller hung up")])
BAD = RunResult("ws://x", 0.0, 1, [CallResult(1, "id", "", 0.0, 1, "connection lost", failures=["lost"])])
LATE = RunResult("ws://x", 0.0, 1, [], valid=False, invalid_because="late")


def nobody_reads(text: str) -> None:
    raise BrokenPipeError


@pytest.mark.parametrize(("run", "code"), [(GOOD, PASSED), (BAD, FAILED), (LATE, INVALID)])
def test_the_exit_code_is_the_verdict_though_nobody_reads_what_is_said(
    run: RunResult, code: int, tmp_path: Path
) -> None:
    assert tell(run, ReportFolder(tmp_path / "report"), nobody_reads) == code
    assert (tmp_path / "report" / "index.html").is_file()
    said: list[str] = []
    assert tell(run, ReportFolder(tmp_path / "report"), said.append) == code
    assert said[-1] == f"report: {tmp_path}/report/index.html"
