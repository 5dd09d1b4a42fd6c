from __future__ import annotations

import numpy as np
import pytest

from bridge.core.ports import CloseReason
from bridge.room_taps import RoomTaps
from bridge.routing import Routing
from tests.kit.studio import LOUD, Studio
from tests.kit.tones import level_of

pytestmark = pytest.mark.unit

RATE_HZ = 48_000


class Ear:
    """Keeps every frame with its tick."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self.frames: list[bytes] = []
        self.silent: list[bool] = []

    def send_frame(self, frame: bytes, silent: bool, late: bool) -> None:
        assert len(frame) == 1920
        self.frames.append(frame)
        self.silent.append(silent)

    def level(self, frequency_hz: float, last: int = 25) -> float:
        sound = np.frombuffer(b"".join(self.frames[-last:]), "<i2")
        return level_of(sound, RATE_HZ, frequency_hz)


def taps_of(studio: Studio) -> RoomTaps:
    return studio.board.taps("room", lambda: 0, lambda: 0, lambda trouble: None)


async def test_the_program_has_everybody_and_a_participants_tap_has_one() -> None:
    studio = Studio()
    ann, bob = await studio.phone("a"), await studio.phone("b")
    program, alone = Ear(studio), Ear(studio)
    taps = taps_of(studio)
    taps.open_program(program)
    taps.open_participant("a", alone)
    studio.run(75, {"a": studio.voice(ann, 500), "b": studio.voice(bob, 1200)})
    assert program.level(500) == pytest.approx(LOUD, rel=0.1)
    assert program.level(1200) == pytest.approx(LOUD, rel=0.1)
    assert alone.level(500) == pytest.approx(LOUD, rel=0.1)
    assert alone.level(1200) < LOUD / 300
    assert len(program.frames) == len(alone.frames) == 75


async def test_the_program_goes_on_while_nobody_is_there() -> None:
    studio = Studio()
    program = Ear(studio)
    taps = taps_of(studio)
    taps.open_program(program)
    studio.run(5)
    ann = await studio.phone("a")
    studio.run(50, {"a": studio.voice(ann, 500)})
    await studio.board.disconnect("room", "a", CloseReason.EXPELLED)
    studio.run(30)
    assert len(program.frames) == 85
    assert program.silent[:5] == [True] * 5
    assert not any(program.silent[30:50])
    assert all(program.silent[-10:])


async def test_a_participant_who_is_not_there_is_silence_and_is_heard_once_he_comes() -> None:
    studio = Studio()
    alone = Ear(studio)
    taps = taps_of(studio)
    taps.open_participant("a", alone)
    studio.run(5)
    assert alone.silent == [True] * 5
    ann = await studio.phone("a")
    studio.run(60, {"a": studio.voice(ann, 500)})
    assert alone.level(500) == pytest.approx(LOUD, rel=0.1)


async def test_a_muted_participant_is_silent_in_both() -> None:
    studio = Studio()
    ann = await studio.phone("a", Routing(muted=True))
    program, alone = Ear(studio), Ear(studio)
    taps = taps_of(studio)
    taps.open_program(program)
    taps.open_participant("a", alone)
    studio.run(50, {"a": studio.voice(ann, 500)})
    assert all(program.silent)
    assert all(alone.silent)


async def test_closed_taps_get_nothing_more_and_the_room_leaves_the_mixer() -> None:
    studio = Studio()
    program, alone = Ear(studio), Ear(studio)
    taps = taps_of(studio)
    taps.open_program(program)
    taps.open_participant("a", alone)
    studio.run(3)
    taps.close_participant("a")
    studio.run(2)
    taps.close()
    studio.run(2)
    assert (len(program.frames), len(alone.frames)) == (5, 3)
    assert studio.bus.figures().rooms == 0
    taps.open_program(program)  # a closed one takes everything and does nothing
    studio.run(2)
    assert len(program.frames) == 5


async def test_taps_survive_that_the_room_moves_to_another_bank_without_a_click() -> None:
    studio = Studio()
    ann = await studio.phone("a")
    program = Ear(studio)
    taps = taps_of(studio)
    taps.open_program(program)
    voice = studio.voice(ann, 500)
    studio.run(50, {"a": voice})
    await studio.browser("b")  # the room's rate rises to 48 kHz
    studio.run(50, {"a": lambda n: voice(n + 50)})
    assert len(program.frames) == 100
    sound = np.frombuffer(b"".join(program.frames[45:55]), "<i2").astype(float)
    assert np.abs(np.diff(sound)).max() < 2.2 * np.pi * 500 / RATE_HZ * LOUD


async def test_a_room_that_closes_ends_its_taps_quietly() -> None:
    studio = Studio()
    program = Ear(studio)
    taps = taps_of(studio)
    taps.open_program(program)
    studio.run(3)
    await studio.board.close_room("room", CloseReason.ENDED)
    studio.run(3)
    taps.close()
    assert len(program.frames) == 3


async def test_levels_are_of_each_participant_alone_and_nothing_of_the_muted() -> None:
    studio = Studio()
    ann, bob = await studio.phone("a"), await studio.phone("b", Routing(muted=True))
    await studio.phone("c")
    taps = taps_of(studio)
    assert taps.levels() == {}, "nobody had a tick yet"
    studio.run(50, {"a": studio.voice(ann, 500), "b": studio.voice(bob, 1200)})
    dbov = 20 * np.log10(LOUD / np.sqrt(2) / 32_767)
    levels = taps.levels()
    assert levels["a"] == pytest.approx((dbov + 60) / 60 * 100, abs=1.5)
    assert {who for who, level in levels.items() if level} == {"a"}
    studio.run(100)
    assert not any(taps.levels().values())
    taps.close()
    assert taps.levels() == {}


async def test_levels_of_a_room_that_is_gone_are_none() -> None:
    studio = Studio()
    taps = taps_of(studio)
    taps.open_program(Ear(studio))
    studio.run(1)
    assert taps.levels() == {}
    await studio.board.close_room("room", CloseReason.ENDED)
    assert taps.levels() == {}
