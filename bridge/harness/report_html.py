"""The report of a run as one HTML page: everything in it, nothing fetched, to be opened from a disk or sent.

What a bot says reaches the page as JSON inside a block that no browser runs, and from there as text nodes
only. A content security policy in the page's head allows exactly the scripts and styles written here, by
their hashes, and sound from where the page itself lies.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import numpy as np

from bridge.harness.report_figures import figures, understood
from bridge.harness.results import CallResult, RunResult, Threshold
from bridge.harness.rules import RULES
from bridge.harness.thresholds import NEVER, Quantity

ASSETS = Path(__file__).parent / "report"
PROJECT_STYLE = Path(__file__).parents[1] / "web" / "assets" / "style.css"
PROJECT_ICON = Path(__file__).parents[1] / "web" / "assets" / "icon.svg"
SCRIPTS = (
    "elements.js", "words.js", "levels.js", "charts.js", "timeline.js", "call.js", "calls.js", "overview.js",
    "page.js",
)  # fmt: skip

MAX_TEXT = 500
"""Characters of any one text; a bot may send what it likes."""
MAX_MOMENTS = 3_000
"""Of one call's timeline."""


def write(run: RunResult, path: Path) -> None:
    """Write the page of `run`; sound files are looked for beside it. Raises OSError."""
    path.write_text(page(run), encoding="utf-8", errors="replace", newline="\n")


def page(run: RunResult) -> str:
    """The whole page."""
    style = PROJECT_STYLE.read_text("utf-8") + (ASSETS / "report.css").read_text("utf-8")
    # One scope of their own, so that the files share their names with each other and with nobody else.
    script = '"use strict";\n{\n' + "".join((ASSETS / name).read_text("utf-8") for name in SCRIPTS) + "}\n"
    icon = base64.b64encode(PROJECT_ICON.read_bytes()).decode()
    parts = {
        "policy": _policy(style, script),
        "icon": f"data:image/svg+xml;base64,{icon}",
        "title": html.escape(_cut(f"{verdict(run)}: {run.target}")),
        "verdict": html.escape(_cut(verdict(run))),
        "sentence": html.escape(_cut(_sentence(run))),
        "style": style,
        "json": _as_block(_contents(run)),
        "script": script,
    }
    # Cut at the places first: a part that looks like a place is not filled in again.
    pieces = (ASSETS / "report.html").read_text("utf-8").split("%%")
    return "".join(parts[piece] if at % 2 else piece for at, piece in enumerate(pieces))


def verdict(run: RunResult) -> str:
    """One word: `Invalid`, `Passed` or `Failed`."""
    return ("Passed" if run.passed else "Failed") if run.valid else "Invalid"


def _policy(style: str, script: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            "img-src data:",
            "media-src 'self' file:",  # not every browser takes a page from a disk for its own origin
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _as_block(contents: object) -> str:
    """JSON that cannot end its block, open a comment, or depend on how the file is decoded."""
    text = json.dumps(contents, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _sentence(run: RunResult) -> str:
    failed = sum(bool(call.failures) for call in run.calls)
    missed = sum(not threshold.passed for threshold in run.thresholds)
    calls, thresholds = len(run.calls), len(run.thresholds)
    said = f"{failed} of {calls} calls failed, {missed} of {thresholds} thresholds were missed."
    return said if run.valid else f"{run.invalid_because} {said}"


def _contents(run: RunResult) -> dict[str, object]:
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
        "figures": [msgspec.to_builtins(figure) for figure in figures(run)],
        "rules": {name: {"text": rule.text, "fails": rule.fails} for name, rule in RULES.items()},
    }
    return {**_plain(contents), "calls": [_call(call) for call in run.calls]}


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
    told = _plain(told)
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


def _plain(value: Any) -> Any:
    """The same with texts cut to a length and what JSON cannot say (infinite, not a number) as null."""
    match value:
        case str():
            return _cut(value) if len(value) > MAX_TEXT else value
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {_plain(name): _plain(one) for name, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
    return value


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
