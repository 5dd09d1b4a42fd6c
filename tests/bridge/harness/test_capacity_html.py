from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from bridge.harness.capacity_html import page
from bridge.harness.capacity_results import CapacityResult
from bridge.harness.capacity_words import capacity_summary, headline, reasons
from tests.kit.report_runs import HOSTILE, make_capacity

pytestmark = pytest.mark.unit

FOUND = make_capacity(report=True)
LATE = make_capacity(late=True)


def told(found: CapacityResult) -> dict[str, Any]:
    block = re.search(r'<script type="application/json" id="run">(.*?)</script>', page(found), re.DOTALL)
    assert block is not None
    read: dict[str, Any] = json.loads(block[1])
    return read


def test_the_headline_says_no_more_than_was_seen() -> None:
    assert headline(FOUND) == "Holds 65 calls"
    assert headline(LATE) == "Holds 120 calls or more"
    assert headline(replace(LATE, held=0)) == "Not known"
    assert headline(replace(FOUND, held=0, broke=1)) == "Does not hold 1 call"


def test_the_reasons_are_what_broke_and_where_the_harness_was_late() -> None:
    broken = next(step for step in FOUND.steps if step.calls == 70)
    assert reasons(FOUND) == [f"Broke at 70 calls: {broken.because}", "50 calls or more were asked for."]
    assert reasons(LATE)[0].startswith("The harness itself was late at 160 calls: nothing is known")
    limit = replace(LATE, ended="limit", harness_late_at=None, at_least=1)
    assert reasons(limit) == ["Nothing broke up to the most calls that were to be tried."]
    interrupted = replace(limit, ended="interrupted")
    assert reasons(interrupted) == ["The search was ended before it was through."]


def test_a_search_that_proves_nothing_is_invalid_and_one_that_falls_short_has_failed() -> None:
    assert told(FOUND)["verdict"] == told(LATE)["verdict"] == "passed"
    assert told(replace(FOUND, at_least=70))["verdict"] == "failed"
    assert told(replace(FOUND, at_least=68))["verdict"] == "invalid"  # between what held and what broke
    assert told(replace(LATE, at_least=200))["verdict"] == "invalid"


def test_a_step_s_report_lies_below_the_page_whatever_it_is_called() -> None:
    for name in [*HOSTILE, "//bots.example/x", "steps\\07 #1?"]:
        found = replace(FOUND, steps=[replace(FOUND.steps[0], report=name)], broke=None)
        (step,) = told(found)["steps"]
        assert re.fullmatch(r"\./[A-Za-z0-9_.~/%-]+/index\.html", step["report"]), step["report"]


def test_the_summary_for_a_terminal_has_a_line_for_every_step_and_ends_with_the_verdict() -> None:
    lines = capacity_summary(FOUND).splitlines()
    assert [line.split()[0] for line in lines[2:9]] == [str(step.calls) for step in FOUND.steps]
    assert lines[7].split()[:5] == ["70", "7", "3", "748", "1,094"]
    assert lines[7].endswith(f"broke: {FOUND.steps[5].because}")
    assert lines[-1] == "PASSED: holds 65 calls"
    assert capacity_summary(replace(LATE, at_least=200)).endswith("INVALID: holds 120 calls or more")
