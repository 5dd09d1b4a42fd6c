from __future__ import annotations

import numpy as np
import pytest

from bridge.core.room import PROGRAM, Room, UnknownName

pytestmark = pytest.mark.unit


def room_of(*names: str) -> Room:
    room = Room("room")
    for name in names:
        room.open_slot(name, ())
    return room


def test_everybody_hears_everybody_but_himself_and_the_program_has_all() -> None:
    gains = room_of("a", "b", "c").gains
    assert gains.shape == (5, 4)
    assert np.array_equal(gains[:3, :3], 1 - np.eye(3))
    assert gains[4].tolist() == [1, 1, 1, 0]
    assert not gains[3].any() and not gains[:, 3].any()


def test_growing_keeps_every_number_and_the_program_row_stays_last() -> None:
    room = room_of("a", "b")
    room.set_gain("a", "b", 0.25)
    room.set_gain(PROGRAM, "a", 0.5)
    room.set_fader("b", 2)
    for name in "cdefghi":
        room.open_slot(name, ())
    assert room.capacity == 16
    assert room.gains.shape == (17, 16)
    assert room.gains[0, 1] == 0.25
    assert room.gains[16].tolist() == [0.5] + [1] * 8 + [0] * 7
    assert room.faders.tolist() == [1, 2] + [1] * 7 + [0] * 7


def test_index_of_a_closed_slot_is_used_again_without_its_numbers() -> None:
    room = room_of("a", "b", "c")
    room.set_gain("c", "b", 0.25)
    room.close_slot("b", fading=False)
    assert not room.gains[1].any() and not room.gains[:, 1].any() and room.faders[1] == 0
    slot = room.open_slot("d", ["a"])
    assert slot.index == 1
    assert room.gains[:, 1].tolist() == [0, 0, 1, 0, 1]
    assert room.gains[1].tolist() == [0, 0, 1, 0]


def test_index_that_fades_out_rests_until_it_is_done() -> None:
    room = room_of("a", "b")
    slot = room.slot("b")
    assert not room.rested(slot)
    room.close_slot("b", fading=True)
    assert room.gains[0, 1] == 1
    assert room.open_slot("c", ()).index == 2
    assert room.rested(slot)
    assert room.gains[0, 1] == 0 and room.faders[1] == 0
    assert room.open_slot("d", ()).index == 1


def test_slot_that_cannot_be_opened_leaves_no_trace() -> None:
    room = room_of("a")
    before = room.gains.copy()
    with pytest.raises(UnknownName):
        room.open_slot("b", ["nobody"])
    with pytest.raises(ValueError):
        room.open_slot("a", ())
    assert np.array_equal(room.gains, before) and list(room.slots) == ["a"]


def test_unknown_name_says_what_is_unknown() -> None:
    with pytest.raises(UnknownName) as caught:
        room_of("a").slot("b")
    assert str(caught.value) == "room 'room' has no slot 'b'"
