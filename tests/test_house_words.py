"""The house rules of docs/design.md, read off the source: what things are called, what a file may hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.kit.house_source import MODULES, PACKAGES, ROOT, inside

pytestmark = pytest.mark.unit

VENDOR = re.compile(r"plivo|zego|agora|(?<![a-z])hms(?![a-z])|100ms|mind_?sdk|mind_?api", re.IGNORECASE)
EMPTY_WORDS = {"manager", "handler", "helper", "helpers", "util", "utils", "misc"}
MAX_LINES = 400


def words_of(name: str) -> set[str]:
    """`SlotPool_one` → slot, pool, one."""
    name = re.sub("base64", "", name, flags=re.IGNORECASE)
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def test_nothing_is_called_by_an_empty_word() -> None:
    wrong = [
        module for module in MODULES if words_of(module.rpartition(".")[2]) & (EMPTY_WORDS | {"base", "data"})
    ]
    for module, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and words_of(node.name) & (EMPTY_WORDS | {"base"}):
                wrong.append(f"{module}.{node.name}")
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and words_of(node.name) & EMPTY_WORDS:
                wrong.append(f"{module}.{node.name}")
    assert not wrong, wrong


def code_words(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Names and texts of the code itself; docstrings may say whom a thing is for."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Name):
            yield line, node.id
        elif isinstance(node, ast.Attribute):
            yield line, node.attr
        elif isinstance(node, ast.arg | ast.keyword):
            yield line, node.arg or ""
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield line, node.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield line, node.value


def test_the_core_and_the_verbs_do_not_know_who_calls() -> None:
    unknowing = [
        module
        for module in MODULES
        if inside(module, "bridge.core")
        or inside(module, "mediacodecs")
        or module
        in (
            "bridge.switchboard",
            "bridge.dispatch",
            "bridge.feed",
            "bridge.patch",
            "bridge.relay",
            "bridge.seat",
            "bridge.routing",
            "bridge.directory",
            "bridge.people",
        )
    ]
    wrong = [
        f"{module}:{line} {word!r}"
        for module in unknowing
        for line, word in code_words(MODULES[module])
        if VENDOR.search(word)
    ]
    assert not wrong, "\n".join(wrong)


def test_a_package_file_says_what_lives_there_and_holds_no_code() -> None:
    wrong = []
    for folder in PACKAGES.values():
        for file in folder.rglob("__init__.py"):
            tree = ast.parse(file.read_text())
            if ast.get_docstring(tree) is None:
                wrong.append(f"{file.relative_to(ROOT)} says nothing")
            for node in tree.body[1:]:
                names = (
                    [ast.unparse(target) for target in node.targets] if isinstance(node, ast.Assign) else []
                )
                if not isinstance(node, ast.Import | ast.ImportFrom) and names != ["__all__"]:
                    wrong.append(f"{file.relative_to(ROOT)}:{node.lineno} is code")
    assert not wrong, "\n".join(wrong)


def test_no_file_is_too_long_to_be_held_in_the_head() -> None:
    wrong = []
    for folder in PACKAGES.values():
        for file in folder.rglob("*.py"):
            lines = len(file.read_text().splitlines())
            if lines > MAX_LINES:
                wrong.append(f"{file.relative_to(ROOT)}: {lines} lines")
    assert not wrong, "\n".join(wrong)


def test_nothing_is_left_to_do() -> None:
    left = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    wrong = [
        f"{file.relative_to(ROOT)}:{number}"
        for folder in PACKAGES.values()
        for file in folder.rglob("*.py")
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if left.search(line)
    ]
    assert not wrong, wrong
