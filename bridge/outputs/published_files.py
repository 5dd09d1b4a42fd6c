"""What a live stream has at a storage, written down so that a killed server leaves nothing there for good.

A name is on the disk before its file is sent: what may be there is known, whatever was cut off. Blocks.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from bridge.outputs.kept_file import PART, sync_directory, write_whole

log = logging.getLogger(__name__)

_SUFFIX: Final = ".files"


class PublishedFiles(msgspec.Struct):
    """Of one stream at one storage; `files` in the order in which they were sent first."""

    storage: str
    stream: str
    files: list[str]


def list_file(directory: Path, storage: str, stream: str) -> Path:
    """Where the list of that stream's files at that storage lies. Neither name has a dot or slash in it."""
    return directory / f"{stream}.{storage}{_SUFFIX}"


def write_list(file: Path, storage: str, stream: str, files: Collection[str]) -> None:
    """Whole or not at all, and for good. Raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(file, msgspec.json.encode(PublishedFiles(storage, stream, [*files])))


def read_list(file: Path) -> list[str]:
    """Empty when nothing is there, or nothing that can be read, which is said."""
    found = _read(file)
    return found.files if found is not None else []


def read_lists(directory: Path) -> Iterator[tuple[PublishedFiles, Path]]:
    """All of them. Raises OSError."""
    for file in sorted(directory.glob(f"*{_SUFFIX}")) if directory.exists() else ():
        if (found := _read(file)) is not None:
            yield found, file


def remove_list(file: Path) -> None:
    """For good; nothing happens when it is not there. Raises OSError."""
    if file.exists():
        file.unlink()
        sync_directory(file.parent)


def remove_unfinished(directory: Path) -> None:
    """Lists that were being written when the server died; the ones before them hold. Raises OSError."""
    for file in directory.glob(f"*{PART}"):
        file.unlink(missing_ok=True)


def outlived(files: Iterable[str], named: Collection[str]) -> list[str]:
    """What no playlist names any more, of files in the order in which they came.

    What has come after the last one that is named has yet to be.
    """
    waiting: list[str] = []
    gone: list[str] = []
    for file in files:
        if file in named:
            gone += waiting
            waiting.clear()
        else:
            waiting.append(file)
    return gone


def _read(file: Path) -> PublishedFiles | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=PublishedFiles)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError):
        log.error("x what a live stream has at a storage cannot be read: %s", file.name)
        return None
