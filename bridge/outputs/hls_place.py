"""Where the files of live streams lie: one directory each, for the owner only, gone when the stream is over.

Blocking; for a thread.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_NUMBERED = re.compile(r"\.?[spch](\d{1,18})\.")


def prepare(root: Path, stream_id: str) -> tuple[Path, int]:
    """An empty directory for a stream, and the number of its first segment.

    Where a stream of that name was before it is above all numbers that it used. Raises OSError, and
    ValueError for a name that is none.
    """
    if not _NAME.fullmatch(stream_id):
        raise ValueError("not the name of a stream")
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory = root / stream_id
    first = 0
    if directory.exists():
        numbers = (_NUMBERED.match(file.name) for file in directory.iterdir())
        # Two more: what was promised for the next one, and asked for, must not be something else now.
        first = max((int(number[1]) + 3 for number in numbers if number), default=0)
        shutil.rmtree(directory)
    directory.mkdir(mode=0o700)
    return directory, first


def remove(directory: Path) -> None:
    """Delete it with its files. Raises OSError."""
    if directory.exists():
        shutil.rmtree(directory)


def sweep(root: Path, keep: Collection[str]) -> int:
    """Delete what no stream of `keep` has left behind; gives how many. Raises OSError."""
    left = [] if not root.exists() else [one for one in root.iterdir() if one.name not in keep]
    for directory in left:
        if directory.is_dir():
            shutil.rmtree(directory)
    return len(left)
