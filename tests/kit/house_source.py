"""The project's own source, read once: its modules, and what each of them imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"bridge": ROOT / "bridge", "mediacodecs": ROOT / "codecs" / "mediacodecs"}


@dataclass(frozen=True)
class Import:
    """`module` imports `target`, maybe for type checkers only."""

    module: str
    target: str
    typing_only: bool
    line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def inside(module: str, room: str) -> bool:
    """Whether it is that room, or a module in it."""
    return module == room or module.startswith(room + ".")


def imports_of(module: str, tree: ast.Module, known: set[str]) -> Iterator[Import]:
    """Absolute and relative imports; `from package import module` names the module."""
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                package = module.split(".")[: -node.level] if module in known else []
                origin = ".".join([*package, *([node.module] if node.module else [])])
            full = [f"{origin}.{alias.name}" for alias in node.names]
            targets = [name if name in known else origin for name in full]
        else:
            continue
        for target in dict.fromkeys(targets):
            yield Import(module, target, id(node) in typing_only, node.lineno)


def read_modules() -> dict[str, ast.Module]:
    """By their dotted names."""
    modules = {}
    for package, folder in PACKAGES.items():
        for file in sorted(folder.rglob("*.py")):
            if "migrations" in file.parts:  # written by a tool, run by a tool
                continue
            parts = [package, *file.relative_to(folder).with_suffix("").parts]
            modules[".".join(parts).removesuffix(".__init__")] = ast.parse(file.read_text())
    return modules


MODULES = read_modules()
IMPORTS = [found for module, tree in MODULES.items() for found in imports_of(module, tree, set(MODULES))]


def own(found: Import) -> bool:
    """Whether it stays in the project."""
    return found.target.split(".")[0] in PACKAGES
