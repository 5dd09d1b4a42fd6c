"""The JSON Schema of scenarios (draft 2020-12), for editors: `python -m bridge.harness.scenario_schema`.

Made of the same declarations as the reader. It knows keys, shapes and ranges; what fits together only the
reader knows.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from bridge.harness.scenario import CHOICES, Scenario
from bridge.harness.scenario_kinds import JsonSchema, Kind, Section, key_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def scenario_schema() -> JsonSchema:
    """The whole schema, ready for JSON."""
    defs: dict[str, JsonSchema] = {}
    for what, names in CHOICES.items():
        defs[what] = _choice(what, names)
        for cls in names.values():
            defs[cls.__name__] = _values(cls)
    _add_sections(Scenario, defs)
    return {
        "$schema": DIALECT,
        "title": "A scenario for a simulated caller",
        **_settings(Scenario),
        "$defs": defs,
    }


def _add_sections(cls: type[Any], defs: dict[str, JsonSchema]) -> None:
    for item in dataclasses.fields(cls):
        kind: Kind = item.metadata["kind"]
        if isinstance(kind, Section):
            defs[kind.cls.__name__] = _values(kind.cls)
            _add_sections(kind.cls, defs)


def _choice(what: str, names: dict[str, type]) -> JsonSchema:
    """One step or one fault: an object of one key, or a bare name where nothing has to be said of it."""
    bare = [{"const": name, "description": _told(cls)} for name, cls in names.items() if not _required(cls)]
    keyed = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {
            name: {"$ref": f"#/$defs/{cls.__name__}", "description": _told(cls)}
            for name, cls in names.items()
        },
    }
    return {"description": f"A {what}.", "anyOf": [keyed, *bare]}


def _values(cls: type[Any]) -> JsonSchema:
    """Settings, or the one value that stands for them, or nothing where nothing has to be said."""
    ways: list[JsonSchema] = [_settings(cls)]
    short = getattr(cls, "SHORT", None)
    if short:
        ways.append(_kinds(cls)[short].schema())
    if not _required(cls):
        ways.append({"type": "null"})
    return {"description": _told(cls), "anyOf": ways} if len(ways) > 1 else ways[0]


def _settings(cls: type[Any]) -> JsonSchema:
    properties: dict[str, JsonSchema] = {}
    for item in dataclasses.fields(cls):
        kind: Kind = item.metadata["kind"]
        schema = {"description": item.metadata["told"], **kind.schema()}
        if not isinstance(kind, Section):
            schema["description"] = f"{item.metadata['told']} {_first_up(kind.expected)}."
        properties[key_of(item.name, item.metadata)] = schema
    made: JsonSchema = {"description": _told(cls), "type": "object", "additionalProperties": False}
    if properties:
        made["properties"] = properties
    if _required(cls):
        made["required"] = _required(cls)
    return made


def _kinds(cls: type[Any]) -> dict[str, Kind]:
    return {key_of(item.name, item.metadata): item.metadata["kind"] for item in dataclasses.fields(cls)}


def _required(cls: type[Any]) -> list[str]:
    return [
        key_of(item.name, item.metadata)
        for item in dataclasses.fields(cls)
        if item.default is dataclasses.MISSING
    ]


def _told(cls: type[Any]) -> str:
    return (cls.__doc__ or "").split("\n")[0]


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    print(json.dumps(scenario_schema(), indent=1, ensure_ascii=False))
