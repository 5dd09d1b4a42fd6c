"""`python -m tests.bridge.harness.write_report_tables`: the tables of docs/reports.md, from the sources.

A table stands behind `<!-- NAME -->`, where NAME is a definition of the schema of reports, or `rules`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bridge.harness.report_json import report_schema
from bridge.harness.rules import RULES

FILE = Path(__file__).resolve().parents[3] / "docs" / "reports.md"
TABLE = re.compile(r"(<!-- (\w+) -->\n)(?:\|.*\n)*")


def written(text: str) -> str:
    """The page with its tables as they should be. Raises KeyError for a name that there is not."""
    defs = report_schema()["$defs"]
    return TABLE.sub(
        lambda found: found[1] + (_rules() if found[2] == "rules" else _fields(defs[found[2]])), text
    )


def _rules() -> str:
    rows = "".join(
        f"| `{rule.name}` | {'●' if rule.fails else ''} "
        f"| {'*Acknowledgement.* ' if rule.acknowledges else ''}{rule.text} |\n"
        for rule in RULES.values()
    )
    return f"| rule | | |\n|---|---|---|\n{rows}"


def _fields(schema: dict[str, Any]) -> str:
    rows = "".join(
        f"| `{key}` | {_unit(key)} | {_told(one)} |\n" for key, one in schema["properties"].items()
    )
    return f"| field | unit | |\n|---|---|---|\n{rows}"


def _unit(key: str) -> str:
    units = {"_ms": "ms", "_speech": "ms", "_levels": "dBov", "_share": "0…1", "bytes_in": "bytes"}
    units |= {"bytes_out": "bytes", "started_at": "s", "precision": "0…1"}
    return next((unit for end, unit in units.items() if key.endswith(end)), "")


def _told(schema: dict[str, Any]) -> str:
    told = schema.get("description", "")
    missing = [f"`{value}`" for value in schema.get("enum", ()) if value and f"`{value}`" not in told]
    if missing:
        told = f"{told} {'Also' if '`' in told else 'One of'} {', '.join(missing)}."
    return (told.strip() or "See there.").replace("|", "\\|")


if __name__ == "__main__":
    FILE.write_text(written(FILE.read_text("utf-8")), "utf-8")
