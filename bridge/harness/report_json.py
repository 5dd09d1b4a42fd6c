"""report.json: a result as it is, with what follows from it (docs/reports.md says what each field means).

`python -m bridge.harness.report_json` prints the JSON Schema (draft 2020-12) of both kinds of report.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from bridge.harness import capacity_results, report_figures, results, run_totals
from bridge.harness.capacity_results import CapacityResult
from bridge.harness.report_figures import Figure, figures
from bridge.harness.results import RunResult
from bridge.harness.run_totals import RunTotals, totals

FORMAT = 1
"""Of the file. Fields may be added to a format; none is taken away, or comes to mean something else."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"

JsonSchema = dict[str, Any]


def as_json(result: RunResult | CapacityResult) -> bytes:
    """The fields of `result`, its `format`, and whether it `passed`; of a run, `totals` and `figures` too."""
    told: dict[str, object] = {"format": FORMAT, "passed": result.passed}
    if isinstance(result, CapacityResult):
        told["valid"] = result.valid
    else:
        told["totals"] = totals(result.calls)
        told["figures"] = {figure.key: figure for figure in figures(result)}
    told |= msgspec.to_builtins(result)
    try:
        return msgspec.json.encode(told) + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair: whoever wrote it, the report is to be there
        return json.dumps(msgspec.to_builtins(told)).encode() + b"\n"


def report_schema() -> JsonSchema:
    """Of everything that `as_json` gives, ready for JSON. Every field has its unit and meaning."""
    types = (RunResult, CapacityResult, RunTotals, Figure)
    found, defs = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    run, capacity, run_totals_, figure = (one["$ref"].rpartition("/")[2] for one in found)
    for schema in defs.values():
        schema.pop("title", None)
    for name, texts in _told():
        for key, schema in defs.get(name, {}).get("properties", {}).items():
            if key in texts:
                schema["description"] = texts[key]
    more: JsonSchema = {
        "format": {"const": FORMAT, "description": "Of this file."},
        "passed": {"type": "boolean", "description": "Whether the run passed: its exit code was 0."},
    }
    _add(defs[run], **more, totals={"$ref": f"#/$defs/{run_totals_}"}, figures={
        "type": "object",
        "description": "Percentiles over all calls, by the names that thresholds use.",
        "additionalProperties": {"$ref": f"#/$defs/{figure}"},
    })  # fmt: skip
    valid = {"type": "boolean", "description": "Whether it can be told how many calls the bot holds."}
    _add(defs[capacity], **more, valid=valid)
    return {
        "$schema": DIALECT,
        "title": "report.json of `mediabridge test`",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in (run, capacity)],
        "$defs": defs,
    }


def _add(schema: JsonSchema, **properties: JsonSchema) -> None:
    schema["properties"] = {**properties, **schema["properties"]}
    schema["required"] = [*properties, *schema.get("required", [])]


def _told() -> Iterator[tuple[str, dict[str, str]]]:
    """What the sources say of each field, by class: the text right behind it."""
    from bridge import spread
    from bridge.turns import report as turn_report

    for module in (results, capacity_results, run_totals, report_figures, turn_report, spread):
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.ClassDef) and dataclasses.is_dataclass(getattr(module, node.name)):
                yield node.name, dict(_texts(node))


def _texts(of: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, behind in zip(of.body, of.body[1:], strict=False):
        match field, behind:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, re.sub(r"\bNone\b", "null", " ".join(text.split()))


if __name__ == "__main__":
    print(json.dumps(report_schema(), indent=1, ensure_ascii=False))
