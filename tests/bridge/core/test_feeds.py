from __future__ import annotations

import numpy as np
import pytest

from bridge.core.bank import Bank, Stages
from bridge.core.edges import Edges
from bridge.core.feeds import Feed
from bridge.core.gate import Gate, GateSettings
from bridge.core.limiter import Limiter, LimiterSettings
from bridge.core.meter import Meter, MeterSettings
from bridge.core.play_queue import QueuePool
from bridge.core.pool import QueueSettings
from bridge.core.ports import L16_8K
from bridge.core.room import Place, Room
from tests.kit.mixing import wire
from tests.kit.tones import tone

pytestmark = pytest.mark.unit


def place_at(rate_hz: int) -> Place:
    stages = Stages(
        Gate(GateSettings()),
        Meter(MeterSettings()),
        Edges(MeterSettings()),
        Limiter(LimiterSettings(), rate_hz // 50),
    )
    bank = Bank(rate_hz, 2, stages)
    return Place(bank, bank.admit(Room("room")))


def test_row_that_is_given_to_another_input_does_not_sound_on_at_any_rate() -> None:
    pool = QueuePool(L16_8K, QueueSettings())
    feed, now = Feed(pool), 0.0
    row = pool.open()
    feed.plug(row, place_at(16_000), 0)
    pool.play(row, wire(tone(400, 1, 8_000, 8000)))
    for _ in range(5):
        now += 0.02
        pool.take(now)
        feed.frame(row, 16_000)
    feed.unplug(row)
    pool.close(row)
    assert pool.open() == row
    feed.plug(row, place_at(48_000), 0)
    pool.take(now + 0.02)
    assert not np.any(feed.frame(row, 16_000))
    assert not np.any(feed.frame(row, 48_000))
