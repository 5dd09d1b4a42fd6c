from __future__ import annotations

import numpy as np
import pytest

from bridge.core import bank_rows
from bridge.core.mixbus import PROGRAM, CoreSettings
from bridge.core.ports import L16_8K, L16_16K, ULAW_8K
from tests.kit.mixing import Desk, wire
from tests.kit.tones import click_score, find_tones, tone

pytestmark = pytest.mark.unit


def talk(desk: Desk, frequency: float = 400) -> tuple[int, int, int]:
    """A caller with a tone, one who hears him, the program, and a tap of him alone."""
    desk.seat("ann").play(wire(tone(frequency, 4, 8_000, 8000)))
    desk.seat("ben")
    return desk.listen("ben"), desk.listen(PROGRAM), desk.listen("ann", solo=True)


@pytest.mark.parametrize("frequency", [300, 437, 1210])
@pytest.mark.parametrize("joins", [L16_16K, "opus"])
def test_tone_goes_on_without_a_click_when_the_rate_rises(frequency: float, joins: object) -> None:
    desk = Desk()
    outlets = talk(desk, frequency)
    desk.run(40)
    if joins == "opus":
        desk.bus.open_slot("room", "cat")
        desk.receive("cat")
    else:
        desk.seat("cat", L16_16K)
    desk.run(40)
    assert desk.bus.look("room").rate_hz == (48_000 if joins == "opus" else 16_000)
    for outlet in outlets:
        sound = desk.heard(outlet)
        assert click_score(sound[800:], 8_000, frequency) < 1
        frames = np.abs(sound[800:].reshape(-1, 160).astype(int)).max(axis=1)
        assert frames.min() > 2000  # never silent, not even where the two ways cancel each other
        assert find_tones(sound[50 * 160 :], 8_000) == {frequency: pytest.approx(8000, rel=0.02)}


def test_rate_rises_step_by_step_up_to_the_highest_and_never_falls() -> None:
    desk = Desk()
    heard, *_ = talk(desk)
    desk.run(30)
    desk.seat("cat", L16_16K)
    desk.run(20)
    outlet = desk.receive("ben")
    desk.run(20)
    desk.bus.close_outlet(outlet)
    desk.bus.close_slot("room", "cat")
    desk.run(20)
    assert desk.bus.look("room").rate_hz == 48_000
    assert click_score(desk.heard(heard)[800:], 8_000, 400) < 1
    assert desk.bus.figures().migrations == 2


def test_room_that_grows_goes_on_sample_by_sample() -> None:
    desk = Desk()
    heard, *_ = talk(desk)
    for guest in range(9):
        desk.run(5)
        desk.seat(f"guest {guest}")
    desk.run(20)
    assert desk.bus.look("room").capacity == 16
    sound = desk.heard(heard)
    start = int(np.flatnonzero(sound)[0])
    expected = np.rint(tone(400, 4, 8_000, 8000)).astype(np.int16)[1:]
    assert np.array_equal(sound[start : start + 8_000], expected[:8_000])


def test_numbers_and_verdicts_move_along() -> None:
    desk = Desk()
    heard, program, tap = talk(desk)
    desk.bus.set_fader("room", "ann", 0.5)
    desk.bus.set_gain("room", "ben", "ann", 0.5)
    desk.run(30)
    before = desk.bus.look("room").slots["ann"]
    desk.bus.open_slot("room", "cat")
    receiver = desk.receive("cat")
    desk.run(1)
    after = desk.bus.look("room").slots["ann"]
    assert (after.talking, before.talking) == (True, True)
    assert after.level_dbov == pytest.approx(before.level_dbov, abs=0.2)
    desk.run(30)
    assert find_tones(desk.heard(heard)[40 * 160 :], 8_000)[400] == pytest.approx(2000, rel=0.02)
    assert find_tones(desk.heard(program)[40 * 160 :], 8_000)[400] == pytest.approx(4000, rel=0.02)
    assert find_tones(desk.heard(tap)[40 * 160 :], 8_000)[400] == pytest.approx(4000, rel=0.02)
    assert len(desk.packets[receiver]) == 31
    assert not [event for event in desk.events[1:]]


def test_leaving_rooms_do_not_disturb_those_that_move_into_their_place() -> None:
    desk = Desk()
    heard, *_ = talk(desk)
    names = [f"room {n}" for n in range(6)]
    for name in names:
        desk.bus.open_room(name)
        desk.bus.open_slot(name, "x")
        desk.bus.open_slot(name, "y")
        desk.bus.open_queue(name, "x", L16_8K).play(wire(tone(900, 4, 8_000, 8000)))
        desk.bus.open_frame_outlet(name, "y", ULAW_8K)
    desk.run(20)
    last = desk.bus.open_frame_outlet(names[-1], "y", L16_8K)
    for name in names[:-1]:
        desk.bus.close_room(name)
        desk.run(4)
    desk.bus.open_slot("room", "cat")
    desk.bus.open_slot("room", "dan")
    desk.run(10)
    sound = np.frombuffer(b"".join(desk.frames[last]), np.int16)
    assert click_score(sound[160:], 8_000, 900) < 0.2
    assert click_score(desk.heard(heard)[800:], 8_000, 400) < 0.2


def test_fader_that_moves_in_the_same_tick_as_the_room_makes_no_click() -> None:
    desk = Desk()
    heard, *_ = talk(desk)
    desk.run(40)
    desk.bus.set_fader("room", "ann", 0.3)
    desk.bus.set_gain("room", "ben", "ann", 0.7)
    desk.bus.open_slot("room", "cat")
    desk.receive("cat")
    desk.run(40)
    assert click_score(desk.heard(heard)[800:], 8_000, 400) < 1


def test_opus_may_run_at_a_lower_rate_and_still_goes_on_when_that_rises() -> None:
    desk = Desk(CoreSettings(opus_rate_hz=8_000))
    talk(desk)
    receiver = desk.receive("ben")
    desk.run(40)
    assert desk.bus.look("room").rate_hz == 8_000
    desk.seat("cat", L16_16K)
    desk.run(40)
    assert desk.bus.look("room").rate_hz == 16_000
    sound = desk.decoded(receiver)
    assert len(sound) == 80 * 960
    assert find_tones(sound[:38400][9600:], 48_000)[400] == pytest.approx(8000, rel=0.05)
    assert find_tones(sound[50 * 960 :], 48_000)[400] == pytest.approx(8000, rel=0.05)
    assert click_score(sound[9600:], 48_000, 400) < 0.5


def test_rooms_that_do_not_fit_into_a_bank_get_another_one(monkeypatch) -> None:
    monkeypatch.setattr(bank_rows, "_SLOTS", 8)
    desk = Desk()
    outlets = {}
    for number in range(15):
        name = f"room {number}"
        desk.bus.open_room(name)
        for slot in ("x", "y"):
            desk.bus.open_slot(name, slot)
        frequency = 300 + 100 * number
        desk.bus.open_queue(name, "x", L16_8K).play(wire(tone(frequency, 4, 8_000, 8000)))
        outlets[name] = (frequency, desk.bus.open_frame_outlet(name, "y", L16_8K))
    desk.run(20)
    assert desk.bus.figures().banks == 4
    for number in (0, 1, 5, 14):
        desk.bus.close_room(f"room {number}")
        del outlets[f"room {number}"]
    for number in (2, 3, 4):
        desk.bus.open_slot(f"room {number}", "z")  # and into a bank of another size
    desk.run(30)
    for frequency, outlet in outlets.values():
        sound = np.frombuffer(b"".join(desk.frames[outlet][5:]), np.int16)
        assert find_tones(sound, 8_000) == {frequency: pytest.approx(8000, rel=0.01)}
        assert click_score(sound, 8_000, frequency) < 0.2
