"""A room on a manual clock, recorded by a real scribe: what was said is in the log, tick by tick."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.core.ports import CloseReason, RecordingSpec
from bridge.outputs.record import PROGRAM, Begun, Ended, Joined, Left, Lost, Named, Record, Sound, Talked
from bridge.outputs.record_reader import RecordReader
from bridge.outputs.record_writer import RecordWriter
from bridge.outputs.recorder import Recorder, Recorders
from tests.kit.studio import LOUD, Studio
from tests.kit.tones import level_of

pytestmark = pytest.mark.wire

RATE_HZ = 48_000


class Scene:
    """A studio with a recording; ticks run when a test says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.studio = Studio()
        self.position = 100
        self.reports: list[str] = []

    async def open(self) -> None:
        self.writer = RecordWriter(
            self.folder,
            on_problem=lambda recording, text: self.recorders.problem(recording, text),
            on_resumed=lambda recording: self.recorders.resumed(recording),
        )
        self.recorders = Recorders(self.writer)
        await self.writer.start()

    async def recorder(self, stretch: int = 0) -> Recorder:
        self.taps = self.studio.board.taps(
            "room", lambda: self.position, lambda: 1_000_000 + 20 * self.position, self.reports.append
        )
        recorder = self.recorders(self.taps, RecordingSpec("r-1", stretch))
        await recorder.start()
        return recorder

    def run(self, ticks: int, **voices: object) -> None:
        for n in range(ticks):
            self.position += 1
            self.studio.run(1, {name: lambda _, v=voice, n=n: v(n) for name, voice in voices.items()})  # type: ignore[operator, misc]

    async def records(self, stretch: int = 0) -> list[Record]:
        reader = RecordReader(self.folder / "r-1")
        return await asyncio.to_thread(lambda: list(reader.read(stretch)))


def track(records: list[Record], name: str, ticks: int) -> NDArray[np.int16]:
    sound = np.zeros(ticks * 960, np.int16)
    for one in records:
        if isinstance(one, Sound) and one.track == name:
            given = np.frombuffer(one.pcm, "<i2")
            sound[one.tick * 960 : one.tick * 960 + len(given)] = given
    return sound


def first_loud(sound: NDArray[np.int16]) -> float:
    """The tick in which it begins."""
    return int(np.flatnonzero(np.abs(sound.astype(int)) > LOUD / 4)[0]) / 960


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    scene = Scene(tmp_path)
    await scene.open()
    yield scene
    await scene.writer.close()


async def test_everybody_is_kept_apart_and_together_in_step(scene: Scene) -> None:
    ann, bob = await scene.studio.phone("a"), await scene.studio.phone("b")
    recorder = await scene.recorder()
    recorder.joined("a", "Ann")
    recorder.joined("b", "Bob")
    scene.run(20)
    scene.run(60, a=scene.studio.voice(ann, 500))
    scene.run(60, b=scene.studio.voice(bob, 1200))
    recorder.talked("b", True, 40)
    recorder.named("b", "Robert")
    scene.taps.close()
    await recorder.stop("stopped")
    records = await scene.records()
    ended = records[-1]
    assert ended == Ended(140, "stopped")
    assert records[0] == Begun("r-1", "room", 0, 1_000_000 + 20 * 101)
    program, alone = track(records, PROGRAM, 140), track(records, "a", 140)
    assert first_loud(alone) == pytest.approx(first_loud(program), abs=1)
    for sound, there, absent in (
        (track(records, "a", 140), 500, 1200),
        (track(records, "b", 140), 1200, 500),
    ):
        assert np.abs(sound).max() == pytest.approx(LOUD, rel=0.1)
        half = sound[40 * 960 : 70 * 960] if there == 500 else sound[100 * 960 : 130 * 960]
        assert level_of(half, RATE_HZ, there) == pytest.approx(LOUD, rel=0.1)
        assert level_of(half, RATE_HZ, absent) < LOUD / 300
    assert [one for one in records if isinstance(one, Joined | Named | Talked)] == [
        Joined(0, "a", "Ann"), Joined(0, "b", "Bob"), Talked(140, "b", True), Named(140, "b", "Robert"),
    ]  # fmt: skip


async def test_who_comes_late_goes_and_returns_stays_in_step_with_the_program(scene: Scene) -> None:
    recorder = await scene.recorder()
    scene.run(30)
    for at in (30, 130):
        ann = await scene.studio.phone("a")
        recorder.joined("a", "Ann")
        scene.run(60, a=scene.studio.voice(ann, 500))
        await scene.studio.board.disconnect("room", "a", CloseReason.HANGUP)
        recorder.left("a")
        scene.run(40)
        assert scene.position == 100 + at + 100
    scene.taps.close()
    await recorder.stop("conference ended")
    records = await scene.records()
    alone, program = track(records, "a", 230), track(records, PROGRAM, 230)
    for at in (30, 130):
        both = [first_loud(sound[at * 960 : (at + 60) * 960]) for sound in (alone, program)]
        assert both[0] == pytest.approx(both[1], abs=1)
        assert both[0] < 8  # what the playout buffer takes, and no more
    assert not alone[95 * 960 : 130 * 960].any()
    assert [one.tick for one in records if isinstance(one, Left)] == [90, 190]


async def test_the_last_words_before_the_end_are_on_the_disk_when_stop_returns(scene: Scene) -> None:
    ann = await scene.studio.phone("a")
    recorder = await scene.recorder()
    scene.run(57, a=scene.studio.voice(ann, 500))
    scene.taps.close()
    await recorder.stop("stopped")
    sound = track(await scene.records(), PROGRAM, 57)
    assert level_of(sound[-5 * 960 :], RATE_HZ, 500) == pytest.approx(LOUD, rel=0.1)
    assert recorder.look().state == "ended"


async def test_ticks_that_never_ran_are_a_hole_and_not_a_shift(scene: Scene) -> None:
    ann = await scene.studio.phone("a")
    recorder = await scene.recorder()
    scene.run(40, a=scene.studio.voice(ann, 500))
    scene.position += 25
    scene.run(40, a=scene.studio.voice(ann, 500))
    scene.taps.close()
    await recorder.stop("stopped")
    records = await scene.records()
    assert [(one.tick, one.until) for one in records if isinstance(one, Lost)] == [(40, 65)]
    assert records[-1] == Ended(105, "stopped")


async def test_what_goes_wrong_is_reported_and_is_over_when_it_is(scene: Scene) -> None:
    recorder = await scene.recorder()
    scene.run(10)
    scene.recorders.problem("r-1", "the disk is full")
    assert (recorder.look().state, recorder.look().trouble) == ("troubled", "the disk is full")
    scene.recorders.resumed("r-1")
    scene.recorders.problem("r-2", "another's")
    assert recorder.look().state == "running"
    assert scene.reports == ["the disk is full", ""]
    scene.taps.close()
    await recorder.stop("stopped")
    await recorder.stop("stopped")


async def test_a_second_stretch_has_a_log_of_its_own(scene: Scene) -> None:
    for stretch in range(2):
        recorder = await scene.recorder(stretch)
        scene.run(20)
        scene.taps.close()
        await recorder.stop("stopped")
    begun = (await scene.records(1))[0]
    assert isinstance(begun, Begun)
    assert (begun.stretch, begun.began_ms) == (1, 1_000_000 + 20 * 121)
