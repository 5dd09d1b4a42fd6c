"""Gives what is asked for at the front door, and imports it only then.

A test plugin is loaded in every run of pytest, also of those that test something else: that must not cost
them the time in which NumPy is imported.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib import import_module
from pathlib import Path

STUB = Path(__file__).with_name("__init__.pyi")


@cache
def table() -> dict[str, tuple[str, str]]:
    """Name → the module that has it, and what it is called there; as the stub says."""
    found = {}
    for node in ast.parse(STUB.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for one in node.names:
                found[one.asname or one.name] = (node.module, one.name)
    return found


def give(name: str) -> object:
    """One name. Raises AttributeError for one that is not in the stub."""
    if name.startswith("__") or name not in table():
        raise AttributeError(f"module 'bridge.harness' has no attribute {name!r}")
    module, called = table()[name]
    return getattr(import_module(module), called)


def names() -> list[str]:
    """All of them."""
    return sorted(table())
