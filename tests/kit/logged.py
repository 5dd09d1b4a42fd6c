"""A recording's log in memory, with coded tones: what was recorded when can be read off what is heard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bridge.outputs.record import FRAME_SAMPLES, RATE_HZ, Begun, Ended, Record, Sound
from bridge.outputs.record_log import frame, opening, pack
from bridge.outputs.record_reader import Poll, Told, log_path

CHUNK_TICKS = 5


def burst(hz: float, ticks: int = 1, level: int = 8_000) -> np.ndarray:
    """A tone of `ticks`, int16 [samples], that begins and ends at zero."""
    samples = ticks * FRAME_SAMPLES
    return (level * np.sin(2 * np.pi * hz * np.arange(samples) / RATE_HZ)).astype(np.int16)


def sound(track: str, tick: int, pcm: np.ndarray) -> list[Record]:
    """`pcm` on a track from `tick` on, in the pieces in which an output is told of it."""
    step = CHUNK_TICKS * FRAME_SAMPLES
    return [
        Sound(track, tick + at // FRAME_SAMPLES, pcm[at : at + step].astype("<i2").tobytes())
        for at in range(0, len(pcm), step)
    ]


class MemoryLog:
    """What `RecordReader` gives, from lists of records."""

    def __init__(self) -> None:
        self._stretches: dict[int, tuple[int, list[Record]]] = {}

    def stretch(
        self, began_ms: int, ticks: int, records: list[Record], why: str = "stopped", recording: str = "rec"
    ) -> MemoryLog:
        """One more stretch of `ticks`; `records` in any order."""
        number = len(self._stretches)
        opening: list[Record] = [Begun(recording, "room", number, began_ms)]
        closing: list[Record] = [Ended(ticks, why)] if why else []  # type: ignore[arg-type]
        self._stretches[number] = (ticks, [*opening, *sorted(records, key=lambda r: r.tick), *closing])  # type: ignore[union-attr]
        return self

    def stretches(self) -> list[int]:
        return list(self._stretches)

    def told(self, stretch: int, follow: Poll | None = None) -> Iterator[Told]:
        ticks, records = self._stretches[stretch]
        left = list(records)
        for since in range(0, max(ticks, 1), CHUNK_TICKS):
            until = min(since + CHUNK_TICKS, ticks)
            now = [r for r in left if getattr(r, "tick", 0) < until or until == ticks]
            left = left[len(now) :]
            yield Told(since, until, tuple(now))


def write_log(directory: Path, stretch: int, log: MemoryLog, ticks: int | None = None) -> None:
    """What the scribe would have written of a stretch, up to a tick; goes on with what is there."""
    path = log_path(directory, stretch)
    path.parent.mkdir(parents=True, exist_ok=True)
    batches = [opening(stretch.to_bytes(8, "little"))]
    for sequence, told in enumerate(log.told(stretch), 1):
        if ticks is None or told.until <= ticks:
            batches.append(frame(sequence, told.since, told.until, pack(told.records)))
    written = path.stat().st_size if path.exists() else 0
    with path.open("ab") as file:
        file.write(b"".join(batches)[written:])
