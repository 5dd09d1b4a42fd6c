"""The server's side of a follower: what it is told while files are made, and when they are whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from bridge.outputs.file_making import FileMaking
from bridge.outputs.follow_wire import Finished, FollowPlan
from bridge.outputs.record import FRAME_SAMPLES, Joined
from tests.kit.logged import MemoryLog, sound, write_log

pytestmark = pytest.mark.e2e

ANN = "ann-1"


async def test_each_file_is_told_as_it_is_whole_and_before_the_last(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(-6_000, 6_000, 120 * FRAME_SAMPLES).astype(np.int16)
    records = [Joined(0, ANN, "Ann"), *sound("program", 0, noise), *sound(ANN, 0, noise)]
    write_log(tmp_path, 0, MemoryLog().stretch(1_700_000_000_000, 120, records))
    told: list[str | Finished] = []
    there: list[bool] = []

    def whole(name: str) -> None:
        told.append(name)
        there.append((tmp_path / name).is_file())

    plan = FollowPlan(str(tmp_path), ("wav", "hls-ts"), ("wav",), picture=None, follow=True)
    making = FileMaking("r", plan, on_finished=told.append, on_whole=whole)
    making.go_on()
    making.finish()
    async with asyncio.timeout(20):
        await asyncio.gather(making.whole(), making.whole())
    await making.stop()
    *names, finished = told
    assert names == ["files/program.wav", f"files/{ANN}.wav"] and all(there)
    assert isinstance(finished, Finished) and finished is making.finished
    assert "files/program-hls-ts/000000.ts" in {file.name for file in finished.files}
