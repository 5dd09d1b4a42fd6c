from __future__ import annotations

from collections import deque

import pytest

from bridge.legs.plivo_lag import CLEARS_IN_VAIN, LagSettings, Move, PlaybackLag

pytestmark = pytest.mark.unit

SETTINGS = LagSettings(checkpoint_ms=1000, soft_ms=300, trimmed_ms=120, hard_ms=2000)


class FarSide:
    """Plays a frame a tick from its queue; `way` ticks lie between it and us, there and back together."""

    def __init__(self, lag: PlaybackLag, *, queued: int = 0, way: int = 2, tells: bool = True) -> None:
        self.lag = lag
        self.queue: deque[str | None] = deque([None] * queued)
        self.way = way
        self.tells = tells
        self.stalled = False
        self.acks: deque[tuple[int, str]] = deque()
        self.tick = 0
        self.played = 0
        self.cleared = 0
        self.idle = 0

    def run(self, ticks: int, silent: bool = False) -> None:
        for _ in range(ticks):
            self.tick += 1
            move = self.lag.move(silent)
            if move is Move.CLEAR:
                self.queue.clear()
                self.cleared += 1
            if move is not Move.SKIP:
                self.queue.append(None)
                self.lag.sent()
                if self.lag.checkpoint_due():
                    self.queue.append(self.lag.checkpoint("p"))
            if not self.stalled:
                self._play()
            while self.acks and self.acks[0][0] <= self.tick:
                assert self.lag.played(self.acks.popleft()[1])

    def _play(self) -> None:
        if self.queue and self.queue[0] is None:
            self.queue.popleft()
            self.played += 1
        else:
            self.idle += 1
        while self.queue and self.queue[0] is not None:
            name = self.queue.popleft()
            if self.tells and name is not None:
                self.acks.append((self.tick + self.way, name))


def test_nothing_is_known_before_a_checkpoint_was_played() -> None:
    lag = PlaybackLag(SETTINGS)
    FarSide(lag, tells=False).run(1000, silent=True)
    assert lag.backlog_ms is None
    assert (lag.skipped, lag.clears) == (0, 0)


def test_the_backlog_is_what_was_sent_after_the_checkpoint_played() -> None:
    lag = PlaybackLag(SETTINGS)
    FarSide(lag, queued=10, way=2).run(300)
    assert lag.backlog_ms == pytest.approx(12 * 20, abs=20)


def test_a_far_side_on_time_is_left_alone() -> None:
    lag = PlaybackLag(SETTINGS)
    far = FarSide(lag)
    far.run(2000, silent=True)
    assert far.played >= 1999
    assert lag.skipped == 0


def test_a_backlog_above_the_soft_limit_goes_away_in_silence_only() -> None:
    lag = PlaybackLag(SETTINGS)
    far = FarSide(lag, queued=30)
    far.run(500)
    assert lag.skipped == 0
    assert lag.backlog_ms == pytest.approx(640, abs=20)
    far.run(500, silent=True)
    assert 20 <= lag.skipped <= 32
    assert lag.backlog_ms is not None
    assert lag.backlog_ms <= 160
    assert far.idle <= 1


def test_a_backlog_above_the_hard_limit_is_cleared_and_sending_resumes() -> None:
    lag = PlaybackLag(SETTINGS)
    far = FarSide(lag)
    far.run(100)
    far.stalled = True
    far.run(160)
    assert far.cleared == 1
    far.stalled = False
    far.run(300)
    assert far.cleared == 1
    assert far.played > 390
    far.run(300, silent=True)
    assert lag.backlog_ms is not None
    assert lag.backlog_ms <= 300


def test_a_stalled_far_side_shows_before_it_says_anything() -> None:
    lag = PlaybackLag(SETTINGS)
    far = FarSide(lag)
    far.run(100)
    far.stalled = True
    far.run(90)
    assert lag.backlog_ms is not None
    assert 700 <= lag.backlog_ms <= 2000


def test_a_far_side_that_falls_silent_for_good_is_not_cleared_forever() -> None:
    lag = PlaybackLag(SETTINGS)
    far = FarSide(lag)
    far.run(200)
    far.tells = False
    far.run(5000)
    assert far.cleared == CLEARS_IN_VAIN
    assert lag.backlog_ms is None


def test_a_long_way_is_not_taken_for_a_queue() -> None:
    lag = PlaybackLag(SETTINGS)
    far = FarSide(lag, way=25)
    far.run(6000, silent=True)
    assert far.cleared == 0
    assert lag.skipped < 6000 * 0.05


def test_a_queue_behind_a_long_way_is_trimmed_all_the_same() -> None:
    lag = PlaybackLag(SETTINGS)
    far = FarSide(lag, way=20)
    far.run(3000, silent=True)
    far.queue.extend([None] * 60)
    far.run(3000, silent=True)
    assert len(far.queue) < 25


def test_unknown_names_change_nothing_and_skipped_acks_are_made_up_for() -> None:
    lag = PlaybackLag(SETTINGS)
    names = []
    for _ in range(3):
        for _ in range(10):
            lag.move(False)
            lag.sent()
        names.append(lag.checkpoint("p"))
    assert not lag.played("somebody else's")
    assert lag.backlog_ms is None
    assert lag.played(names[1])
    assert not lag.played(names[0])
    assert lag.backlog_ms == 200


def test_checkpoints_come_early_first_and_then_at_their_pace() -> None:
    lag = PlaybackLag(SETTINGS)
    at = []
    for tick in range(200):
        lag.move(False)
        lag.sent()
        if lag.checkpoint_due():
            lag.checkpoint("p")
            at.append(tick)
    assert at == [12, 62, 112, 162]
