"""In place of recordings and streamings: how they look is said by the test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bridge.output_status import FilesStatus, OutputsStatus, RecordingStatus
from bridge.people import Conference


@dataclass
class StagedOutputs:
    """The outputs of each conference, as the pages' port wants them."""

    shown: dict[str, OutputsStatus] = field(default_factory=dict)
    """By conference."""
    stock: dict[str, FilesStatus] = field(default_factory=dict)
    looks: int = 0

    def look(self, conference: Conference) -> OutputsStatus:
        self.looks += 1
        return self.shown.get(conference.id, OutputsStatus())

    async def files(self, conference: Conference) -> FilesStatus:
        return self.stock.get(conference.id, FilesStatus())


def recording(**more: Any) -> RecordingStatus:
    """One that goes on and does well."""
    given: dict[str, Any] = {
        "state": "running",
        "begun_at": 1_790_000_000.0,
        "stretches": 1,
        "formats": ("mp4",),
        "participants": False,
        "storage": "",
        "changed_at": 1_790_000_000.0,
        "seconds": 61.0,
        "bytes": 4096,
        "lag_ms": 300,
    }
    return RecordingStatus("r1", **given | more)
