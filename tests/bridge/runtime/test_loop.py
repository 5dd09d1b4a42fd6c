from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Coroutine
from typing import Any

import pytest

from bridge.runtime.loop import Loop

pytestmark = pytest.mark.e2e

LOW, HIGH = 43_210, 43_213


def on_loop(work: Coroutine[Any, Any, Any], udp_port_range: tuple[int, int] | None = (LOW, HIGH)) -> Any:
    with asyncio.Runner(loop_factory=lambda: Loop(udp_port_range)) as runner:
        return runner.run(work)


async def open_socket(host: str = "127.0.0.1", port: int = 0) -> asyncio.DatagramTransport:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=(host, port)
    )
    return transport


def bound(transport: asyncio.DatagramTransport) -> tuple[str, int]:
    return tuple(transport.get_extra_info("sockname")[:2])


def test_every_socket_gets_a_port_of_the_range_until_it_is_used_up() -> None:
    async def work() -> None:
        opened = [await open_socket() for _ in range(4)]
        assert sorted(bound(one)[1] for one in opened) == [43_210, 43_211, 43_212, 43_213]
        with pytest.raises(OSError) as full:
            await open_socket()
        assert full.value.errno == errno.EADDRINUSE
        free = bound(opened[2])[1]
        opened[2].close()
        await asyncio.sleep(0)  # the socket closes with the next turn of the loop
        again = await open_socket()
        assert bound(again)[1] == free
        for one in (again, *opened):
            one.close()

    on_loop(work())


def test_ports_are_counted_for_each_address_alone() -> None:
    async def work() -> None:
        opened = [await open_socket("127.0.0.1") for _ in range(4)]
        other = await open_socket("127.0.0.2")
        assert bound(other)[0] == "127.0.0.2" and LOW <= bound(other)[1] <= HIGH
        for one in (*opened, other):
            one.close()

    on_loop(work())


def test_port_taken_by_somebody_else_is_passed_over() -> None:
    async def work() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 43_211))
            opened = [await open_socket() for _ in range(3)]
            assert sorted(bound(one)[1] for one in opened) == [43_210, 43_212, 43_213]
            for one in opened:
                one.close()

    on_loop(work())


def test_port_asked_for_and_connected_sockets_are_left_alone() -> None:
    async def work() -> None:
        asked = await open_socket(port=43_300)
        assert bound(asked)[1] == 43_300
        connected, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0), remote_addr=("127.0.0.1", 9)
        )
        assert not LOW <= bound(connected)[1] <= HIGH
        asked.close()
        connected.close()

    on_loop(work())


def test_other_errors_than_a_taken_port_are_told_at_once() -> None:
    async def work() -> None:
        with pytest.raises(OSError) as refused:
            await open_socket("192.0.2.1")
        assert refused.value.errno == errno.EADDRNOTAVAIL

    on_loop(work())


def test_without_a_range_the_kernel_chooses() -> None:
    async def work() -> None:
        opened = await open_socket()
        assert bound(opened)[1] > 0
        opened.close()

    on_loop(work(), None)
