"""What the shelf asks of the disk that the recordings are on. Blocks: for a thread."""

from __future__ import annotations

import shutil
from pathlib import Path

from bridge.errors import NoRoom
from bridge.outputs.follow_wire import FILES_FOLDER
from bridge.outputs.kept_file import sync_directory
from bridge.outputs.own_storages import STORAGE_FILE


def check_free(root: Path, least_bytes: int) -> None:
    """Raises NoRoom when there is less room than that, or the directory cannot be used."""
    try:
        free = shutil.disk_usage(root).free
    except OSError as error:
        raise NoRoom(f"the directory of the recordings cannot be used: {error.strerror}") from None
    if free < least_bytes:
        raise NoRoom("the disk of the recordings is full")


def remove_recording(directory: Path) -> None:
    """For good. Keys first; the log last: as long as it is there, the rest can be made again.

    May be cut off anywhere and done again. Raises OSError.
    """
    (directory / STORAGE_FILE).unlink(missing_ok=True)
    for path in (directory / FILES_FOLDER, directory):
        if path.exists():
            shutil.rmtree(path)
    sync_directory(directory.parent)
