"""A live encoder's time, cut into what is coded at once and what is jumped over. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.outputs.record import FRAME_SAMPLES

FILLED_TICKS = 25
"""A hole this short is silence; after a longer one players are told that time jumps."""
SLICE_TICKS = 50
"""So much is coded at once: sound and pictures stay close to each other."""


def tick_at(tick: int) -> int:
    """When a tick begins, in samples."""
    return tick * FRAME_SAMPLES


def stretches(at: int, until: int, holes: list[tuple[int, int]]) -> Iterator[tuple[int, int, bool]]:
    """What lies between `at` and `until`: begin, end, and whether it is a hole that time jumps over."""
    for begin, end in sorted(holes):
        begin, end = max(begin, at), min(end, until)
        if end - begin <= FILLED_TICKS:
            continue
        yield from _slices(at, begin)
        yield begin, end, True
        at = end
    yield from _slices(at, until)


def _slices(at: int, until: int) -> Iterator[tuple[int, int, bool]]:
    while at < until:
        end = min(until, at + SLICE_TICKS)
        yield at, end, False
        at = end
