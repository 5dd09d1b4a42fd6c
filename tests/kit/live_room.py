"""A room's live encoder on a clock of its own, in the test's process: sound in, files and events out."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from bridge.outputs.live_room import LiveRoom
from bridge.outputs.live_wire import AddHls, Command, Event, HlsSpec, Passed, PictureSpec, SegmentMade
from bridge.outputs.record import PROGRAM, Begun, Record, Sound
from bridge.outputs.scene import View

RATE = 48_000
FRAME = 960
BEGAN_MS = 1_700_000_000_000


class CountingPainter:
    """Paints a picture that is as bright as there are participants, and counts what it paints."""

    painted = 0

    def __init__(self, spec: PictureSpec) -> None:
        self._shape = (spec.height, spec.width, 3)
        self._pictures: dict[int, NDArray[np.uint8]] = {}

    def paint(self, view: View) -> NDArray[np.uint8]:
        brightness = 30 + 60 * len(view.tiles) + 60 * view.talking
        if brightness not in self._pictures:
            CountingPainter.painted += 1
            self._pictures[brightness] = np.full(self._shape, brightness, np.uint8)
        return self._pictures[brightness]


class LiveStudio:
    """`hear` gives it sound as the server does, every 100 ms; `events` is what it said."""

    def __init__(self, directory: Path, *, since: int = 0) -> None:
        self.directory = directory
        self.events: list[Event] = []
        self.room = LiveRoom(CountingPainter, self.events.append)
        self.tick = since
        self.begun = Begun("r", "room", 0, BEGAN_MS)
        self._told = False

    def add(self, name: str, spec: HlsSpec) -> Path:
        folder = self.directory / name
        folder.mkdir(mode=0o700, exist_ok=True)
        self.command(AddHls(name, spec, str(folder)))
        return folder

    def command(self, command: Command) -> None:
        self.room.command(command)

    def hear(self, sound: NDArray[np.float32], also: Sequence[Record] = (), *, chunk: int = 5) -> None:
        """`sound`: float32 [samples] at int16 scale, whole ticks; `also` comes with its first chunk."""
        pcm = sound.astype("<i2")
        assert len(pcm) % FRAME == 0
        extra = list(also)
        for at in range(0, len(pcm), chunk * FRAME):
            some = pcm[at : at + chunk * FRAME]
            ticks = len(some) // FRAME
            records: list[Record] = [] if self._told else [self.begun]
            self._told = True
            records += extra
            extra = []
            if some.any():
                records.append(Sound(PROGRAM, self.tick, some.tobytes()))
            since, self.tick = self.tick, self.tick + ticks
            self.command(Passed(since, self.tick, records))

    def skip(self, ticks: int) -> None:
        """Time passes that nobody tells of."""
        self.tick += ticks

    def close(self) -> None:
        self.room.close()

    def of(self, kind: type[Event], name: str | None = None) -> list[Event]:
        return [e for e in self.events if isinstance(e, kind) and (name is None or e.output == name)]  # type: ignore[union-attr]

    def segments(self, name: str) -> list[SegmentMade]:
        return self.of(SegmentMade, name)  # type: ignore[return-value]


def in_one_piece(folder: Path, segments: Sequence[SegmentMade]) -> bytes:
    """Segments without a discontinuity, one after the other, behind their header."""
    header = segments[0].header
    content = b"" if header is None else (folder / header).read_bytes()
    return content + b"".join((folder / segment.file).read_bytes() for segment in segments)


def heard_in(content: bytes) -> tuple[NDArray[np.float32], int]:
    """The sound at int16 scale, and when it begins, in samples on the media's clock."""
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.audio[0]
        frames = list(container.decode(stream))
        assert frames[0].pts is not None and stream.time_base is not None
        begin = round(frames[0].pts * stream.time_base * RATE)
    sound = np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float32)
    if frames[0].format.name.startswith("flt"):
        sound *= 32_768
    return sound, begin


def brightness_in(content: bytes) -> list[tuple[float, float]]:
    """When each picture is shown (seconds on the media's clock), and how bright it is."""
    with av.open(io.BytesIO(content)) as container:
        return [
            (float(frame.pts * frame.time_base), float(frame.to_ndarray(format="rgb24").mean()))
            for frame in container.decode(video=0)
        ]
