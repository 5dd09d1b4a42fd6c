"""From ticks to chunks: all tracks in step, silence left out, what never ran is lost."""

from __future__ import annotations

import time

import pytest

from bridge.core.clock import Clock
from bridge.outputs.record import FRAME_BYTES, Begun, Joined, Left, Lost, Record, Sound
from bridge.outputs.track_feed import TrackFeed
from tests.kit.clock import ManualClock
from tests.kit.coded_sound import coded, coded_tick, heard_ticks

pytestmark = pytest.mark.unit

SILENCE = bytes(FRAME_BYTES)


class Room:
    """A clock, and the feed of an output that was begun when `before` ticks had been run."""

    def __init__(self, before: int = 100, chunk_ticks: int = 10) -> None:
        self.position = before
        self.before = before
        self.chunks: list[tuple[list[Record], int]] = []
        self.feed = TrackFeed(lambda: self.position, self._put, chunk_ticks=chunk_ticks)

    def _put(self, records: list[Record], until: int) -> None:
        self.chunks.append((records, until))

    def run(self, ticks: int, *tracks: str, silent: bool = False) -> None:
        for _ in range(ticks):
            self.position += 1
            for name in tracks:
                number = self.position - self.before - 1
                self.feed.track(name).send_frame(SILENCE if silent else coded_tick(number), silent, False)

    @property
    def records(self) -> list[Record]:
        return [record for records, _ in self.chunks for record in records]

    @property
    def ends(self) -> list[int]:
        return [until for _, until in self.chunks]


def test_ten_ticks_are_a_chunk_with_one_sound_a_track() -> None:
    room = Room()
    room.run(25, "program", "p1")
    assert room.ends == [10, 20]
    assert room.chunks[0][0] == [Sound("program", 0, coded(0, 10)), Sound("p1", 0, coded(0, 10))]
    assert room.feed.end() == 25
    assert room.ends == [10, 20, 25]
    assert heard_ticks(room.records) == heard_ticks(room.records, "p1") == list(range(25))


def test_live_outputs_have_shorter_chunks() -> None:
    room = Room(chunk_ticks=5)
    room.run(11, "program")
    assert room.ends == [5, 10]


def test_silence_is_left_out_and_what_is_around_it_is_in_its_place() -> None:
    room = Room()
    room.run(3, "program")
    room.run(4, "program", silent=True)
    room.run(2, "program")
    room.run(30, "program", silent=True)
    sounds = [
        (sound.tick, len(sound.pcm) // FRAME_BYTES) for sound in room.records if isinstance(sound, Sound)
    ]
    assert sounds == [(0, 3), (7, 2)]
    assert room.ends == [10, 20, 30]
    assert room.chunks[1] == ([], 20)


def test_a_track_that_comes_late_leaves_and_returns_stays_in_step() -> None:
    room = Room()
    room.run(7, "program")
    room.run(6, "program", "p1")
    room.feed.close_track("p1")
    room.run(20, "program")
    room.run(5, "program", "p1")
    room.feed.end()
    assert heard_ticks(room.records) == list(range(38))
    assert heard_ticks(room.records, "p1") == [*range(7, 13), *range(33, 38)]


def test_ticks_that_never_ran_are_lost_on_every_track() -> None:
    room = Room()
    room.run(8, "program")
    room.position += 17  # the clock was reset
    room.run(4, "program")
    room.feed.end()
    assert [record for record in room.records if isinstance(record, Lost)] == [
        Lost(8, 25, "the server was late")
    ]
    assert heard_ticks(room.records) == [*range(8), *range(25, 29)]
    assert room.ends == [25, 29]


def test_chunks_keep_to_their_grid_after_a_jump() -> None:
    room = Room()
    room.run(5, "program")
    room.position += 30
    room.run(30, "program")
    assert room.ends == [35, 40, 50, 60]


def test_the_clock_of_the_house_and_the_feed_agree_about_catching_up_and_resets() -> None:
    house, clock = ManualClock(), Clock()
    chunks: list[tuple[list[Record], int]] = []
    feed = TrackFeed(lambda: clock.position, lambda records, until: chunks.append((records, until)))
    began = clock.position
    for wait_s in [0.02] * 12 + [0.06] + [0.02] * 9 + [1.0] + [0.02] * 20:
        for _ in range(clock.due(house.advance(wait_s))):
            clock.begin()
            feed.track("program").send_frame(coded_tick(clock.position - began - 1), False, False)
    ticks = feed.end()
    records = [record for records, _ in chunks for record in records]
    lost = [record for record in records if isinstance(record, Lost)]
    assert clock.caught_up == 2 and clock.resets == 1
    assert [record.until - record.tick for record in lost] == [clock.skipped]
    assert len(heard_ticks(records)) + clock.skipped == ticks == clock.position - began


def test_events_are_given_with_their_ticks() -> None:
    room = Room()
    room.feed.tell(Begun("r", "room", 0, 1))
    room.feed.tell(Joined(room.feed.tick, "p1", "Ann"))
    room.run(10, "program")
    room.feed.tell(Left(room.feed.tick, "p1"))  # at tick 10: it belongs to the next chunk
    room.run(1, "program")
    assert room.chunks[0][0][:2] == [Begun("r", "room", 0, 1), Joined(0, "p1", "Ann")]
    assert Left(10, "p1") not in room.records
    room.feed.end()
    assert room.chunks[1] == ([Left(10, "p1"), Sound("program", 10, coded(10, 1))], 11)


def test_what_happens_after_the_last_tick_is_not_lost() -> None:
    room = Room()
    room.run(3, "program")
    room.feed.tell(Left(room.feed.tick, "p1"))
    assert room.feed.end() == 3
    assert room.records[-1] == Left(3, "p1") and room.ends[-1] == 3


def test_a_flush_gives_what_there_is_and_nothing_twice() -> None:
    room = Room()
    room.run(4, "program")
    room.feed.flush()
    room.run(8, "program")
    room.feed.flush()
    assert room.ends == [4, 10, 12]
    assert heard_ticks(room.records) == list(range(12))


def test_nothing_is_taken_after_the_end() -> None:
    room = Room()
    room.run(3, "program")
    assert room.feed.end() == room.feed.end() == 3
    room.run(40, "program")
    room.feed.tell(Left(5, "p1"))
    room.feed.flush()
    assert room.ends == [3]


def test_a_frame_costs_little() -> None:
    position = 0
    feed = TrackFeed(lambda: position, lambda records, until: None)
    sinks = [feed.track(str(number)) for number in range(10)]
    frame = coded_tick(1)
    best = 1.0
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(200):
            position += 1
            for sink in sinks:
                sink.send_frame(frame, False, False)
        best = min(best, (time.perf_counter() - began) / 2000)
    assert best < 5e-6  # it is well below one; the machine is shared
