"""`mediabridge test --find-capacity`: what is asked for, and what does not go together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.cli import main

pytestmark = pytest.mark.unit

URL = "ws://127.0.0.1:9/"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--at-least", "5"], "--at-least goes with --find-capacity"),
        (["--find-capacity", "--arrivals", "2/s"], "--arrivals does not go with --find-capacity"),
        (["--find-capacity", "--capture", "x"], "--capture does not go with --find-capacity"),
        (["--find-capacity", "--replay", "x"], "--replay does not go with --find-capacity"),
        (["--find-capacity", "--scenario", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", URL, *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1


@pytest.mark.e2e
def test_a_bot_that_is_not_there_holds_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wav = tmp_path / "hello.wav"
    soundfile.write(wav, np.full(1_600, 9_000, np.int16), 16_000)
    report = tmp_path / "report"
    command = ["test", URL, "--find-capacity", "--calls", "2", "--hold", "1", "--wav", str(wav)]
    assert main([*command, "--report", str(report)]) == 1
    told = capsys.readouterr()
    assert "FAILED: does not hold 1 call" in told.out
    assert "2 calls: broke, 2 of 2 calls failed (connect failed)" in told.err
    assert [step["calls"] for step in json.loads((report / "report.json").read_text())["steps"]] == [2, 1]
