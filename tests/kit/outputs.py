"""Recordings and streamings whose outputs only write down what they are told."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.core.ports import HlsSpec, OutputPort, OutputSpec, PushSpec, RecordingSpec
from bridge.directory import Directory
from bridge.egress import EgressGate, EgressSettings
from bridge.output_desk import OutputDesk
from bridge.recordings import Recordings
from bridge.streamings import RTMP_SCHEMES, Streamings
from tests.kit.notes import Notes, Rooms
from tests.kit.records import MemoryRecordings, MemoryStreamings
from tests.kit.shelves import MemoryShelf


@dataclass
class NotedOutputs:
    """Of one directory; `made` has what was begun, in order."""

    directory: Directory
    rooms: Rooms = field(default_factory=Rooms)
    shelf: MemoryShelf = field(default_factory=MemoryShelf)
    made: list[OutputSpec] = field(default_factory=list)

    def __post_init__(self) -> None:
        factories = {spec: self._note for spec in (RecordingSpec, PushSpec, HlsSpec)}
        self.desk = OutputDesk(self.rooms, self.directory, factories, lambda: 0, lambda: 0)
        self.recordings = Recordings(MemoryRecordings(), self.directory, self.desk, self.shelf)
        gate = EgressGate(EgressSettings(), _nobody)
        self.streamings = Streamings(
            MemoryStreamings(),
            self.directory,
            self.desk,
            lambda url: gate.check(url, RTMP_SCHEMES),
            lambda stream_id, token: f"http://bridge/hls/{stream_id}/{token}",
        )

    async def close(self) -> None:
        await self.desk.close()
        await self.recordings.close()

    def _note(self, port: OutputPort, spec: OutputSpec) -> Notes:
        self.made.append(spec)
        return Notes(port, spec)


async def _nobody(host: str) -> list[str]:
    raise OSError("no names are looked up here")
