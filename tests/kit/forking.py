"""A conference on a server that may reach this machine: a phone and a browser to be streamed to services."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.core.ports import L16_16K
from bridge.harness.plivo_caller import PlivoCaller
from bridge.harness.sound import Samples
from bridge.harness.witness import Witness
from tests.kit.browser_peer import BrowserPeer, Heard, Tone, ask_over_http
from tests.kit.ears import AMPLITUDE, Sound, hears, phone, until
from tests.kit.plivo_account import PlivoAccount
from tests.kit.running_bridge import RunningBridge

ANNA, CLEO = 440, 700
"""Tones of the phone (L16 at 16 kHz) and of the browser, in hertz."""
REACHES_ALL = {"MEDIABRIDGE_EGRESS_ALLOW_PRIVATE": "true", "MEDIABRIDGE_DRAIN_SECONDS": "0"}


@contextlib.asynccontextmanager
async def forking_bridge(folder: Path, **settings: str) -> AsyncIterator[RunningBridge]:
    """A server; at its end it must not have complained about itself."""
    async with RunningBridge(folder, REACHES_ALL | settings) as running:
        yield running
    assert "Traceback" not in running.log, running.log[-4000:]
    assert running.process is not None and running.process.returncode == 0


class Received(Witness):
    """What a phone was sent, as it came, whatever it made of it."""

    def __init__(self, caller: PlivoCaller) -> None:
        """The call has not been dialled yet."""
        self.caller = caller
        self.frames: list[Samples] = []
        self.times: list[float] = []
        """On the loop's clock."""
        caller.witnesses = (*caller.witnesses, self)

    def queued(self, samples: Samples) -> None:
        self.frames.append(samples)
        self.times.append(asyncio.get_running_loop().time())

    def since(self, frame: int) -> Sound:
        return Sound.of(np.concatenate(self.frames[frame:]), self.caller.format.rate_hz)

    def levels(self, frequency_hz: float, since: int = 0) -> NDArray[np.float64]:
        """The tone's amplitude in each frame (which should hold whole waves of it)."""
        return levels_of(np.stack(self.frames[since:]), self.caller.format.rate_hz, frequency_hz)


def levels_of(frames: Samples, rate_hz: int, frequency_hz: float) -> NDArray[np.float64]:
    """A tone's amplitude in each of int16 [n, S], if whole waves of it fit into S."""
    turning = np.exp(-2j * np.pi * frequency_hz / rate_hz * np.arange(frames.shape[1]))
    return np.asarray(2 * np.abs(frames.astype(np.float64) @ turning) / frames.shape[1])


@dataclass
class ForkedCall:
    """A phone and a browser in a conference, connected."""

    bridge: RunningBridge
    account: PlivoAccount
    conference: str
    anna: PlivoCaller
    anna_id: str
    sent_to_anna: Received
    cleo: Heard
    cleo_id: str
    cleo_tone: Tone

    @property
    def anna_call(self) -> str:
        """What the phone itself calls its call."""
        return self.anna.call.call_id


@contextlib.asynccontextmanager
async def forked_call(bridge: RunningBridge) -> AsyncIterator[ForkedCall]:
    """Opens the conference and connects both; hangs up at the end."""
    conference = await bridge.open_conference("Forked")
    people = {name: await bridge.invite(conference, name) for name in ("Anna", "Cleo")}
    async with AsyncExitStack() as stack:
        cleo = people["Cleo"]
        peer = await stack.enter_async_context(BrowserPeer(ask_over_http(cleo.uri, cleo.token)))
        tone = Tone(CLEO, AMPLITUDE)
        heard = peer.heard[await peer.join_plain(tone)]
        anna = phone(people["Anna"].stream_url, ANNA, L16_16K)
        received = Received(anna)
        await stack.enter_async_context(anna)
        await until(lambda: all_online(bridge, conference, 2))
        yield ForkedCall(
            bridge, PlivoAccount(bridge), conference, anna, people["Anna"].id, received, heard, cleo.id, tone
        )


async def all_online(bridge: RunningBridge, conference: str, number: int) -> bool:
    """Whether so many are there, and connected."""
    people = await bridge.participants(conference)
    return len(people) == number and all(one["online"] for one in people.values())


async def ticks_skipped(bridge: RunningBridge) -> int:
    """Ticks that this busy machine never ran: each is a lost frame of every stream."""
    return round(await bridge.metric("ticks_total", '{outcome="skipped"}'))


async def completed(
    account: PlivoAccount, call_uuid: str, stream: str, timeout: float = 15
) -> dict[str, Any]:
    """The stream as it ended, with its books closed: a service has a moment yet for what is on its way."""
    looked: dict[str, Any] = {}

    async def over() -> bool:
        looked.update(await account.look(call_uuid, stream))
        closed = looked["captured"] == looked["delivered"] + looked["lost"]
        return bool(looked["status"] == "completed" and closed)

    await until(over, timeout)
    return looked


async def goes_on(call: ForkedCall) -> None:
    """Both hear each other."""
    await asyncio.gather(hears(call.anna, CLEO, but_not=(ANNA,)), hears(call.cleo, ANNA, but_not=(CLEO,)))
