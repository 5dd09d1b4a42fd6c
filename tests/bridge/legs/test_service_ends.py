"""How streams to services end, and what becomes of what is still held then."""

from __future__ import annotations

import asyncio

import pytest

from bridge.core.events import LegConnected
from bridge.core.ports import (
    CloseReason,
    Gap,
)
from tests.kit.services import BEGAN_MS, FarSide, StreamStage, settle, two_way

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("code", "cause"), [
    (1000, "service closed"), (1001, "service closed"), (1005, "service closed"), (4000, "service closed"),
    (1006, "connection lost"), (1011, "connection lost"), (1009, "connection lost"),
])  # fmt: skip
async def test_the_far_side_ends_the_stream(code: int, cause: str) -> None:
    stage = two_way()
    far = await stage.connect()
    stage.run(60)
    far.lose(code)
    assert stage.closed == [cause]
    book = stage.ledger.tracks["inbound"]
    # Confirmed once, after a second; what came later may have arrived or not.
    assert (book.captured, book.delivered, book.lost) == (60, 50, 10)
    assert book.gaps == [Gap(BEGAN_MS + 20 * 51, BEGAN_MS + 20 * 61)]
    stage.check()
    await stage.leg.close(CloseReason.FAILED)
    assert stage.legs.figures().ends == {cause: 1}
    assert len(stage.dial.attempts) == 1


async def test_one_way_without_redial_ends_with_its_connection() -> None:
    stage = StreamStage()
    far = await stage.connect()
    far.lose()
    assert stage.closed == ["connection lost"]
    assert stage.timers.delays == []


async def test_its_time_is_up_so_long_after_the_first_connection() -> None:
    stage = two_way(timeout_s=30.0)
    await stage.start()
    stage.run(1000)
    far = await stage.connect()
    stage.run(1499)
    assert stage.closed == []
    stage.run(2)
    assert far.close_calls == [(1000, "stream timeout")]
    assert stage.closed == ["stream timeout"]
    assert far.events("stop") == []
    book = stage.ledger.tracks["inbound"]
    assert book.captured == book.delivered
    assert stage.ledger.ended_at is not None
    assert stage.ledger.connected_at is not None
    assert stage.ledger.ended_at - stage.ledger.connected_at == pytest.approx(30, abs=0.05)


@pytest.mark.parametrize("reason", list(CloseReason))
@pytest.mark.parametrize("say_stop", [False, True])
async def test_closing_says_goodbye_and_all_was_delivered(reason: CloseReason, say_stop: bool) -> None:
    stage = two_way(say_stop=say_stop)
    far = await stage.connect()
    stage.run(30)
    closing = asyncio.create_task(stage.leg.close(reason))
    await settle()
    assert not closing.done()
    far.flow()
    await closing
    codes = {CloseReason.RESTART: 1012, CloseReason.FAILED: 1011}
    assert far.close_calls == [(codes.get(reason, 1000), reason.value)]
    assert [message["event"] for message in far.messages][-1] == ("stop" if say_stop else "media")
    assert stage.ledger.tracks["inbound"].delivered == 30
    assert stage.closed == []
    assert stage.port.sinks == {}
    assert stage.port.queue is None
    assert stage.timers.delays == []
    await stage.leg.close(reason)
    stage.check()
    assert stage.legs.figures().ends == {"closed": 1}


async def test_a_good_deal_that_is_held_is_still_sent_at_the_end_if_that_is_quick() -> None:
    stage = await StreamStage().start()
    stage.run(1_000)
    far = await stage.connect()
    closing = asyncio.create_task(stage.leg.close(CloseReason.ENDED))
    await settle()
    far.flow()
    await closing
    assert [media["chunk"] for media in far.media()] == list(range(1, 1_001))
    assert stage.ledger.tracks["inbound"].delivered == 1_000


async def test_a_goodbye_lasts_no_longer_than_a_second() -> None:
    stage = StreamStage()
    far = await stage.connect()
    stage.run(5)
    far.stalled = True
    stage.run(100)
    closing = asyncio.create_task(stage.leg.close(CloseReason.EXPELLED))
    await settle()
    await stage.wait(0.9)
    assert not closing.done()
    await stage.wait(0.2)
    await closing
    book = stage.ledger.tracks["inbound"]
    assert (book.captured, book.delivered, book.lost) == (105, 0, 105)
    assert far.close_calls == [(1000, "expelled")]
    stage.check()


@pytest.mark.parametrize("code", [1006, 1011])
async def test_a_connection_that_dies_during_the_goodbye_confirms_nothing(code: int) -> None:
    stage = two_way()
    far = await stage.connect()
    stage.run(30)
    closing = asyncio.create_task(stage.leg.close(CloseReason.ENDED))
    await settle()
    far.lose(code)
    await closing
    book = stage.ledger.tracks["inbound"]
    assert (book.delivered, book.lost) == (0, 30)
    assert stage.closed == []
    stage.check()


async def test_closing_a_leg_that_dials_ends_the_attempt() -> None:
    stage = await StreamStage().start()
    stage.run(3)
    await stage.leg.close(CloseReason.ENDED)
    await settle()
    assert stage.dial.attempts[0].answer.cancelled()
    assert stage.ledger.tracks["inbound"].lost == 3
    stage.check()
    far = FarSide(stage.dial.attempts[0].caller)
    far.caller.opened(far)  # it had just come through
    assert far.close_calls == [(1000, "")]
    assert LegConnected() not in stage.port.events


async def test_a_leg_never_started_can_be_closed() -> None:
    stage = StreamStage()
    await stage.leg.close(CloseReason.FAILED)
    assert stage.legs.figures().states == {}
