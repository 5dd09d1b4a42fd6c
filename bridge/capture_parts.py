"""The parts that captures take, bound; a piece of the composition root."""

from __future__ import annotations

from collections.abc import Callable

from bridge.config.tree import CapturesConfig
from bridge.errors import NoSuchRoom
from bridge.legs.captures import Capturing
from bridge.outputs.capture_files import CaptureFiles
from bridge.outputs.capture_listing import CaptureListing
from bridge.outputs.capture_shelf import CaptureLimits, CaptureShelf
from bridge.status import RoomStatus
from bridge.tick_stamp import TickStamp

MEGABYTE = 1_000_000


def capture_files(captures: CapturesConfig) -> CaptureFiles | None:
    """What writes captures, not started; None where none are kept. Raises ConfigError."""
    if captures.directory is None:
        return None
    limits = CaptureLimits(
        captures.megabytes_each * MEGABYTE, captures.megabytes_total * MEGABYTE, captures.days
    )
    return CaptureFiles(CaptureShelf(captures.directory, limits))


def capture_listing(files: CaptureFiles | None) -> CaptureListing | None:
    """What captures there are; None where none are kept."""
    return None if files is None else CaptureListing(files)


def capturing(
    files: CaptureFiles | None, ticks: TickStamp, look: Callable[[str], RoomStatus]
) -> Capturing | None:
    """What legs make captures with; None where none are kept. `look` is the switchboard's."""

    def room_rate_hz(room_id: str) -> int:
        try:
            return look(room_id).rate_hz
        except NoSuchRoom:
            return 0

    return None if files is None else Capturing(files.open, ticks, room_rate_hz)
