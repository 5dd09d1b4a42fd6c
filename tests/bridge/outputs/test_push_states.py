"""What a push says of itself, with an encoder and a relay that do what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bridge.errors import BadInput, BridgeError
from bridge.outputs import live_push
from bridge.outputs.back_off import BackOff
from bridge.outputs.live_encoder import LiveTarget
from bridge.outputs.live_push import LivePush
from bridge.outputs.live_wire import AddPush, Closed, Marked, Publishing, PushEnded, PushLook, PushSpec

pytestmark = pytest.mark.unit

URL = "rtmp://media.example/live/key?a=b"


class Relay:
    """`ends` with a reason; bytes are what the test says."""

    def __init__(self) -> None:
        self.bytes_out = 0
        self.connected = True
        self.ends: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed = 0
        self.breaks: Exception | None = None

    async def open(self) -> int:
        if self.breaks is not None:
            raise self.breaks
        return 4_321

    async def carry(self) -> None:
        await self.ends

    def close(self) -> None:
        self.closed += 1


class Encoder:
    """Keeps its orders."""

    def __init__(self) -> None:
        self.orders: list[AddPush] = []
        self.removed: list[str] = []
        self.takes = True
        self.marks: list[Marked] = []
        self._target: LiveTarget

    def add(self, name: str, target: LiveTarget) -> None:
        self._target = target
        assert target.order() is None

    def order(self, name: str) -> bool:
        order = self._target.order()
        assert isinstance(order, AddPush)
        self.orders.append(order)
        return self.takes

    def remove(self, name: str) -> None:
        self.removed.append(name)

    def mark(self, marked: Marked) -> bool:
        self.marks.append(marked)
        return self.takes


class Desk:
    def __init__(self) -> None:
        self.encoder = Encoder()
        self.relays: list[Relay] = []
        self.troubles: list[str] = []
        self.breaks: Exception | None = None
        self.push = LivePush(
            "push", PushSpec(), URL, self.encoder, self._relay,
            on_trouble=self.troubles.append, back_off=BackOff(0.001, 0.002),
        )  # fmt: skip

    def _relay(self, url: str) -> Relay:
        assert url == URL
        self.relays.append(Relay())
        self.relays[-1].breaks = self.breaks
        return self.relays[-1]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():  # noqa: ASYNC110 - the push works on the same loop
                await asyncio.sleep(0.001)

    async def attempt(self, number: int) -> Relay:
        await self.until(lambda: len(self.encoder.orders) >= number)
        return self.relays[-1]

    async def end(self) -> None:
        stopping = asyncio.ensure_future(self.push.stop(1.0))
        await self.until(lambda: self.encoder.removed == ["push"])
        self.push.told(Closed("push"))
        await stopping
        assert self.push.look().state == "ended"


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_push, "_LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(live_push, "_REASON_WITHIN_S", 0.02)


async def test_it_orders_with_path_and_query_and_goes_on_from_its_base() -> None:
    desk = Desk()
    desk.push.start()
    relay = await desk.attempt(1)
    order = desk.encoder.orders[0]
    assert (order.port, order.path, order.base, order.attempt) == (4_321, "/live/key?a=b", None, 1)
    assert desk.push.order() is None, "a port is given once"
    desk.push.told(Publishing("push", 1, 96_000))
    assert desk.push.look().state == "running"
    relay.ends.set_exception(BridgeError("the peer closed the connection"))
    await desk.attempt(2)
    assert desk.troubles == ["the peer closed the connection"]
    assert desk.push.look().state == "troubled"
    assert (desk.encoder.orders[1].attempt, desk.encoder.orders[1].base) == (2, 96_000)
    desk.push.told(PushEnded("push", 1, "of the one before"))
    desk.push.told(Publishing("push", 2, 96_000))
    assert desk.troubles[-1] == "" and desk.push.look().state == "running"
    await desk.end()


async def test_a_peer_that_takes_nothing_is_trouble_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_push, "STALLED_S", 0.05)
    desk = Desk()
    desk.push.start()
    relay = await desk.attempt(1)
    desk.push.told(Publishing("push", 1, 0))
    await desk.until(lambda: desk.push.look().state == "troubled")
    await desk.until(lambda: desk.troubles == ["the peer does not read what it is sent"])
    relay.bytes_out = 5_000
    await desk.until(lambda: desk.push.look().state == "running")
    assert desk.push.look().figures["bytes"] == 5_000
    desk.push.told(PushLook("push", 1, 5_000, 0, 0, unread_ms=4_000))
    assert desk.push.look().state == "troubled", "it does not say that it reads"
    await desk.end()


async def test_what_is_left_out_is_told_and_counted_over_all_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_push, "DROPPED_S", 0.05)
    desk = Desk()
    desk.push.start()
    relay = await desk.attempt(1)
    desk.push.told(Publishing("push", 1, 0))
    desk.push.told(PushLook("push", 1, 100, 4_000, 5_000, 0))
    await desk.until(lambda: desk.troubles == ["the peer takes less than it is sent: some of it is left out"])
    assert desk.push.look().figures["waiting_ms"] == 4_000
    desk.push.told(PushLook("push", 1, 200, 0, 5_000, 0))
    await desk.until(lambda: desk.troubles[-1] == "")
    relay.ends.set_exception(BridgeError("gone"))
    await desk.attempt(2)
    desk.push.told(PushLook("push", 2, 200, 0, 1_000, 0))
    assert desk.push.look().figures["dropped_seconds"] == 6.0
    await desk.end()


async def test_what_the_peer_said_counts_more_than_what_it_did() -> None:
    desk = Desk()
    desk.push.start()
    relay = await desk.attempt(1)
    relay.ends.set_result(None)
    desk.push.told(PushEnded("push", 1, "the peer refused it: NetStream.Publish.BadName"))
    await desk.attempt(2)
    assert desk.troubles == ["the peer refused it: NetStream.Publish.BadName"]
    desk.relays[-1].ends.set_exception(BridgeError("the peer closed the connection"))
    desk.push.told(PushEnded("push", 2))
    await desk.attempt(3)
    assert desk.troubles[-1] == "the peer closed the connection, and had not taken the stream"
    desk.relays[-1].ends.set_exception(RuntimeError(f"something about {URL}"))
    await desk.attempt(4)
    assert desk.troubles[-1] == "the relay failed (RuntimeError)"
    desk.relays[-1].ends.set_result(None)
    await desk.attempt(5)
    assert desk.troubles[-1] == "the live encoder ended"
    desk.encoder.takes = False
    desk.relays[-1].ends.set_result(None)
    await desk.until(lambda: desk.troubles[-1] == "the live encoder is being begun again")
    await desk.end()


async def test_one_that_cannot_be_is_not_tried_again() -> None:
    desk = Desk()
    desk.push.start()
    await desk.attempt(1)
    desk.push.told(Closed("push", "7 pictures a second are not possible"))
    await desk.until(lambda: desk.troubles == ["7 pictures a second are not possible"])
    await asyncio.sleep(0.02)  # longer than the pause between two attempts
    assert len(desk.relays) == 1 and desk.push.look().state == "troubled"
    await desk.push.stop(1.0)
    assert desk.push.look().state == "ended"


async def test_an_encoder_that_says_nothing_does_not_hold_up_the_end() -> None:
    desk = Desk()
    desk.push.start()
    await desk.attempt(1)
    await desk.push.stop(0.02)
    assert desk.push.look().state == "ended" and desk.relays[0].ends.cancelled()


async def test_what_nobody_thought_of_is_told_without_its_words_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()
    desk.breaks = RuntimeError(f"something about {URL}")
    desk.push.start()
    await desk.until(lambda: len(desk.relays) >= 3)
    assert desk.troubles == ["publishing broke (RuntimeError)"] and desk.push.state == "troubled"
    assert "in open" in caplog.text and "key" not in caplog.text
    desk.breaks = None
    await desk.attempt(1)
    desk.push.told(Publishing("push", 1, 0))
    assert desk.push.state == "running"
    await desk.end()


async def test_a_relay_is_closed_whatever_became_of_it() -> None:
    desk = Desk()
    desk.encoder.takes = False
    desk.push.start()
    await desk.until(lambda: len(desk.relays) >= 3)
    assert [relay.closed for relay in desk.relays[:2]] == [1, 1], "also one that was never carried"
    desk.encoder.takes = True
    await desk.attempt(len(desk.encoder.orders) + 1)
    await desk.end()
    assert all(relay.closed for relay in desk.relays)


async def test_it_is_marked_only_while_somebody_gets_it() -> None:
    desk = Desk()
    with pytest.raises(BadInput, match="not published"):
        desk.push.mark(7, "vote", 0.0)
    desk.push.start()
    relay = await desk.attempt(1)
    with pytest.raises(BadInput, match="not published"):
        desk.push.mark(7, "vote", 0.0)
    desk.push.told(Publishing("push", 1, 0))
    desk.push.mark(8, "vote", 1.5)
    assert desk.encoder.marks == [Marked("push", 8, "vote", 1.5)]
    desk.encoder.takes = False
    with pytest.raises(BadInput, match="not published"):
        desk.push.mark(9, "vote", 0.0)
    desk.encoder.takes = True
    relay.ends.set_result(None)
    await desk.attempt(2)
    with pytest.raises(BadInput, match="not published"):
        desk.push.mark(10, "vote", 0.0)
    await desk.end()
