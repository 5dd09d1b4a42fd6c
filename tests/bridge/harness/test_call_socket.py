"""A call is over with a service's last word, whether or not it lets go of the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection

from bridge.core.ports import L16_16K
from bridge.harness import Loss, serving
from bridge.harness.faults import FaultyLine
from bridge.harness.line import Line
from bridge.harness.measured_call import MeasuredCall
from bridge.harness.plivo_caller import PlivoCaller

pytestmark = pytest.mark.e2e


def say_goodbye(socket: ServerConnection) -> None:
    socket.protocol.send_close(1000, "bye")
    socket.send_data()


def send_a_masked_frame(socket: ServerConnection) -> None:
    socket.transport.write(bytes.fromhex("8181000000007b"))


def no_line() -> None:
    return None


def a_line() -> Line:
    return FaultyLine([Loss(chance=0.0)], L16_16K)


@pytest.mark.parametrize("line", [no_line, a_line])
@pytest.mark.parametrize(
    ("ends", "end"),
    [
        (say_goodbye, ("bot closed", "1000 bye")),
        (send_a_masked_frame, ("bot failed", "broke a rule of WebSockets, closed with 1002")),
    ],
)
async def test_a_service_that_neither_reads_nor_lets_go_is_not_waited_for(
    ends: Callable[[ServerConnection], None], end: tuple[str, str], line: Callable[[], Line | None]
) -> None:
    stays = asyncio.Event()

    async def converse(socket: ServerConnection) -> None:
        await socket.recv()
        socket.transport.pause_reading()
        ends(socket)
        await stays.wait()
        socket.transport.abort()

    async with serving(converse) as url:
        call = MeasuredCall(PlivoCaller(url, np.zeros(0, np.int16), line=line()))
        async with asyncio.timeout(5):
            result = await call.run()
        stays.set()
    assert (result.end, result.end_detail) == end
