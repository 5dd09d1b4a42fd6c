"""Sound that says where it belongs: each tick's samples hold its number and its track's."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bridge.outputs.record import FRAME_SAMPLES, Lost, Record, Sound


def coded_tick(tick: int, track: int = 0) -> bytes:
    """One frame; the number is in its first samples, again and again."""
    said = np.array([tick & 0x7FFF, (tick >> 15) & 0x7FFF, track], np.int16)
    return np.resize(said, FRAME_SAMPLES).astype("<i2").tobytes()


def coded(tick: int, count: int, track: int = 0) -> bytes:
    """So many frames from `tick` on."""
    return b"".join(coded_tick(tick + number, track) for number in range(count))


def heard_ticks(records: Iterable[Record], track: str = "program") -> list[int]:
    """The tick numbers a track's sound says, in order, where they stand at the place they say.

    Raises AssertionError where sound is at another tick than its own, or harmed.
    """
    heard: list[int] = []
    for record in records:
        if isinstance(record, Sound) and record.track == track:
            frames = np.frombuffer(record.pcm, "<i2").reshape(-1, FRAME_SAMPLES)
            for place, frame in enumerate(frames):
                tick = int(frame[0]) + (int(frame[1]) << 15)
                assert tick == record.tick + place, f"tick {tick} stands at {record.tick + place}"
                assert frame.tobytes() == coded_tick(tick, int(frame[2])), f"tick {tick} is harmed"
                heard.append(tick)
    return heard


def lost_ticks(records: Iterable[Record]) -> list[int]:
    """Every tick that is said to be lost."""
    return [
        tick for record in records if isinstance(record, Lost) for tick in range(record.tick, record.until)
    ]
