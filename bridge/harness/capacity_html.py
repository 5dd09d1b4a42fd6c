"""The report of a search for capacity as one HTML page (page_frame.py): what its scripts are told."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import msgspec

from bridge.harness.capacity_results import CapacityResult, CapacityStep
from bridge.harness.capacity_words import headline, reasons
from bridge.harness.page_frame import framed, plain
from bridge.harness.report_figures import understood

SCRIPTS = ("elements.js", "words.js", "charts.js", "verdict.js", "capacity.js")
PAGE = "index.html"


def write(found: CapacityResult, path: Path) -> None:
    """Write the page of `found`; the reports of its steps are looked for beside it. Raises OSError."""
    path.write_text(page(found), encoding="utf-8", errors="replace", newline="\n")


def page(found: CapacityResult) -> str:
    """The whole page."""
    return framed(headline(found), found.target, " ".join(reasons(found)), _contents(found), SCRIPTS)


def _contents(found: CapacityResult) -> object:
    contents: dict[str, object] = {
        "verdict": ("passed" if found.passed else "failed") if found.valid else "invalid",
        "headline": headline(found),
        "reasons": reasons(found),
        "target": found.target,
        "started_at": found.started_at,
        "duration_ms": found.duration_ms,
        "held": found.held,
        "broke": found.broke,
        "harness_late_at": found.harness_late_at,
        "at_least": found.at_least,
        "precision": found.precision,
        "settings": found.settings,
        "seed": str(found.seed),
        "limits": _limits(found),
    }
    return {**plain(contents), "steps": [_step(step) for step in found.steps]}


def _step(step: CapacityStep) -> dict[str, object]:
    told: dict[str, object] = plain(msgspec.to_builtins(step))
    if step.report:
        # Always below the page's folder, never a scheme or a host.
        path = step.report.replace("\\", "/").strip("/")
        told["report"] = "./" + quote(f"{path}/{PAGE}".encode("utf-8", "replace"))
    return told


def _limits(found: CapacityResult) -> list[dict[str, object]]:
    """What was asked of the response delay: lines in its chart."""
    texts = dict.fromkeys(threshold.text for step in found.steps for threshold in step.thresholds)
    passed = {text: True for text in texts}
    for step in found.steps:
        for threshold in step.thresholds:
            passed[threshold.text] &= threshold.passed or step.verdict == "harness late"
    asked = {threshold.text: understood(threshold) for step in found.steps for threshold in step.thresholds}
    return [
        {"text": text, "value": one.limit, "passed": passed[text]}
        for text, one in asked.items()
        if one is not None and one.what.name == "response"
    ]
