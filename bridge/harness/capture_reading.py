"""Reads a capture from a file, whole or cut off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import ConfigError
from bridge.legs.capture_file_wire import CaptureReader
from bridge.legs.capture_wire import BadCapture, End, Head, Record

READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Capture:
    """What is in a file."""

    path: Path
    head: Head
    records: list[Record]
    """Between the head and the end."""
    end: End | None
    """None: the file was cut off, and these are the records that were whole."""


def read_records(path: Path) -> Iterator[Record]:
    """One after another, head and end too. Raises ConfigError where nothing can be read, else BadCapture."""
    reader = CaptureReader()
    try:
        with path.open("rb") as file:
            while piece := file.read(READ_BYTES):
                yield from reader.feed(piece)
    except OSError as wrong:
        raise ConfigError(f"cannot read {path}: {wrong.strerror}") from None
    except BadCapture as wrong:
        raise BadCapture(f"{path}: {wrong}") from None
    if reader.head is None:
        raise BadCapture(f"{path}: this capture was cut off before anything was in it")


def read_capture(path: Path) -> Capture:
    """All of it. Raises as `read_records`."""
    records = list(read_records(path))
    head, end = records[0], records[-1]
    assert isinstance(head, Head)
    if isinstance(end, End):
        return Capture(path, head, records[1:-1], end)
    return Capture(path, head, records[1:], None)
