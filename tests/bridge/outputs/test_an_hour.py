"""An hour of a conference on a manual clock, recorded and made into files: everything stays in step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bridge.core.ports import CloseReason, RecordingSpec
from bridge.outputs.file_making import FileMaking
from bridge.outputs.follow_wire import FollowPlan
from bridge.outputs.record_writer import RecordWriter, WriterSettings
from bridge.outputs.recorder import Recorders
from tests.kit.recorded import RATE_HZ, lag_ms, noise, sounding_s
from tests.kit.spoken_record import until_on_disk
from tests.kit.studio import Phone, Studio

pytestmark = [pytest.mark.wire, pytest.mark.timeout(300)]

HOUR = 3600 * 50
MINUTE = 60 * 50
SPEAKS = 75
"""Ticks, at the beginning of each minute that somebody is there."""


def spoken(who: str, minute: int) -> NDArray[np.int16]:
    """What they say in that minute: never the same twice."""
    return noise(1000 * ord(who[0]) + minute, SPEAKS / 50)


def read(folder: Path, name: str, at_s: float, seconds: float) -> NDArray[np.float32]:
    begin = round(at_s * RATE_HZ)
    sound, _ = soundfile.read(
        folder / f"{name}.wav", dtype="float32", start=begin, stop=begin + round(seconds * RATE_HZ)
    )
    made: NDArray[np.float32] = sound * 32_768
    return made


async def test_an_hour_later_everybody_is_where_they_spoke(tmp_path: Path) -> None:
    studio, position = Studio(), [0]
    writer = RecordWriter(tmp_path, settings=WriterSettings(queue_s=600.0))
    await writer.start()
    taps = studio.board.taps("room", lambda: position[0], lambda: 20 * position[0], lambda trouble: None)
    recorder = Recorders(writer)(taps, RecordingSpec("r", 0))
    await recorder.start()
    there: dict[str, Phone] = {}
    # Bob comes late, is cut off, and comes back.
    comes = {("ann", 0), ("bob", 600 * 50), ("bob", 3000 * 50)}
    goes = {("bob", 1200 * 50 + 17)}
    for tick in range(HOUR):
        for who, _ in [one for one in comes if one[1] == tick]:
            there[who] = await studio.phone(who)
            recorder.joined(who, who.title())
        for who, _ in [one for one in goes if one[1] == tick]:
            await studio.board.disconnect("room", who, CloseReason.HANGUP)
            recorder.left(who)
            del there[who]
        minute, at = divmod(tick, MINUTE)
        position[0] += 1
        if at < SPEAKS:
            for who, leg in there.items():
                frame = spoken_frames(who, minute)[at]
                leg.input.push(frame, studio.now)
        studio.run(1)
        if tick % 10_000 == 0:  # the clock of this test is faster than any disk's
            await until_on_disk(writer, "r", 20)
    taps.close()
    await recorder.stop("stopped")
    await writer.close()
    plan = FollowPlan(
        str(tmp_path / "r"), program=("wav",), participants=("wav",), picture=None, stills=False
    )
    making = FileMaking("r", plan)
    making.go_on()
    assert await making.settled(0, 200), making.trouble
    await making.stop()
    files = tmp_path / "r" / "files"
    assert {soundfile.info(files / f"{name}.wav").frames for name in ("program", "ann", "bob")} == {
        HOUR * 960
    }
    lags: dict[str, list[float]] = {"ann": [], "bob": []}
    for minute in (0, 1, 10, 19, 30, 50, 59):
        for who, found in lags.items():
            alone = read(files, who, 60.0 * minute, 2.5)
            if who == "bob" and not (10 <= minute < 20 or minute >= 50):
                assert not sounding_s(alone).any()
                continue
            said = np.repeat(spoken(who, minute).astype(np.float32), 3)
            found.append(lag_ms(said, alone))
            program = read(files, "program", 60.0 * minute, 2.5)
            assert lag_ms(alone, program) == pytest.approx(0, abs=0.1)
    for found in lags.values():
        assert max(found) - min(found) <= 20.1  # within a tick, an hour long
        assert 0 <= min(found) <= 120  # what a playout buffer takes


_FRAMES: dict[tuple[str, int], list[bytes]] = {}


def spoken_frames(who: str, minute: int) -> list[bytes]:
    """The same in frames of 20 ms at 16 kHz, made once."""
    key = (who, minute)
    if key not in _FRAMES:
        _FRAMES.clear() if len(_FRAMES) > 4 else None
        sound = spoken(who, minute).astype("<i2").tobytes()
        _FRAMES[key] = [sound[at : at + 640] for at in range(0, len(sound), 640)]
    return _FRAMES[key]
