"""What the manifest says of each file of a recording: read off the files themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bridge.outputs.hls_folder import HEADER, MASTER
from bridge.outputs.manifest import FileEntry
from bridge.outputs.shelf_files import media_type_of
from bridge.outputs.sound_files import MadeFile

_PIECE: Final = 1 << 22


@dataclass(frozen=True, slots=True)
class FileReading:
    """Reads whole files of the recording in `directory`; `breathe` is called now and then."""

    directory: Path
    breathe: Callable[[], None]

    def entries(self, made: MadeFile, duration_ms: int) -> Iterator[FileEntry]:
        """Of a file, or of each one in a folder. Raises OSError."""
        for path in sorted(made.path.iterdir()) if made.path.is_dir() else [made.path]:
            role = _role(path, made)
            entry = self.entry(path, made.of, made.form, role)
            if made.picture is None:
                entry = replace(entry, media_type=_of_sound(path, entry.media_type))
            else:
                entry = replace(entry, has_picture=True)
            if role == "recording":
                entry = replace(entry, duration_ms=duration_ms, codec=made.codec, channels=made.channels)
                if made.picture is not None:
                    entry = replace(entry, width=made.picture.width, height=made.picture.height)
            yield entry

    def entry(self, path: Path, of: str, form: str, role: str) -> FileEntry:
        """Of one file, as far as it says itself. Raises OSError."""
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                size += len(piece)
                self.breathe()
        name = path.relative_to(self.directory).as_posix()
        return FileEntry(name, of, form, media_type_of(path.name), size, digest.hexdigest(), role=role)


def _role(path: Path, made: MadeFile) -> str:
    if path == made.path or path.name == MASTER:
        return "recording"
    if path.name == HEADER:
        return "header"
    return "playlist" if path.suffix == ".m3u8" else "segment"


def _of_sound(path: Path, media_type: str) -> str:
    return media_type.replace("video/", "audio/") if path.suffix in (".mp4", ".m4s") else media_type
