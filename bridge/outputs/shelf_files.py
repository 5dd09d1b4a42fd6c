"""The files of a recording as they lie in its folder. Blocking: for a thread."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bridge.core.ports import OutputFile
from bridge.outputs.kept_file import PART

MEDIA_TYPES: Final = {
    ".mp4": "video/mp4",
    ".m4a": "audio/mp4",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".mp3": "audio/mpeg",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".ts": "video/mp2t",
    ".m4s": "video/iso.segment",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".json": "application/json",
}
_PASSING = re.compile(r".*\.[0-9]+" + re.escape(PART))
"""What a copy is called in the moment in which it is made whole."""
_NAME = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]{0,199}(/[0-9A-Za-z_-][0-9A-Za-z._-]{0,199})?")

Said = Callable[[Path], str]
"""What is to be said of the upload of a file; empty: nothing."""


def media_type_of(name: str) -> str:
    """By its ending."""
    return MEDIA_TYPES.get(Path(name).suffix, "application/octet-stream")


def all_files(folder: Path, said: Said) -> list[OutputFile]:
    """All there are now, by their names; what grows is called as it will be."""
    # Unlike a glob, a walk takes no offence at a folder that goes away under it.
    paths = sorted(Path(at, name) for at, _, names in os.walk(folder) for name in names)
    seen = (_seen(path, folder, said) for path in paths if not _PASSING.fullmatch(path.name))
    return [file for file in seen if file is not None]


def one_file(folder: Path, name: str) -> OutputFile | None:
    """The one of that name, whole or growing, if there is anything in it. No name leads out of the folder."""
    if not _NAME.fullmatch(name) or name.endswith(PART):
        return None
    for path in (folder / name, folder / f"{name}{PART}"):
        file = _seen(path, folder, lambda path: "")
        if file is not None and file.size:
            return file
    return None


def _seen(path: Path, folder: Path, said: Said) -> OutputFile | None:
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):  # it has got its name meanwhile, or was begun again
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    name = path.relative_to(folder).as_posix().removesuffix(PART)
    return OutputFile(name, path, media_type_of(name), path.suffix != PART, found.st_size, said(path))
