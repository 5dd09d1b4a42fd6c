"""Orders to upload a file, as they lie on the disk."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from bridge.outputs.kept_file import sync_directory, write_whole

log = logging.getLogger(__name__)

_SUFFIX: Final = ".order"
_PIECE: Final = 1 << 20


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file to be uploaded; and afterwards what there is of it at its place."""

    recording: str
    path: str
    place: str
    key: str
    media_type: str
    since: float
    """When it was ordered, Unix seconds."""
    done_at: float = 0.0
    """When it was confirmed; 0: it was not."""
    done_place: str = ""
    """Where it is: the place or its backup."""
    size: int = 0
    """Of what was confirmed, like what follows."""
    md5: str = ""
    modified_ns: int = 0
    """When the file had been written to for the last time."""


def order_file(directory: Path, recording: str, place: str, key: str) -> Path:
    """Where that order lies: the same upload has the same order."""
    name = hashlib.sha256(f"{recording}\0{place}\0{key}".encode()).hexdigest()[:32]
    return directory / f"{name}{_SUFFIX}"


def read_orders(directory: Path) -> list[tuple[Order, Path]]:
    """All of them; what cannot be read is left lying, and said. Raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for unfinished in directory.glob("*.part"):
        unfinished.unlink(missing_ok=True)
    found = []
    for file in sorted(directory.glob(f"*{_SUFFIX}")):
        try:
            found.append((msgspec.json.decode(file.read_bytes(), type=Order), file))
        except (OSError, msgspec.DecodeError):
            log.error("x an upload's order cannot be read: %s", file.name)
    return found


def write_order(file: Path, order: Order) -> None:
    """Whole or not at all, and for good. Raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(file, msgspec.json.encode(order))


def remove_orders(directory: Path, files: Iterable[Path]) -> None:
    """For good; those that are not there do no harm. Raises OSError."""
    some = False
    for file in files:
        file.unlink(missing_ok=True)
        some = True
    if some:
        sync_directory(directory)


def stamp(path: Path) -> tuple[int, int]:
    """Size and time of the last writing: what changes with a file's content. Raises OSError."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def is_as_confirmed(path: Path, order: Order) -> bool:
    """Whether the file is still what arrived; one that is gone is no other one. Raises OSError."""
    try:
        now = stamp(path)
        if now[0] != order.size:
            return False
        if now[1] == order.modified_ns:
            return True
        digest = hashlib.md5(usedforsecurity=False)
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except FileNotFoundError:
        return True
    return digest.hexdigest() == order.md5
