"""What waits for the disk: bounded, in order, and every tick is in the log or a hole, once."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.outputs.log_queue import LogQueue
from bridge.outputs.record import Begun, Joined, Left, Lost, Named, Record, Sound, Talked
from bridge.outputs.record_log import unpack
from tests.kit.coded_sound import coded_tick, heard_ticks, lost_ticks

pytestmark = pytest.mark.unit

BEGUN = Begun("r", "room", 0, 1)


@dataclass
class Paper:
    """A log that takes what a queue hands over, as the scribe does."""

    batches: list[tuple[int, int, int, list[Record]]] = field(default_factory=list)
    durable: int = 0
    """How many of them survive."""

    def write(self, queue: LogQueue, most: int = 1000) -> None:
        for one in queue.to_send():
            if most == 0:
                return
            if not self.batches or one.sequence > self.batches[-1][0]:
                self.batches.append((one.sequence, one.since, one.until, unpack(queue.payload_of(one))))
            queue.sent(one)
            most -= 1

    def sync(self, queue: LogQueue) -> None:
        self.durable = len(self.batches)
        if self.batches:
            queue.acknowledge(self.batches[-1][0])

    def reopen(self, queue: LogQueue, kept: int) -> None:
        """The scribe died; `kept` of what was not durable had reached the log all the same."""
        del self.batches[self.durable + kept :]
        self.durable = len(self.batches)  # opening a log makes what is in it durable
        sequence, _, until, _ = self.batches[-1] if self.batches else (0, 0, 0, [])
        queue.reopened(sequence, until)

    @property
    def records(self) -> list[Record]:
        return [record for batch in self.batches for record in batch[3]]


def queue_of(**bounds: int) -> LogQueue:
    queue = LogQueue(BEGUN, **bounds)
    queue.put([BEGUN], 0)
    return queue


def say(queue: LogQueue, ticks: int = 1) -> None:
    for _ in range(ticks):
        queue.put([Sound("program", queue.until, coded_tick(queue.until))], queue.until + 1)


def test_what_is_put_is_handed_over_in_order_and_kept_until_it_is_durable() -> None:
    queue, paper = queue_of(), Paper()
    say(queue, 3)
    paper.write(queue)
    assert [batch[:3] for batch in paper.batches] == [(1, 0, 0), (2, 0, 1), (3, 1, 2), (4, 2, 3)]
    assert list(queue.to_send()) == [] and queue.bytes > 3 * 1920
    queue.acknowledge(3)
    assert (queue.acknowledged, queue.durable_until, queue.until) == (3, 2, 3)
    queue.acknowledge(4)
    assert (queue.bytes, queue.holes) == (0, 0)


def test_no_more_is_handed_over_than_the_window_holds() -> None:
    queue, paper = queue_of(window_bytes=3 * 1900), Paper()
    say(queue, 20)
    paper.write(queue)
    assert len(paper.batches) == 1 + 3
    paper.sync(queue)
    paper.write(queue)
    assert len(paper.batches) == 1 + 3 + 3


def test_what_does_not_fit_pushes_out_the_oldest_which_becomes_one_hole() -> None:
    queue, paper = queue_of(max_ticks=10), Paper()
    say(queue, 30)
    paper.write(queue)
    paper.sync(queue)
    assert paper.records[:2] == [BEGUN, Lost(0, 20, "it could not be written")]
    assert heard_ticks(paper.records) == list(range(20, 30))
    assert (queue.holes, queue.lost_ticks) == (1, 20)


def test_the_bound_in_bytes_holds_too() -> None:
    queue = queue_of(max_bytes=20_000)
    for _ in range(100):
        say(queue)
        assert queue.bytes <= 20_000


def test_the_newest_is_never_pushed_out_however_large_it_is() -> None:
    queue, paper = queue_of(max_bytes=1000), Paper()
    say(queue, 3)
    paper.write(queue)
    assert heard_ticks(paper.records) == [2] and lost_ticks(paper.records) == [0, 1]


def test_what_was_handed_over_before_it_was_pushed_out_is_no_hole_when_it_is_acknowledged() -> None:
    queue, paper = queue_of(max_ticks=10), Paper()
    say(queue, 5)
    paper.write(queue)
    say(queue, 8)  # the scribe is frozen; the oldest are pushed out
    paper.sync(queue)
    paper.write(queue)
    paper.sync(queue)
    assert heard_ticks(paper.records) == list(range(13))
    assert (queue.holes, queue.lost_ticks) == (0, 0)


def test_when_the_scribe_dies_with_them_only_what_it_had_not_written_is_a_hole() -> None:
    queue, paper = queue_of(max_ticks=10), Paper()
    say(queue, 8)
    paper.write(queue)
    paper.sync(queue)
    say(queue, 6)
    paper.write(queue)
    say(queue, 12)  # 8…15 are pushed out, of which 8…13 had been handed over
    paper.reopen(queue, kept=3)  # 8, 9 and 10 had reached the log
    paper.write(queue)
    paper.sync(queue)
    assert heard_ticks(paper.records) == [*range(11), *range(16, 26)]
    assert lost_ticks(paper.records) == list(range(11, 16))


def test_who_came_and_went_in_a_hole_is_told() -> None:
    queue, paper = queue_of(max_ticks=5), Paper()
    said: list[Record] = [
        Joined(0, "a", "Ann"), Joined(0, "b", "Bob"), Left(0, "a"), Talked(0, "b", True),
        Named(0, "b", "Rob"), Joined(0, "a", "Ann again"),
    ]  # fmt: skip
    queue.put(said, 1)
    say(queue, 20)
    paper.write(queue)
    assert [one for one in paper.records if not isinstance(one, Sound)] == [
        BEGUN, Lost(0, 16, "it could not be written"), Joined(0, "b", "Bob"), Left(0, "a"),
        Named(0, "b", "Rob"), Joined(0, "a", "Ann again"),
    ]  # fmt: skip


def test_a_hole_that_lasts_for_ever_keeps_what_it_remembers_bounded() -> None:
    queue = queue_of(max_ticks=5)
    for number in range(30_000):
        queue.put([Joined(number, f"p{number % 7}", "Ann"), Left(number, f"p{number % 7}")], number + 1)
    hole = next(queue.to_send())
    assert len(hole.events) <= 10_002
    assert len(unpack(queue.payload_of(hole))) == 1 + 1 + 2 * 7


def test_a_log_that_vanished_is_begun_with_its_hole_and_all_who_are_there() -> None:
    queue, paper = queue_of(), Paper()
    queue.put([Joined(0, "a", "Ann"), Joined(0, "b", "Bob")], 1)
    queue.put([Named(1, "b", "Rob"), Left(1, "a")], 2)
    paper.write(queue)
    paper.sync(queue)
    queue.put([Joined(2, "c", "Cem")], 3)
    fresh = Paper()
    fresh.reopen(queue, kept=0)
    fresh.write(queue)
    fresh.sync(queue)
    assert fresh.records == [
        BEGUN,
        Lost(0, 2, "the log was lost"),
        Joined(1, "b", "Rob"),
        Joined(2, "c", "Cem"),
    ]
    assert (queue.acknowledged, queue.holes, queue.lost_ticks) == (queue.newest, 1, 2)


def test_a_log_that_was_cut_behind_our_back_goes_on_with_a_hole() -> None:
    queue, paper = queue_of(), Paper()
    say(queue, 10)
    paper.write(queue)
    paper.sync(queue)
    paper.durable = 5  # BEGUN and the ticks 0…3
    paper.reopen(queue, kept=0)
    say(queue, 2)
    paper.write(queue)
    assert heard_ticks(paper.records) == [*range(4), 10, 11]
    assert lost_ticks(paper.records) == list(range(4, 10))


class _Step:
    SAY, WRITE, SYNC, DIE = range(4)


@settings(max_examples=300, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), max_size=60),
    max_ticks=st.integers(3, 25),
    window=st.integers(1, 30),
)
def test_whatever_happens_every_tick_is_in_the_log_once_as_sound_or_as_hole(
    steps: list[tuple[int, int]], max_ticks: int, window: int
) -> None:
    queue, paper = queue_of(max_ticks=max_ticks, window_bytes=window * 1900), Paper()
    durable: list[int] = []
    for step, count in steps:
        if step == _Step.SAY:
            say(queue, count)
        elif step == _Step.WRITE:
            paper.write(queue, count)
        elif step == _Step.SYNC:
            paper.sync(queue)
            durable = heard_ticks(paper.records)
        else:
            paper.reopen(queue, kept=count)
        assert queue.bytes <= (max_ticks + 1) * 2000
        assert heard_ticks(paper.records)[: len(durable)] == durable
    paper.reopen(queue, kept=0)
    for _ in range(200):
        paper.write(queue)
        paper.sync(queue)
    told = heard_ticks(paper.records) + lost_ticks(paper.records)
    assert sorted(told) == list(range(queue.until))
    spans = [(since, until) for _, since, until, _ in paper.batches]
    assert [since for since, _ in spans[1:]] == [until for _, until in spans[:-1]]
    assert queue.acknowledged == queue.newest
    # The newest were never pushed out.
    assert set(range(max(0, queue.until - max_ticks), queue.until)) <= set(heard_ticks(paper.records))
