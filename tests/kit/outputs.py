"""Recordings and streamings whose outputs only write down what they are told."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.core.ports import (
    HlsSpec,
    OutputFactory,
    OutputLook,
    OutputPort,
    OutputSpec,
    PushSpec,
    RecordingSpec,
)
from bridge.directory import Directory
from bridge.egress.gate import EgressGate, EgressSettings
from bridge.output_desk import OutputDesk
from bridge.output_looks import OutputLooks
from bridge.recordings import Recordings
from bridge.streamings import RTMP_SCHEMES, Streamings
from tests.kit.notes import Notes, Rooms
from tests.kit.records import MemoryRecordings, MemoryStreamings
from tests.kit.shelves import MemoryShelf


@dataclass
class NotedOutputs:
    """Of one directory; `made` has what was begun, in order, and `notes` what became of it."""

    directory: Directory
    rooms: Rooms = field(default_factory=Rooms)
    shelf: MemoryShelf = field(default_factory=MemoryShelf)
    made: list[OutputSpec] = field(default_factory=list)
    notes: list[Notes] = field(default_factory=list)
    marks: list[tuple[str, str, float]] = field(default_factory=list)
    """Timed metadata: streaming, payload, seconds."""
    marks_fail: Exception | None = None
    fails: Exception | None = None
    """Of what is begun from now on."""

    def __post_init__(self) -> None:
        factories: dict[type, OutputFactory] = {
            spec: self._note for spec in (RecordingSpec, PushSpec, HlsSpec)
        }
        self.desk = OutputDesk(self.rooms, self.directory, factories, lambda: 0, lambda: 0)
        self.recordings = Recordings(MemoryRecordings(), self.directory, self.desk, self.shelf)
        gate = EgressGate(EgressSettings(), _nobody)
        self.streamings = Streamings(
            MemoryStreamings(),
            self.directory,
            self.desk,
            lambda url: gate.check(url, RTMP_SCHEMES),
            lambda stream_id, token: (
                f"http://bridge/hls/{stream_id}/{token + '/' if token else ''}index.m3u8"
            ),
            mark=self._mark,
        )
        self.looks = OutputLooks(self.recordings, self.streamings, self.desk, ("bucket",))

    async def close(self) -> None:
        await self.desk.close()
        await self.recordings.close()

    def show(self, look: OutputLook, number: int = -1) -> None:
        """How the output that was begun as that one looks from now on."""
        self.notes[number].shown = look

    def trouble(self, text: str, number: int = -1) -> None:
        """It says that it is in trouble; without a text, that it is well again."""
        self.notes[number].port.report(text)

    def _mark(self, streaming: str, payload: str, seconds: float) -> None:
        if self.marks_fail is not None:
            raise self.marks_fail
        self.marks.append((streaming, payload, seconds))

    def _note(self, port: OutputPort, spec: OutputSpec) -> Notes:
        self.made.append(spec)
        self.notes.append(Notes(port, spec))
        self.notes[-1].fails = self.fails
        return self.notes[-1]


async def _nobody(host: str) -> list[str]:
    raise OSError("no names are looked up here")
