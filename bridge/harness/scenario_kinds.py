"""What single settings of a scenario may be, declared once: for reading a file, and for the JSON Schema.

Pure. A kind reads the text that stands in the file, whatever YAML would take it for, so that `0123` stays the
keys 0, 1, 2, 3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

JsonSchema = dict[str, object]

KEYS = "0123456789*#ABCD"


class Kind(Protocol):
    """One kind of setting."""

    @property
    def expected(self) -> str:
        """What is wanted, for an error message."""

    def read(self, text: str) -> object:
        """The value. Raises ValueError, with a reason where `expected` does not say it already."""

    def schema(self) -> JsonSchema: ...


def setting(
    kind: Kind,
    told: str,
    *,
    default: object = None,
    required: bool = False,
    key: str = "",
    secret: bool = False,
) -> Any:  # as of dataclasses.field
    """A field of a scenario's values. `told` is for the schema and for people.

    Its key in the file is the field's name without its unit (`within_ms` → `within`), unless `key` says it.
    """
    metadata = {"kind": kind, "told": told, "key": key}
    if required:
        return field(metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


def key_of(name: str, metadata: Mapping[str, Any]) -> str:
    """The key of a field in the file."""
    return str(metadata["key"]) or re.sub(r"_(ms|db)\Z", "", name)


@dataclass(frozen=True, slots=True)
class Duration:
    """A time in whole ms; written with its unit."""

    low_ms: int
    high_ms: int

    _WRITTEN = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,3})?) ?(ms|s|m)")
    _UNITS = {"ms": 1, "s": 1_000, "m": 60_000}

    @property
    def expected(self) -> str:
        return f"a time from {written_ms(self.low_ms)} to {written_ms(self.high_ms)}, such as 500ms, 2s or 1m"

    def read(self, text: str) -> int:
        found = self._WRITTEN.fullmatch(text)
        if found is None:
            raise ValueError("it needs a unit" if re.fullmatch(r"[0-9.]+", text) else "")
        ms = round(float(found[1]) * self._UNITS[found[2]])
        if not self.low_ms <= ms <= self.high_ms:
            raise ValueError
        return ms

    def schema(self) -> JsonSchema:
        return {"type": "string", "pattern": rf"^{self._WRITTEN.pattern}$"}


@dataclass(frozen=True, slots=True)
class Decibel:
    """A level or a ratio; written with its unit."""

    low_db: float
    high_db: float

    _WRITTEN = re.compile(r"(-?[0-9]{1,3}(?:\.[0-9]{1,2})?) ?dB")

    @property
    def expected(self) -> str:
        between_db = (self.low_db + self.high_db) / 2
        return f"a level from {self.low_db:g}dB to {self.high_db:g}dB, such as {between_db:g}dB"

    def read(self, text: str) -> float:
        found = self._WRITTEN.fullmatch(text)
        if found is None or not self.low_db <= float(found[1]) <= self.high_db:
            raise ValueError
        return float(found[1])

    def schema(self) -> JsonSchema:
        return {"type": "string", "pattern": rf"^{self._WRITTEN.pattern}$"}


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the whole, 0…1; written in percent."""

    _WRITTEN = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?) ?%")

    @property
    def expected(self) -> str:
        return "a share from 0% to 100%, such as 2%"

    def read(self, text: str) -> float:
        found = self._WRITTEN.fullmatch(text)
        if found is None or float(found[1]) > 100:
            raise ValueError
        return float(found[1]) / 100

    def schema(self) -> JsonSchema:
        return {"type": "string", "pattern": rf"^{self._WRITTEN.pattern}$"}


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number."""

    low: int
    high: int

    @property
    def expected(self) -> str:
        return f"a whole number from {self.low:,} to {self.high:,}"

    def read(self, text: str) -> int:
        if not re.fullmatch(r"0|-?[1-9][0-9]{0,14}", text) or not self.low <= int(text) <= self.high:
            raise ValueError
        return int(text)

    def schema(self) -> JsonSchema:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    @property
    def expected(self) -> str:
        return "true or false"

    def read(self, text: str) -> bool:
        if text not in ("true", "false"):
            raise ValueError
        return text == "true"

    def schema(self) -> JsonSchema:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Text:
    """Anything that can be printed, on one line or several."""

    longest: int
    what: str = "a text"

    @property
    def expected(self) -> str:
        return f"{self.what} of 1 to {self.longest:,} characters"

    def read(self, text: str) -> str:
        if not text.strip() or len(text) > self.longest:
            raise ValueError
        if not all(letter.isprintable() or letter in "\n\t" for letter in text):
            raise ValueError("it holds characters that cannot be printed")
        return text

    def schema(self) -> JsonSchema:
        return {"type": "string", "minLength": 1, "maxLength": self.longest}


@dataclass(frozen=True, slots=True)
class Word:
    """One of a few."""

    words: tuple[str, ...]

    @property
    def expected(self) -> str:
        return "one of " + ", ".join(self.words)

    def read(self, text: str) -> str:
        if text not in self.words:
            raise ValueError
        return text

    def schema(self) -> JsonSchema:
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of a telephone. They may be a PIN: an error does not repeat them."""

    longest: int = 100

    @property
    def expected(self) -> str:
        return f"1 to {self.longest} keys out of 0-9 * # A-D (in quotes where there is a #)"

    def read(self, text: str) -> str:
        if not re.fullmatch(rf"[{re.escape(KEYS)}]{{1,{self.longest}}}", text):
            raise ValueError
        return text

    def schema(self) -> JsonSchema:
        # Without quotes YAML takes keys for a number.
        pattern = rf"^[0-9*#A-D]{{1,{self.longest}}}$"
        return {"anyOf": [{"type": "string", "pattern": pattern}, {"type": "integer", "minimum": 0}]}


@dataclass(frozen=True, slots=True)
class Section:
    """Settings of their own: `cls` is a dataclass of `setting`s."""

    cls: type

    @property
    def expected(self) -> str:
        return "settings, one in each line: `key: value`"

    def read(self, text: str) -> object:
        raise ValueError

    def schema(self) -> JsonSchema:
        return {"$ref": f"#/$defs/{self.cls.__name__}"}


@dataclass(frozen=True, slots=True)
class Listing:
    """Several of one kind: a tuple."""

    item: Kind
    longest: int

    @property
    def expected(self) -> str:
        return f"a list of 1 to {self.longest:,}, each in a line that begins with a dash"

    def read(self, text: str) -> object:
        raise ValueError

    def schema(self) -> JsonSchema:
        return {"type": "array", "minItems": 1, "maxItems": self.longest, "items": self.item.schema()}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several named things: `name`, `name: value` or `name:` with settings; each is a `what`."""

    what: str

    @property
    def expected(self) -> str:
        return f"a {self.what}"

    def read(self, text: str) -> object:
        raise ValueError

    def schema(self) -> JsonSchema:
        return {"$ref": f"#/$defs/{self.what}"}


def written_ms(ms: int) -> str:
    """A time as people write it: 500ms, 2s, 10m."""
    for unit, size in (("m", 60_000), ("s", 1_000)):
        if ms and not ms % size:
            return f"{ms // size}{unit}"
    return f"{ms}ms"
