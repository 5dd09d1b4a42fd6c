"""A recording under way: coded sound, chunk by chunk, given to a `RecordWriter`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bridge.outputs.record import Begun, Ended, Joined, Record, Sound
from bridge.outputs.record_reader import RecordReader
from bridge.outputs.record_writer import RecordWriter, WriterSettings
from bridge.outputs.stretch_log import LogFigures
from tests.kit.coded_sound import coded

CHUNK = 10


class SpokenRecord:
    """`root/name`; says `CHUNK` ticks at a time, on one track."""

    def __init__(self, writer: RecordWriter, root: Path, name: str = "r1", stretch: int = 0) -> None:
        self.name = name
        self.tick = 0
        self._writer = writer
        self._root = root
        self._stretch = stretch
        writer.begin(Begun(name, "room", stretch, 1_700_000_000_000))
        writer.put(name, [Joined(0, "p1", "Ann")], 0)

    def say(self, chunks: int = 1) -> None:
        for _ in range(chunks):
            records: list[Record] = [Sound("program", self.tick, coded(self.tick, CHUNK))]
            self.tick += CHUNK
            self._writer.put(self.name, records, self.tick)

    async def say_for(self, chunks: int, every_s: float) -> None:
        for _ in range(chunks):
            self.say()
            await asyncio.sleep(every_s)

    async def end(self, within_s: float = 5.0) -> int:
        return await self._writer.end(self.name, Ended(self.tick, "stopped"), within_s)

    async def on_disk(self, within_s: float = 5.0) -> None:
        """Until everything said so far is there. Raises TimeoutError."""
        await until_on_disk(self._writer, self.name, within_s)

    def records(self) -> list[Record]:
        return list(RecordReader(self._root / self.name).read(self._stretch))

    @property
    def figures(self) -> LogFigures:
        figures = self._writer.figures(self.name)
        assert figures is not None
        return figures


async def until_on_disk(writer: RecordWriter, recording: str, within_s: float) -> None:
    """Until nothing that was told of it waits any more. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while _waits(writer, recording):  # noqa: ASYNC110 - nobody but tests wants to know
            await asyncio.sleep(0.005)


def _waits(writer: RecordWriter, recording: str) -> bool:
    figures = writer.figures(recording)
    return figures is not None and figures.queue_bytes > 0


class Notices:
    """What a writer says of its recordings, in order."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self._changed = asyncio.Event()

    def problem(self, recording: str, text: str) -> None:
        self.said.append((recording, text))
        self._changed.set()

    def resumed(self, recording: str) -> None:
        self.said.append((recording, "resumed"))
        self._changed.set()

    async def wait_for(self, recording: str, text: str, within_s: float = 8.0) -> None:
        """Until one that contains `text` is said of it, now or before."""
        async with asyncio.timeout(within_s):
            while not any(name == recording and text in said for name, said in self.said):
                self._changed.clear()
                await self._changed.wait()

    def writer(self, root: Path, settings: WriterSettings | None = None) -> RecordWriter:
        return RecordWriter(root, on_problem=self.problem, on_resumed=self.resumed, settings=settings)
