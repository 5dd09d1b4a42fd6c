"""As much of JSON Schema (draft 2020-12) as this project uses, and a complaint about the rest."""

from __future__ import annotations

import re
from typing import Any

KNOWN = {
    "$schema", "$defs", "$ref", "title", "description", "type", "properties", "required", "enum", "const",
    "additionalProperties", "minProperties", "maxProperties", "anyOf", "items", "minItems", "maxItems",
    "pattern", "minLength", "maxLength", "minimum", "maximum", "default", "prefixItems",
}  # fmt: skip
TYPES: dict[str, Any] = {
    "string": str, "integer": int, "number": (int, float), "array": list, "object": dict, "null": type(None),
}  # fmt: skip


def fits(value: object, schema: dict[str, Any], root: dict[str, Any] | None = None) -> bool:
    """Whether a value of JSON is valid."""
    root = root or schema
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        if not fits(value, target, root):
            return False
    if "anyOf" in schema and not any(fits(value, way, root) for way in schema["anyOf"]):
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "type" in schema:
        if schema["type"] == "boolean":
            if not isinstance(value, bool):
                return False
        elif isinstance(value, bool) or not isinstance(value, TYPES[schema["type"]]):
            return False
    match value:
        case str():
            low, high = schema.get("minLength", 0), schema.get("maxLength", 1 << 30)
            return low <= len(value) <= high and bool(re.search(schema.get("pattern", ""), value))
        case int():
            return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
        case list():
            count = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 1 << 30)
            first = schema.get("prefixItems", [])
            ways = [*first, *[schema.get("items", {})] * (len(value) - len(first))]
            return count and all(
                way is not False and fits(item, way, root) for item, way in zip(value, ways, strict=False)
            )
        case dict():
            return _fits_object(value, schema, root)
    return True


def _fits_object(value: dict[str, object], schema: dict[str, Any], root: dict[str, Any]) -> bool:
    known = schema.get("properties", {})
    if not set(schema.get("required", ())) <= set(value):
        return False
    if schema.get("additionalProperties") is False and not set(value) <= set(known):
        return False
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", 1 << 30):
        return False
    others = schema.get("additionalProperties", {})
    others = {} if others in (True, False) else others
    return all(fits(inner, known.get(key, others), root) for key, inner in value.items())
