"""Blocks of all tracks: whatever is missing, everything has its place."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.outputs.record import FRAME_SAMPLES, Begun, Ended, Joined, Left, Lost, Record, Sound
from bridge.outputs.record_reader import Told
from bridge.outputs.record_time import Hole
from bridge.outputs.weave import Block, Weaver, woven
from tests.kit.logged import MemoryLog, burst, sound

pytestmark = pytest.mark.unit


def laid_out(blocks: list[Block], track: str) -> np.ndarray:
    """A track's sound in the files, from their beginning."""
    parts = [block.sound.get(track, np.zeros(block.samples, np.int16)) for block in blocks]
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def at_tick(tick: int) -> slice:
    return slice(tick * FRAME_SAMPLES, (tick + 1) * FRAME_SAMPLES)


def test_sound_lies_at_its_tick_and_silence_around_it() -> None:
    tone = burst(500)
    log = MemoryLog().stretch(0, 137, [*sound("program", 3, tone), *sound("ann", 99, tone)])
    blocks = list(woven(log, Weaver()))
    assert [block.ticks for block in blocks] == [50, 50, 37]
    program, ann = laid_out(blocks, "program"), laid_out(blocks, "ann")
    assert len(program) == len(ann) == 137 * FRAME_SAMPLES
    assert (program[at_tick(3)] == tone).all() and np.count_nonzero(program) == np.count_nonzero(tone)
    assert (ann[at_tick(99)] == tone).all() and np.count_nonzero(ann) == np.count_nonzero(tone)
    # Nobody carries arrays of zeros about.
    assert "ann" not in blocks[0].sound and "program" not in blocks[1].sound


def test_sound_over_the_edge_of_a_block_is_whole() -> None:
    tone = burst(500, ticks=120)
    blocks = list(woven(MemoryLog().stretch(0, 150, sound("ann", 20, tone)), Weaver()))
    assert (laid_out(blocks, "ann")[20 * FRAME_SAMPLES : 140 * FRAME_SAMPLES] == tone).all()


def test_stretches_follow_each_other_without_their_pause() -> None:
    log = MemoryLog().stretch(10_000, 60, sound("ann", 59, burst(500)), "paused")
    log.stretch(90_000, 30, sound("ann", 0, burst(700)))
    weaver = Weaver()
    blocks = list(woven(log, weaver))
    ann = laid_out(blocks, "ann")
    assert (ann[at_tick(59)] == burst(500)).all() and (ann[at_tick(60)] == burst(700)).all()
    assert [(s.began_ms, s.ticks, s.at_tick, s.why) for s in weaver.time.stretches] == [
        (10_000, 60, 0, "paused"),
        (90_000, 30, 60, "stopped"),
    ]
    assert weaver.time.wall_ms(1_200) == 90_000


def test_a_hole_is_silence_of_its_length_and_noted() -> None:
    records: list[Record] = [
        *sound("ann", 0, burst(500)),
        Lost(1, 120, "the disk was full"),
        *sound("ann", 120, burst(500)),
    ]
    weaver = Weaver()
    ann = laid_out(list(woven(MemoryLog().stretch(0, 121, records), weaver)), "ann")
    assert len(ann) == 121 * FRAME_SAMPLES
    assert not ann[FRAME_SAMPLES : 120 * FRAME_SAMPLES].any() and ann[at_tick(120)].any()
    assert weaver.time.stretches[0].holes == (Hole(1, 120, "the disk was full"),)


def test_what_happened_comes_with_the_tick_of_the_files() -> None:
    log = MemoryLog().stretch(0, 70, [Joined(4, "a", "Ann"), Left(60, "a")], "paused")
    log.stretch(0, 10, [Joined(2, "a", "Ann")])
    happened = [entry for block in woven(log, Weaver()) for entry in block.happened]
    assert happened == [
        (0, Begun("rec", "room", 0, 0)),
        (4, Joined(4, "a", "Ann")),
        (60, Left(60, "a")),
        (70, Ended(70, "paused")),
        (70, Begun("rec", "room", 1, 0)),
        (72, Joined(2, "a", "Ann")),
        (80, Ended(10, "stopped")),
    ]


def test_a_stretch_cut_off_ends_where_it_is_told_of() -> None:
    weaver = Weaver()
    blocks = list(woven(MemoryLog().stretch(0, 77, sound("ann", 70, burst(500)), why=""), weaver))
    assert sum(block.ticks for block in blocks) == 77
    assert weaver.time.stretches[0].why is None


def test_the_second_telling_of_the_same_ticks_changes_nothing_given() -> None:
    weaver = Weaver()
    weaver.begin(0)
    tone = burst(500, ticks=50)
    told = Told(0, 50, (Sound("ann", 0, tone.astype("<i2").tobytes()),))
    first = list(weaver.take(told))
    again = list(weaver.take(told))
    assert len(first) == 1 and again == []
    assert [block.sound for block in weaver.take(Told(50, 100, ()))] == [{}]


@pytest.mark.parametrize("pieces", [1, 3, 7, 50, 200])
def test_how_the_log_was_cut_into_pieces_does_not_matter(pieces: int) -> None:
    """Blocks are the same whatever the batches were, so that the files are, too."""
    rng = np.random.default_rng(pieces)
    pcm = rng.integers(-9_000, 9_000, 200 * FRAME_SAMPLES).astype(np.int16)
    edges = sorted({0, 200, *rng.integers(1, 199, pieces).tolist()})
    weaver = Weaver()
    weaver.begin(0)
    blocks: list[Block] = []
    for since, until in zip(edges, edges[1:], strict=False):
        part = pcm[since * FRAME_SAMPLES : until * FRAME_SAMPLES].astype("<i2").tobytes()
        blocks += weaver.take(Told(since, until, (Sound("ann", since, part),)))
    blocks += weaver.finish()
    assert [block.ticks for block in blocks] == [50] * 4
    assert (laid_out(blocks, "ann") == pcm).all()
