"""The report of a run as one HTML page (page_frame.py): what its scripts are told, and which they are."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import numpy as np

from bridge.harness.page_frame import framed, plain
from bridge.harness.report_figures import figures, understood
from bridge.harness.results import CallResult, RunResult, Threshold
from bridge.harness.rules import RULES, Rule
from bridge.harness.run_totals import hung_up_by, totals
from bridge.harness.thresholds import NEVER, Quantity

SCRIPTS = (
    "elements.js", "words.js", "levels.js", "charts.js", "timeline.js", "call.js", "ends.js", "calls.js",
    "verdict.js", "overview.js", "page.js",
)  # fmt: skip

MAX_MOMENTS = 3_000
"""Of one call's timeline."""


def write(run: RunResult, path: Path) -> None:
    """Write the page of `run`; sound files are looked for beside it. Raises OSError."""
    path.write_text(page(run), encoding="utf-8", errors="replace", newline="\n")


def page(run: RunResult) -> str:
    """The whole page."""
    return framed(verdict(run), run.target, _sentence(run), _contents(run), SCRIPTS)


def verdict(run: RunResult) -> str:
    """One word: `Invalid`, `Passed` or `Failed`."""
    return ("Passed" if run.passed else "Failed") if run.valid else "Invalid"


def _sentence(run: RunResult) -> str:
    failed = sum(bool(call.failures) for call in run.calls)
    missed = sum(not threshold.passed for threshold in run.thresholds)
    calls, thresholds = len(run.calls), len(run.thresholds)
    said = f"{failed} of {calls} calls failed, {missed} of {thresholds} thresholds were missed."
    return said if run.valid else f"{run.invalid_because} {said}"


def _contents(run: RunResult) -> dict[str, object]:
    of_all = totals(run.calls)
    contents = {
        "verdict": verdict(run).lower(),
        "target": run.target,
        "started_at": run.started_at,
        "duration_ms": run.duration_ms,
        "invalid_because": run.invalid_because,
        "interrupted": run.interrupted,
        "settings": run.settings,
        "seed": str(run.seed),
        "thresholds": [_threshold(threshold, run) for threshold in run.thresholds],
        "totals": {**msgspec.to_builtins(of_all), "checkpoints_unplayed": of_all.checkpoints_unplayed},
        "figures": [msgspec.to_builtins(figure) for figure in figures(run)],
        "rules": {name: _rule(rule) for name, rule in RULES.items()},
    }
    return {**plain(contents), "calls": [_call(call) for call in run.calls]}


def _rule(rule: Rule) -> dict[str, object]:
    return {"text": rule.text, "fails": rule.fails, "acknowledges": rule.acknowledges}


def _threshold(threshold: Threshold, run: RunResult) -> dict[str, object]:
    asked = understood(threshold)
    never = (
        threshold.value is None
        and asked is not None
        and isinstance(asked.what, Quantity)
        and any(value == NEVER for call in run.calls for value in asked.what.read(call))
    )
    return {
        **msgspec.to_builtins(threshold),
        "unit": asked.what.unit if asked else "",
        "asked": asked.limit if asked else None,
        "never": never,
    }


def _call(call: CallResult) -> dict[str, object]:
    """Without what is empty; the levels packed, the timeline as triples."""
    told: dict[str, Any] = {
        name: value
        for name, value in msgspec.to_builtins(call).items()
        if name not in ("caller_levels", "bot_levels", "timeline", "wav") and value not in (None, "", [], {})
    }
    moments = sorted(call.timeline, key=lambda moment: moment.at_ms)
    told["timeline"] = [(moment.at_ms, moment.kind, moment.text) for moment in moments[:MAX_MOMENTS]]
    told["left_out"] = max(0, len(moments) - MAX_MOMENTS)
    if means := hung_up_by(call):
        told["hung_up_by"] = means
    told = plain(told)
    for name, levels in (("caller", call.caller_levels), ("bot", call.bot_levels)):
        if levels:
            told[name] = pack_levels(levels)
    if call.wav:
        # Always below the page's folder, never a scheme or a host.
        told["wav"] = "./" + quote(call.wav.replace("\\", "/").lstrip("/").encode("utf-8", "replace"))
    return told


def pack_levels(levels: list[int]) -> str:
    """Levels of -127…0 dBov as bytes 127…0, deflated (zlib), in base64: a minute of one side is 1 to 3 kB."""
    steps = np.clip(-np.asarray(levels, np.int64), 0, 127).astype(np.uint8)
    return base64.b64encode(zlib.compress(steps.tobytes(), 6)).decode()
