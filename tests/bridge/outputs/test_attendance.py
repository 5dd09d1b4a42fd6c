"""Who was there, from when to when, and for how long each talked."""

from __future__ import annotations

import pytest

from bridge.outputs.attendance import Attendance, Attendee, Present
from bridge.outputs.record import Joined, Left, Named, Record, Talked
from bridge.outputs.stills import Stills
from bridge.outputs.weave import Weaver, woven
from tests.kit.logged import MemoryLog

pytestmark = pytest.mark.unit


def attended(log: MemoryLog) -> dict[str, Attendee]:
    attendance, weaver = Attendance(), Weaver()
    for block in woven(log, weaver):
        attendance.put(block)
    attendance.finish(weaver.tick)
    return {attendee.participant: attendee for attendee in attendance.attendees}


def test_who_comes_goes_and_comes_back_was_there_twice() -> None:
    records: list[Record] = [Joined(3, "a", "Ann"), Left(40, "a"), Joined(60, "a", "Ann")]
    assert attended(MemoryLog().stretch(0, 100, records))["a"].present == [Present(3, 40), Present(60, 100)]


def test_a_pause_ends_presence_and_talk() -> None:
    log = MemoryLog().stretch(0, 100, [Joined(0, "a", "Ann"), Talked(90, "a", True)], "paused")
    log.stretch(5_000, 50, [Joined(0, "a", "Ann"), Joined(10, "b", "Bob")])
    found = attended(log)
    assert found["a"].present == [Present(0, 100), Present(100, 150)]
    assert found["a"].talked_ticks == 10
    assert found["b"].present == [Present(110, 150)]


def test_all_names_are_kept_in_order() -> None:
    records: list[Record] = [
        Joined(0, "a", ""), Named(1, "a", "Ann"), Named(2, "a", "Ann"), Named(3, "a", "Anna")
    ]  # fmt: skip
    assert attended(MemoryLog().stretch(0, 10, records))["a"].names == ["Ann", "Anna"]


def test_who_talks_when_leaving_has_talked_until_then() -> None:
    records: list[Record] = [
        Joined(0, "a", "Ann"), Talked(10, "a", True), Talked(25, "a", False),
        Talked(50, "a", True), Left(70, "a"),
    ]  # fmt: skip
    assert attended(MemoryLog().stretch(0, 100, records))["a"].talked_ticks == 35


def stills(log: MemoryLog) -> Stills:
    found, weaver = Stills(), Weaver()
    for block in woven(log, weaver):
        found.put(block)
    found.finish(weaver.tick)
    return found


def test_the_frame_with_most_participants_and_a_voice_says_most() -> None:
    records: list[Record] = [
        Joined(0, "a", "Ann"), Talked(10, "a", True), Joined(400, "b", "Bob"), Talked(500, "a", False),
        Talked(600, "b", True), Left(1_000, "a"),
    ]  # fmt: skip
    best = stills(MemoryLog().stretch(0, 3_000, records)).best()
    assert [(tile.participant, tile.talking) for tile in best.tiles] == [("a", False), ("b", True)]


def test_what_flashes_by_says_little() -> None:
    records: list[Record] = [Joined(0, "a", "Ann"), Talked(500, "a", True), Talked(502, "a", False)]
    assert stills(MemoryLog().stretch(0, 1_000, records)).best().talking == 0


def test_the_preview_has_a_frame_of_every_part_in_order() -> None:
    records: list[Record] = [Joined(600 * at, f"p{at}", f"P {at}") for at in range(30)]
    found = stills(MemoryLog().stretch(0, 600 * 30, records)).choice(10)
    assert [len(view.tiles) for view in found] == [3, 6, 9, 12, 15, 18, 21, 24, 27, 30]


def test_a_room_in_which_nothing_changes_has_one_frame() -> None:
    found = stills(MemoryLog().stretch(0, 9_000, [Joined(0, "a", "Ann")]))
    assert [len(view.tiles) for view in found.choice()] == [1]
