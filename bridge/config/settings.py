"""How settings are read: a tree of frozen dataclasses filled from a TOML table and the environment.

A dataclass says with `setting`, `section` and `entries` what each of its fields may be; `read` fills it.
Whatever is unknown or does not fit raises ConfigError naming the key, and for an unknown one the nearest
known name. The value of a hidden setting is never repeated in an error.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from bridge.errors import ConfigError
from bridge.secret import Secret

ENVIRONMENT_PREFIX = "MEDIABRIDGE_"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What a setting may be. `check` takes what TOML gives, and raises ValueError on anything else."""

    says: str
    """Completes the sentence "… must be"."""
    check: Callable[[object], T]
    from_text: Callable[[str], object] = str
    """Turns an environment variable into what TOML would have given; raises ValueError."""
    hidden: bool = False


def setting(kind: Kind[T], default: T | None = None, *, needed: bool = False) -> Any:
    """A field read by `kind`; without `needed`, `default` stands in where nothing is set."""
    metadata = {"kind": kind, "needed": needed}
    if needed:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


def section(cls: type) -> Any:
    """A field that is a table of its own."""
    return field(default_factory=cls, metadata={"section": cls})


def entries(cls: type, key: str) -> Any:
    """A field that is an array of tables, written `[[key]]`; the environment cannot set it."""
    return field(default=(), metadata={"entries": cls, "key": key})


# --- kinds ---


def whole(low: int, high: int) -> Kind[int]:
    """A whole number between two bounds, both allowed."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError
        return value

    return Kind(f"a whole number from {low} to {high}", check, int)


def number(low: float, high: float) -> Kind[float]:
    """A number between two bounds, both allowed."""

    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        if not math.isfinite(value) or not low <= value <= high:
            raise ValueError
        return float(value)

    return Kind(f"a number from {low:g} to {high:g}", check, float)


def choice(*words: str) -> Kind[str]:
    """One of a few words."""

    def check(value: object) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return Kind("one of " + ", ".join(words), check, str.lower)


def text(says: str, parse: Callable[[str], T], *, hidden: bool = False) -> Kind[T]:
    """A text that `parse` understands; it raises ValueError otherwise."""

    def check(value: object) -> T:
        if not isinstance(value, str):
            raise ValueError
        return parse(value)

    return Kind(says, check, hidden=hidden)


def flag() -> Kind[bool]:
    """True or false."""

    def check(value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError
        return value

    def from_text(written: str) -> object:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[
            written.lower()
        ]

    return Kind("true or false", check, from_text)


def path() -> Kind[Path]:
    """A file or folder; `~` is the user's home, a relative one starts where the program was started."""
    return text("a path", lambda written: Path(_not_empty(written)).expanduser())


def secret() -> Kind[Secret]:
    """A text that must not be seen."""
    return text("a text without spaces", lambda written: Secret(_unbroken(written)), hidden=True)


def several(kind: Kind[T], says: str, *, low: int = 0, high: int = 1000) -> Kind[tuple[T, ...]]:
    """A list of one kind; in the environment a JSON array or words with commas between them."""

    def check(value: object) -> tuple[T, ...]:
        if not isinstance(value, list) or not low <= len(value) <= high:
            raise ValueError
        return tuple(kind.check(item) for item in value)

    def from_text(written: str) -> object:
        if written.lstrip().startswith("["):
            return json.loads(written)
        return [kind.from_text(word.strip()) for word in written.split(",") if word.strip()]

    return Kind(says, check, from_text, hidden=kind.hidden)


def _not_empty(written: str) -> str:
    if not written.strip():
        raise ValueError
    return written


def _unbroken(written: str) -> str:
    if not written or not written.isprintable() or " " in written:
        raise ValueError
    return written


# --- reading ---


def read(
    cls: type[T],
    table: Mapping[str, object],
    origin: str,
    environment: Mapping[str, str],
    other_variables: Iterable[str] = (),
) -> T:
    """An instance of `cls` out of `table` (from the file `origin`) and `environment`, which wins.

    `other_variables` are known but not for `cls`. Raises ConfigError.
    """
    _refuse_unknown_variables([*variables(cls), *other_variables], environment)
    return _read(cls, table, origin, environment, ())


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean …?`, or nothing when no known name is like it."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def checked(kind: Kind[T], value: object, where: str) -> T:
    """`value` if it is of that kind. Raises ConfigError that names `where`."""
    try:
        return kind.check(value)
    except (ValueError, TypeError, KeyError) as wrong:
        shown = "" if kind.hidden else f", not {_shown(value)}"
        detail = f" ({wrong})" if isinstance(wrong, ValueError) and str(wrong) and not kind.hidden else ""
        raise ConfigError(f"{where} must be {kind.says}{shown}{detail}") from None


def variables(cls: type, keys: tuple[str, ...] = ()) -> Iterator[str]:
    """The environment variables that `cls` reads."""
    for item in dataclasses.fields(cls):
        if "section" in item.metadata:
            yield from variables(item.metadata["section"], (*keys, item.name))
        elif "kind" in item.metadata:
            yield _variable((*keys, item.name))


def _variable(keys: tuple[str, ...]) -> str:
    return ENVIRONMENT_PREFIX + "_".join(keys).upper()


def _refuse_unknown_variables(known: list[str], environment: Mapping[str, str]) -> None:
    for name in sorted(environment):
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known:
            raise ConfigError(f"unknown environment variable {name}{nearest(name, known)}")


def _read(
    cls: type[T],
    table: Mapping[str, object],
    origin: str,
    environment: Mapping[str, str],
    keys: tuple[str, ...],
) -> T:
    fields = {
        item.metadata.get("key", item.name): item
        for item in dataclasses.fields(cls)  # type: ignore[arg-type]
        if item.metadata
    }
    for key in table:
        if key not in fields:
            known = [_dotted((*keys, name)) for name in fields]
            unknown = _dotted((*keys, key))
            raise ConfigError(f"{origin}: unknown key {unknown}{nearest(unknown, known)}")
    values: dict[str, object] = {}
    for key, item in fields.items():
        where = f"{origin}: {_dotted((*keys, key))}"
        metadata = item.metadata
        if "section" in metadata:
            inner = _table(table.get(key, {}), where)
            values[item.name] = _read(metadata["section"], inner, origin, environment, (*keys, key))
        elif "entries" in metadata:
            values[item.name] = tuple(
                _read(metadata["entries"], _table(entry, where), origin, {}, (*keys, f"{key}[{number}]"))
                for number, entry in enumerate(_tables(table.get(key, []), where, key))
            )
        elif environment.get(variable := _variable((*keys, key))):
            values[item.name] = _from_variable(metadata["kind"], environment[variable], variable)
        elif key in table:
            values[item.name] = checked(metadata["kind"], table[key], where)
        elif metadata["needed"]:
            raise ConfigError(f"{where} is missing: it must be {metadata['kind'].says}")
    return cls(**values)


def _from_variable(kind: Kind[T], written: str, variable: str) -> T:
    try:
        value = kind.from_text(written)
    except (ValueError, KeyError):
        value = written
    return checked(kind, value, variable)


def _table(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must be a table")
    return value


def _tables(value: object, where: str, key: str) -> list[object]:
    if not isinstance(value, list):
        raise ConfigError(f"{where} must be written as [[{key}]]")
    return value


def _dotted(keys: tuple[str, ...]) -> str:
    return ".".join(keys)


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "…"
