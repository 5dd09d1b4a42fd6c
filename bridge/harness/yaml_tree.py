"""YAML as a tree of texts that know where they stand. The one door to PyYAML.

Nothing is made of a text but the text: no tags, no anchors, no numbers, no dates. So a file can neither make
objects nor grow when it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from bridge.harness.scenario import Problem, ScenarioError

MAX_BYTES = 256 * 1024
MAX_NODES = 20_000
MAX_DEPTH = 24
_NOTHING = ("", "~", "null")


@dataclass(frozen=True, slots=True)
class Scalar:
    """One text, as it stands there."""

    line: int
    column: int
    text: str
    nothing: bool = False
    """There is no value: `key:`, `~` or `null`."""


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    line: int
    column: int
    items: list[Node]


@dataclass(frozen=True, slots=True)
class Entries:
    """Keys and values, in their order; a key may be there twice, and may be no text."""

    line: int
    column: int
    entries: list[tuple[Node, Node]]


Node = Scalar | Items | Entries


def grow(text: str) -> Node:
    """The tree of one document. Raises ScenarioError for what is no YAML, or goes beyond the bounds above."""
    try:
        return _grow(text)
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        why = " ".join(part for part in (wrong.problem, wrong.context) if part)
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise ScenarioError([Problem(f"this is no YAML: {why}", line, column)]) from None
    except yaml.reader.ReaderError as wrong:
        before = text[: wrong.position]
        column = len(before) - before.rfind("\n")
        problem = Problem("this character is not allowed in YAML", before.count("\n") + 1, column)
        raise ScenarioError([problem]) from None
    except (yaml.YAMLError, ValueError, OverflowError) as wrong:
        # PyYAML lets some of Python's own errors through: `"\UFFFFFFFF"`, a directive with a huge number.
        raise ScenarioError([Problem(f"this is no YAML: {wrong}")]) from None


def _grow(text: str) -> Node:
    events = yaml.parse(text, Loader=yaml.SafeLoader)
    root: Node | None = None
    # Of each open list or mapping: what it is, and what it holds so far.
    opened: list[tuple[yaml.Event, list[Node]]] = []
    for event in _bounded(events):
        node: Node
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        match event:
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                opened.append((event, []))
                if len(opened) > MAX_DEPTH:
                    raise ScenarioError([Problem("too many things within each other", line, column)])
                continue
            case yaml.ScalarEvent():
                node = Scalar(line, column, event.value, not event.style and event.value in _NOTHING)
            case yaml.SequenceEndEvent():
                begun, inside = opened.pop()
                node = Items(begun.start_mark.line + 1, begun.start_mark.column + 1, inside)
            case yaml.MappingEndEvent():
                begun, inside = opened.pop()
                pairs = list(zip(inside[::2], inside[1::2], strict=True))
                node = Entries(begun.start_mark.line + 1, begun.start_mark.column + 1, pairs)
            case yaml.DocumentStartEvent() if root is not None:
                raise ScenarioError([Problem("there is a second document; one is allowed", line, column)])
            case _:
                continue
        if opened:
            opened[-1][1].append(node)
        else:
            root = node
    return root if root is not None else Scalar(1, 1, "", nothing=True)


def _bounded(events: Iterator[yaml.Event]) -> Iterator[yaml.Event]:
    """Raises ScenarioError for what could make the tree larger than the file, or the file too large."""
    for count, event in enumerate(events):
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise ScenarioError([Problem("anchors and aliases (& and *) are not allowed", line, column)])
        if getattr(event, "tag", None) not in (None, "!"):
            raise ScenarioError([Problem("tags (!) are not allowed", line, column)])
        if count > MAX_NODES:
            raise ScenarioError([Problem(f"more than {MAX_NODES:,} texts and lists", line, column)])
        yield event
