"""Streams over real sockets: what services in trouble have received is what the books say."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from plivo_stream import PlivoWebsocketStreamingHandler
from websockets.asyncio.server import ServerConnection, serve

from bridge.core.events import FellBehind, LegClosed, LegConnected
from bridge.core.ports import CloseReason, ServiceStream
from bridge.egress.gate import EgressGate, EgressSettings
from bridge.legs.service_leg import ServiceLeg
from bridge.legs.service_legs import ServiceLegs
from bridge.legs.service_settings import ServiceSettings
from bridge.runtime.connect_out import Resolver
from bridge.runtime.ws_dial import Dialler
from tests.kit.services import BEGAN_MS, StreamPort, a_stream

pytestmark = pytest.mark.e2e


class Line:
    """A leg on a real dialler; ticks are as fast as they are asked for."""

    def __init__(self, spec: ServiceStream, **settings: Any) -> None:
        self.port = StreamPort()
        self.ticks = 0
        dialler = Dialler(EgressGate(EgressSettings(allow_private=True), Resolver()))
        legs = ServiceLegs(dialler, lambda: BEGAN_MS + 20 * self.ticks, ServiceSettings(**settings))
        self.spec = spec
        self.leg: ServiceLeg = legs(self.port, spec)

    def tick(self) -> None:
        self.ticks += 1
        frame = self.ticks.to_bytes(2, "little") * (self.spec.call.audio_format.frame_bytes // 2)
        for sink in list(self.port.sinks.values()):
            sink.send_frame(frame, False, False)

    async def run(self, ticks: int, pause_s: float = 0.001) -> None:
        for _ in range(ticks):
            self.tick()
            await asyncio.sleep(pause_s)

    async def run_until(self, true: Callable[[], object], timeout_s: float = 20.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not true():
                await self.run(1)

    @property
    def ends(self) -> list[str]:
        return [event.cause for event in self.port.events if isinstance(event, LegClosed)]

    @property
    def up(self) -> bool:
        return LegConnected() in self.port.events


Serving = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def serving(service: Serving, port: int = 0) -> AsyncIterator[str]:
    async with serve(service, "127.0.0.1", port) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"


@pytest.mark.parametrize("say_stop", [False, True])
async def test_the_vendor_s_handler_has_nothing_to_complain_of(say_stop: bool) -> None:
    errors: list[Exception] = []
    told: list[str] = []
    handler = PlivoWebsocketStreamingHandler()

    @handler.on_error
    async def failed(error: Exception) -> None:
        errors.append(error)

    @handler.on_start
    async def started(event: Any) -> None:
        await handler.send_media(b"\xff" * 800)
        await handler.send_checkpoint("one")
        await handler.send_clear_audio()

    @handler.on_event("playedStream")  # type: ignore[arg-type]
    async def played(event: Any) -> None:
        told.append(event.data["name"])

    @handler.on_dtmf
    async def pressed(event: Any) -> None:
        told.append(event.dtmf.digit)

    @handler.on_cleared_audio
    async def cleared(event: Any) -> None:
        told.append("cleared")

    async with serving(handler.handle) as url:
        spec = a_stream(url=url, bidirectional=True, say_stop=say_stop, headers={"a": "b"})
        line = Line(spec)
        await line.leg.start()
        await line.run_until(lambda: spec.ledger.clears)
        queue = line.port.queue
        assert queue is not None
        assert [kind for kind, _ in queue.said] == ["play", "mark", "clear"]
        queue.sink.played("one")
        queue.sink.cleared(())
        line.leg.press("inbound", "#")
        await line.run_until(lambda: len(told) == 3)
        await line.leg.close(CloseReason.ENDED)
    assert told == ["one", "cleared", "#"]
    # It does not know `stop`, which is why that is only said where it is asked for.
    assert [str(error) for error in errors] == (["Unknown event type: stop"] if say_stop else [])
    book = spec.ledger.tracks["inbound"]
    assert book.captured == book.delivered > 0


async def test_a_service_that_reads_nothing_is_behind_and_then_too_slow() -> None:
    over = asyncio.Event()

    async def stalled(socket_: ServerConnection) -> None:
        socket_.transport.pause_reading()
        await over.wait()
        socket_.transport.abort()

    async with serving(stalled) as url:
        spec = a_stream(url=url)
        line = Line(spec)
        await line.leg.start()
        async with asyncio.timeout(60):
            while not line.ends:
                await line.run(10, 0)
        over.set()
        assert line.ends == ["too slow"]
        percents = [event.percent for event in line.port.events if isinstance(event, FellBehind)]
        assert percents == [30, 60, 90]
        book = spec.ledger.tracks["inbound"]
        assert book.captured == book.lost
        # No more than its own machine swallows, 1 or 2 s of it, is taken for sent.
        assert 2_000 <= book.captured <= 2_110


async def test_a_slow_service_gets_everything_in_the_end() -> None:
    got: list[int] = []

    async def slow(socket_: ServerConnection) -> None:
        async for message in socket_:
            said = json.loads(message)
            if said["event"] == "media":
                got.append(said["media"]["chunk"])
                if len(got) < 30:
                    await asyncio.sleep(0.02)

    async with serving(slow) as url:
        spec = a_stream(url=url)
        line = Line(spec)
        await line.leg.start()
        await line.run(600)
        await line.run_until(lambda: line.leg.look().figures["held_ms"] < 1_500)
        await line.leg.close(CloseReason.ENDED)
    book = spec.ledger.tracks["inbound"]
    assert got == list(range(1, book.captured + 1))
    assert (book.delivered, book.lost) == (book.captured, 0)


async def test_a_flapping_service_gets_everything_over_its_many_connections() -> None:
    connections: list[list[int]] = []

    async def flapping(socket_: ServerConnection) -> None:
        got: list[int] = []
        connections.append(got)
        leave_after = 37 * len(connections)
        async for message in socket_:
            said = json.loads(message)
            assert said["sequenceNumber"] == (1 if said["event"] == "start" else len(got) + 2)
            if said["event"] == "media":
                got.append(said["media"]["chunk"])
            if len(got) == leave_after and len(connections) < 5:
                if len(connections) % 2:
                    await socket_.close(1011)
                else:
                    socket_.transport.abort()
                return

    async with serving(flapping) as url:
        spec = a_stream(url=url, redial=True)
        line = Line(spec, least_pause_s=0.01, most_pause_s=0.05, held_ms=40_000)
        await line.leg.start()
        await line.run_until(lambda: len(connections) == 5)
        await line.run(200)
        await line.leg.close(CloseReason.ENDED)
    book = spec.ledger.tracks["inbound"]
    assert (book.lost, book.delivered) == (0, book.captured)
    assert {chunk for got in connections for chunk in got} == set(range(1, book.captured + 1))
    for got in connections:
        assert got == list(range(got[0], got[0] + len(got))) if got else True
    assert spec.ledger.connects == 5


async def test_a_service_that_comes_up_late_gets_what_was_said_before() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    got: list[int] = []

    async def service(socket_: ServerConnection) -> None:
        async for message in socket_:
            said = json.loads(message)
            if said["event"] == "media":
                got.append(said["media"]["chunk"])

    spec = a_stream(url=f"ws://127.0.0.1:{port}/x", redial=True)
    line = Line(spec, first_pauses_s=(0.02, 0.02), least_pause_s=0.02)
    await line.leg.start()
    await line.run_until(lambda: spec.ledger.attempts > 3)
    async with serving(service, port):
        await line.run_until(lambda: line.up)
        await line.run(100)
        await line.leg.close(CloseReason.ENDED)
    assert got == list(range(1, spec.ledger.tracks["inbound"].captured + 1))


async def test_nobody_there_fails_after_three_attempts_without_the_query_in_the_cause() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spec = a_stream(url=f"ws://127.0.0.1:{port}/x?token=secret", bidirectional=True)
    line = Line(spec, first_pauses_s=(0.02, 0.02))
    await line.leg.start()
    await line.run_until(lambda: line.ends)
    assert line.ends[0].startswith("connect failed: ")
    assert "secret" not in line.ends[0]
    assert spec.ledger.attempts == 3
