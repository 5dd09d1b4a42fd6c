"""Players whose surroundings change under them: the kind of their source, what the system grants."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from bridge.switch_events import LegDown, LegInterruptedOn
from tests.kit.player_tapes import LiveTape, Shelf, Tape
from tests.kit.players import FakeDemuxer, player_house

pytestmark = pytest.mark.unit


async def test_a_source_that_has_become_live_is_watched_too() -> None:
    live = LiveTape()
    async with player_house(open_supply=Shelf(Tape(["aaaa"], ends=False), live)) as house:
        leg = await house.player(url="http://x/y")
        await house.go(30)
        assert LegInterruptedOn("room", "player", "it broke off") in house.events
        while leg.look().figures["opened"] < 2:
            await house.wait(0.5)
        live.coming.put_nowait("b")
        await house.go(5)
        assert leg.state == "connected"
        await house.wait(4)
        assert house.events[-1] == LegInterruptedOn("room", "player", "nothing comes")


class NoProcess(FakeDemuxer):
    """The system grants none."""

    async def start(self) -> None:
        raise BlockingIOError(errno.EAGAIN, "")


async def test_no_process_for_now_is_tried_again_and_told() -> None:
    def begin(arguments: object, *, on_message: Any, on_exit: Any) -> NoProcess:
        return NoProcess(on_message, on_exit)

    async with player_house(open_supply=Shelf(Tape(["a"])), begin=begin) as house:
        await house.player(file="x")
        await house.wait(20)
        await house.go(5)
        why = "no process could be begun to decode it: Resource temporarily unavailable"
        assert house.events[-1] == LegDown("room", "player", why)
        assert house.players.figures().ends == {"failed": 1}
