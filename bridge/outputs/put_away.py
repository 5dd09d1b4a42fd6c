"""Recordings that are safe in a storage need not lie here: which, and how they are put away. Blocks."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from bridge.outputs.follow_wire import FILES_FOLDER, MANIFEST
from bridge.outputs.kept_file import sync_directory
from bridge.outputs.record_reader import LOG_FOLDER
from bridge.outputs.upload_orders import Order

_GOING = f"{LOG_FOLDER}.away"


class _File(msgspec.Struct):
    name: str


class _Manifest(msgspec.Struct):
    files: list[_File]


def safe_since(directory: Path, arrived: Iterable[Order]) -> float | None:
    """Since when everything that the manifest names, and it itself, is confirmed; None: it is not."""
    try:
        manifest = msgspec.json.decode((directory / MANIFEST).read_bytes(), type=_Manifest)
    except (OSError, msgspec.DecodeError):
        return None
    orders = {order.path: order for order in arrived}
    wanted = [MANIFEST, *(file.name for file in manifest.files)]
    found = [orders.get(str(directory / name)) for name in wanted]
    if not all(found):
        return None
    return max(order.done_at for order in found if order is not None)


def put_away(directory: Path) -> None:
    """Remove the files, then the log. May be cut off anywhere and done again. Raises OSError.

    The log goes in one step: a part of it would be taken for the whole recording.
    """
    if (directory / FILES_FOLDER).exists():
        shutil.rmtree(directory / FILES_FOLDER)
    if (directory / LOG_FOLDER).exists():
        (directory / LOG_FOLDER).rename(directory / _GOING)
        sync_directory(directory)
    if (directory / _GOING).exists():
        shutil.rmtree(directory / _GOING)


def is_away(directory: Path) -> bool:
    """Whether the log is gone, so that nothing can be made of the recording any more."""
    return (directory / MANIFEST).exists() and not (directory / LOG_FOLDER).exists()
