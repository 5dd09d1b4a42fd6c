from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from bridge.harness.capacity_results import CapacityResult
from bridge.harness.percentiles import percentile
from bridge.harness.report_json import DIALECT, FORMAT, as_json, report_schema
from bridge.harness.results import EndReason, Response, RunResult
from bridge.harness.run_totals import totals
from bridge.harness.thresholds import QUANTITIES
from tests.bridge.harness.write_report_tables import FILE, written
from tests.kit.json_schema import fits
from tests.kit.report_runs import hostile_run, make_capacity, make_run

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
RUN = make_run(20)
SCHEMA = report_schema()
ELSEWHERE = ("TurnReport", "SideReport", "Summary")
"""Described in docs/turns.md."""


def read(result: RunResult | CapacityResult) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(as_json(result))
    return read


@pytest.mark.parametrize(
    "result",
    [
        RUN,
        hostile_run(),
        RunResult("ws://x", 0.0, 0, []),
        make_capacity(late=True),
        make_capacity(report=True),
    ],
    ids=["run", "hostile", "empty", "late search", "search"],
)
def test_every_report_fits_its_schema(result: RunResult | CapacityResult) -> None:
    assert fits(read(result), SCHEMA)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("calls", [{}]),
        ("valid", "no"),
        ("passed", None),
        ("totals", {}),
        ("figures", {"connect": 3}),
        ("format", 0),
    ],
)
def test_what_is_no_report_does_not(key: str, value: object) -> None:
    assert not fits(read(RUN) | {key: value}, SCHEMA)
    told = read(RUN)
    del told[key]
    assert not fits(told, SCHEMA) or key == "valid"  # that one has a default


def test_utterances_are_pairs() -> None:
    told = read(RUN)
    assert told["calls"][0]["bot_speech"]
    for wrong in ([1], [1, 2, 3], [1, "2"], [1.5, 2]):
        told["calls"][0]["bot_speech"] = [wrong]
        assert not fits(told, SCHEMA), wrong


def test_a_result_comes_back_as_it_was() -> None:
    told = read(RUN)
    assert (told.pop("format"), told.pop("passed")) == (FORMAT, RUN.passed)
    assert msgspec.convert(told, RunResult) == RUN
    found = make_capacity(report=True)
    assert msgspec.convert(read(found), CapacityResult) == found


def test_percentiles_and_sums_of_the_whole_run_go_along() -> None:
    told = read(RUN)
    heard = sorted(r.heard_ms for call in RUN.calls for r in call.responses if r.heard_ms is not None)
    response = told["figures"]["response"]
    assert response["n"] == len(heard) > 20
    for share in (50, 90, 95, 99):
        assert response[f"p{share}"] == percentile(heard, share / 100)
    assert (response["min"], response["max"]) == (heard[0], heard[-1])
    assert response["mean"] == pytest.approx(sum(heard) / len(heard), abs=0.001)
    assert told["totals"] == msgspec.to_builtins(totals(RUN.calls))
    assert told["totals"]["bytes_in"] == sum(call.bytes_in for call in RUN.calls)
    assert sum(told["totals"]["ends"].values()) == 20


def test_what_never_came_is_counted_and_is_no_number() -> None:
    calls = [replace(RUN.calls[0], responses=[Response(100, None, None)])]
    told = read(replace(RUN, calls=calls))
    assert (told["figures"]["response"]["n"], told["figures"]["response"]["never"]) == (0, 1)
    assert told["figures"]["response"]["p95"] is None


def test_every_field_says_what_it_is() -> None:
    for name, schema in SCHEMA["$defs"].items():
        if name not in ELSEWHERE:
            for key, one in schema["properties"].items():
                assert "description" in one or "$ref" in one, (name, key)
                assert "None" not in one.get("description", ""), (name, key)


def test_the_page_about_reports_tells_every_field_and_rule_as_the_sources_do() -> None:
    """If not: `python -m tests.bridge.harness.write_report_tables`."""
    text = FILE.read_text("utf-8")
    assert set(re.findall(r"<!-- (\w+) -->", text)) == set(SCHEMA["$defs"]) - set(ELSEWHERE) | {"rules"}
    assert written(text) == text
    named = set(re.findall(r"`([^`]+)`", text))
    assert set(QUANTITIES) <= named, set(QUANTITIES) - named
    assert set(get_args(EndReason)) <= named


@pytest.mark.parametrize(
    "command", [["bridge.harness.report_json"], ["bridge", "test", "--schema", "report"]]
)
def test_commands_print_the_schema(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, check=True, cwd=ROOT)
    assert json.loads(done.stdout) == SCHEMA
    assert SCHEMA["$schema"] == DIALECT
