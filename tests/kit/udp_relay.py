"""A UDP relay with a bad network on both of its ways, put between a WebRTC client and the bridge."""

from __future__ import annotations

import asyncio
import re
from types import TracebackType
from typing import Any

from tests.kit.browser_peer import Ask
from tests.kit.netem import Netem

Address = tuple[str, int]
_CANDIDATE = re.compile(
    r"a=candidate:\S+ 1 udp \d+ (\d+\.\d+\.\d+\.\d+) (\d+) typ host[^\r\n]*\r\n", re.IGNORECASE
)
_ANY_CANDIDATE = re.compile(r"a=candidate:[^\r\n]*\r\n")


class UdpRelay:
    """`async with UdpRelay() as relay`, `BrowserPeer(relay.between(ask))`; `worsen` starts the faults."""

    def __init__(self) -> None:
        self._bridge: Address | None = None
        self._front: asyncio.DatagramTransport
        self._backs: dict[Address, asyncio.DatagramTransport] = {}
        self._up: Netem | None = None
        self._down: Netem | None = None
        self.passed = 0
        self.lost = 0

    async def __aenter__(self) -> UdpRelay:
        loop = asyncio.get_running_loop()
        self._front, _ = await loop.create_datagram_endpoint(
            lambda: _Ear(self._from_client), local_addr=("0.0.0.0", 0)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._front.close()
        for back in self._backs.values():
            back.close()

    def between(self, ask: Ask) -> Ask:
        """The same, with the relay in place of all candidates of the answer."""

        async def relayed(offer: str) -> str:
            answer = await ask(offer)
            found = _CANDIDATE.search(answer)
            assert found is not None, "the answer names no IPv4 address"
            self._bridge = (found[1], int(found[2]))
            port = self._front.get_extra_info("sockname")[1]
            own = f"a=candidate:1 1 udp 2130706431 {found[1]} {port} typ host\r\n"
            first, *rest = _ANY_CANDIDATE.split(answer)
            return first + own + "".join(rest)

        return relayed

    def worsen(self, up: Netem, down: Netem) -> None:
        """From now on the faults of `up` towards the bridge, of `down` towards the client."""
        self._up, self._down = up, down

    def _from_client(self, packet: bytes, client: Address) -> None:
        back = self._backs.get(client)
        if back is not None:
            self._pass_on(self._up, packet, back, None)
            return
        task = asyncio.ensure_future(self._open_back(client))
        task.add_done_callback(lambda done: self._pass_on(self._up, packet, done.result(), None))

    async def _open_back(self, client: Address) -> asyncio.DatagramTransport:
        loop = asyncio.get_running_loop()
        back, _ = await loop.create_datagram_endpoint(
            lambda: _Ear(lambda packet, sender: self._pass_on(self._down, packet, self._front, client)),
            remote_addr=self._bridge,
        )
        self._backs[client] = back
        return back

    def _pass_on(
        self, faults: Netem | None, packet: bytes, transport: asyncio.DatagramTransport, to: Address | None
    ) -> None:
        loop = asyncio.get_running_loop()
        arrivals = [(loop.time(), packet)] if faults is None else faults.schedule([(loop.time(), packet)])
        self.passed += len(arrivals)
        self.lost += not arrivals
        for at, piece in arrivals:
            loop.call_at(at, _send, transport, piece, to)


def _send(transport: asyncio.DatagramTransport, packet: bytes, to: Address | None) -> None:
    if not transport.is_closing():
        transport.sendto(packet, to)


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, tell: Any) -> None:
        self._tell = tell

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._tell(data, addr)
