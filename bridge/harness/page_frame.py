"""One HTML page that needs nothing else: everything in it, nothing fetched, to be opened from a disk or sent.

What a bot says reaches a page as JSON inside a block that no browser runs, and from there as text nodes
only. A content security policy in the page's head allows exactly the scripts and styles written here, by
their hashes, and sound from where the page itself lies.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).parent / "report"
PROJECT_STYLE = Path(__file__).parents[1] / "web" / "assets" / "style.css"
PROJECT_ICON = Path(__file__).parents[1] / "web" / "assets" / "icon.svg"

MAX_TEXT = 500
"""Characters of any one text; a bot may send what it likes."""


def framed(verdict: str, target: str, sentence: str, contents: object, scripts: Sequence[str]) -> str:
    """The whole page. `contents` is made for JSON; `scripts` are names of files in `ASSETS`, in order.

    `verdict` and `sentence` are what those read whose browser runs no scripts.
    """
    style = PROJECT_STYLE.read_text("utf-8") + (ASSETS / "report.css").read_text("utf-8")
    # One scope of their own, so that the files share their names with each other and with nobody else.
    script = '"use strict";\n{\n' + "".join((ASSETS / name).read_text("utf-8") for name in scripts) + "}\n"
    icon = base64.b64encode(PROJECT_ICON.read_bytes()).decode()
    parts = {
        "policy": _policy(style, script),
        "icon": f"data:image/svg+xml;base64,{icon}",
        "title": html.escape(cut(f"{verdict}: {target}")),
        "verdict": html.escape(cut(verdict)),
        "sentence": html.escape(cut(sentence)),
        "style": style,
        "json": _as_block(contents),
        "script": script,
    }
    # Cut at the places first: a part that looks like a place is not filled in again.
    pieces = (ASSETS / "report.html").read_text("utf-8").split("%%")
    return "".join(parts[piece] if at % 2 else piece for at, piece in enumerate(pieces))


def plain(value: Any) -> Any:
    """The same with texts cut to a length and what JSON cannot say (infinite, not a number) as null."""
    match value:
        case str():
            return cut(value) if len(value) > MAX_TEXT else value
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {plain(name): plain(one) for name, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
    return value


def cut(text: str) -> str:
    """As much of it as a page takes."""
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


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
