"""`mediabridge test --find-capacity`: what is asked for, and what does not go together."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.cli import capacity as cli_capacity
from bridge.cli import test as cli_test
from bridge.errors import ConfigError

pytestmark = pytest.mark.unit

URL = "ws://127.0.0.1:9/"


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli_test.add_options(parser)
    return parser.parse_args([URL, *arguments])


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
def test_what_does_not_go_together_is_told_before_anything_is_called(arguments: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _ = cli_test.run(parsed(*arguments), {})


def test_without_being_asked_for_there_is_no_search() -> None:
    options = parsed()
    cli_capacity.check(options)
    assert cli_capacity.run(options, None) is None


@pytest.mark.e2e
def test_a_bot_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    wav = tmp_path / "hello.wav"
    soundfile.write(wav, np.full(1_600, 9_000, np.int16), 16_000)
    report = tmp_path / "report"
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "test", URL, "--find-capacity", "--calls", "2", "--hold", "1",
         "--wav", str(wav), "--report", str(report)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "FAILED: does not hold 1 call" in done.stdout
    assert "2 calls: broke, 2 of 2 calls failed (connect failed)" in done.stderr
    assert [step["calls"] for step in json.loads((report / "report.json").read_text())["steps"]] == [2, 1]
