"""Reads a scenario from YAML. What is wrong is told with its line and column, all of it at once."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bridge.harness.scenario import CHOICES, Problem, Scenario, ScenarioError
from bridge.harness.scenario_kinds import Choice, Keys, Kind, Listing, Section, key_of
from bridge.harness.yaml_tree import MAX_BYTES, Entries, Items, Node, Scalar, grow

MAX_PROBLEMS = 50


def read_scenario(path: Path) -> Scenario:
    """The scenario in a file, named by the file where it does not say its name. Raises ScenarioError."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode("utf-8-sig")
    except OSError as wrong:
        raise ScenarioError([Problem(f"cannot be read: {wrong.strerror}")], str(path)) from None
    except UnicodeDecodeError as wrong:
        line = wrong.object[: wrong.start].count(b"\n") + 1
        raise ScenarioError([Problem("this is not UTF-8", line, 1)], str(path)) from None
    except ValueError:  # a NUL in the path
        raise ScenarioError([Problem("this is no name of a file")]) from None
    try:
        return parse_scenario(text, name=path.stem)
    except ScenarioError as wrong:
        raise ScenarioError(list(wrong.problems), str(path)) from None


def parse_scenario(text: str, name: str = "scenario") -> Scenario:
    """The scenario in a text; `name` is its own where it says none. Raises ScenarioError and nothing else."""
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise ScenarioError([Problem(f"more than {MAX_BYTES // 1024} KiB; no scenario needs that")])
    reading = _Reading()
    scenario = reading.section(Scenario, grow(text), "the scenario")
    if reading.problems:
        in_order = sorted(reading.problems, key=lambda problem: (problem.line, problem.column))
        raise ScenarioError(in_order[:MAX_PROBLEMS])
    assert isinstance(scenario, Scenario)
    given = scenario.name != Scenario.__dataclass_fields__["name"].default
    return scenario if given else dataclasses.replace(scenario, name=name[:100] or "scenario")


class _Wrong:
    """Stands for what could not be read, so that reading goes on."""


WRONG = _Wrong()


class _Reading:
    """Walks a tree along the declarations, and collects what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def wrong(self, node: Node, text: str) -> _Wrong:
        self.problems.append(Problem(text, node.line, node.column))
        return WRONG

    def value(self, kind: Kind, node: Node, where: str) -> object:
        match kind, node:
            case Section(), _:
                return self.section(kind.cls, node, where)
            case Listing(), Items():
                return self.listing(kind, node, where)
            case Choice(), _:
                return self.choice(kind, node)
            case _, Scalar(nothing=False):
                try:
                    return kind.read(node.text)
                except ValueError as why:
                    got = "" if isinstance(kind, Keys) else f", not {_shown(node)}"
                    reason = f" ({why})" if str(why) else ""
                    return self.wrong(node, f"`{where}` has to be {kind.expected}{got}{reason}")
            case _:
                return self.wrong(node, f"`{where}` has to be {kind.expected}, not {_shown(node)}")

    def listing(self, kind: Listing, node: Items, where: str) -> object:
        if not 1 <= len(node.items) <= kind.longest:
            return self.wrong(node, f"`{where}` has to be {kind.expected}, not of {len(node.items):,}")
        items = [self.value(kind.item, item, where) for item in node.items]
        return WRONG if WRONG in items else tuple(items)

    def choice(self, kind: Choice, node: Node) -> object:
        """One step or one fault: a mapping of one key, or the bare name."""
        names = CHOICES[kind.what]
        match node:
            case Scalar(nothing=False):
                name, value = node, Scalar(node.line, node.column, "", nothing=True)
            case Entries(entries=[(Scalar() as name, value)]):
                pass
            case Entries(entries=[_, (second, _), *_]):
                return self.wrong(
                    second,
                    f"a {kind.what} has one name; put a dash before the next one, "
                    "or indent what belongs to this one further than its name",
                )
            case _:
                return self.wrong(node, f"a {kind.what} is `name` or `name: …`, not {_shown(node)}")
        if name.text not in names:
            return self.wrong(name, f"there is no {kind.what} {_shown(name)}{_nearest(name.text, names)}")
        return self.section(names[name.text], value, name.text)

    def section(self, cls: type[Any], node: Node, where: str) -> object:
        """An instance of a dataclass of settings."""
        kinds: dict[str, dataclasses.Field[Any]] = {
            key_of(item.name, item.metadata): item for item in dataclasses.fields(cls)
        }
        match node:
            case Entries():
                given = self.entries(kinds, node, where)
            case Scalar(nothing=True):
                given = {}
            case Scalar() if getattr(cls, "SHORT", None):
                given = {cls.SHORT: self.value(kinds[cls.SHORT].metadata["kind"], node, where)}
            case Scalar() if not kinds:
                return self.wrong(node, f"`{where}` takes nothing, not {_shown(node)}")
            case _:
                wanted = ", ".join(kinds)
                return self.wrong(node, f"`{where}` takes settings ({wanted}), not {_shown(node)}")
        missing = [key for key, item in kinds.items() if key not in given and _is_required(item)]
        for key in missing:
            kind: Kind = kinds[key].metadata["kind"]
            self.wrong(node, f"`{where}` needs `{key}`: {kind.expected}")
        if missing or WRONG in given.values():
            return WRONG
        try:
            return cls(**{kinds[key].name: value for key, value in given.items()})
        except ValueError as why:
            return self.wrong(node, f"`{where}`: {why}")

    def entries(
        self, kinds: dict[str, dataclasses.Field[Any]], node: Entries, where: str
    ) -> dict[str, object]:
        given: dict[str, object] = {}
        for key, value in node.entries:
            if not isinstance(key, Scalar):
                given[""] = self.wrong(key, f"a key has to be a text, not {_shown(key)}")
            elif key.text not in kinds:
                given[""] = self.wrong(key, f"{where} has no {_shown(key)}{_nearest(key.text, kinds)}")
            elif key.text in given:
                given[""] = self.wrong(key, f"`{key.text}` is here twice")
            else:
                given[key.text] = self.value(kinds[key.text].metadata["kind"], value, key.text)
        return given


def _is_required(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING


def _nearest(text: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(text[:50].lower().replace("-", "_"), known, n=1)
    return f"; did you mean `{close[0]}`?" if close else f"; there are {', '.join(known)}"


def _shown(node: Node) -> str:
    match node:
        case Scalar(nothing=True):
            return "nothing"
        case Scalar(text=text):
            return f"`{text[:40]}…`" if len(text) > 40 else f"`{text}`"
        case Items():
            return "a list"
        case _:
            return "keys and values"
