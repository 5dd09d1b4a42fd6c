"""A stream published by RTMP, in the server: relays opened, the encoder ordered, and again when it fails."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable
from typing import Literal, Protocol

from bridge.core.ports import OutputLook, OutputState
from bridge.errors import BadInput, BridgeError, frames_of
from bridge.outputs.back_off import BackOff, Failures
from bridge.outputs.live_encoder import LiveTarget
from bridge.outputs.live_wire import (
    AddPush,
    Closed,
    Event,
    Marked,
    Publishing,
    PushEnded,
    PushLook,
    PushSpec,
)

log = logging.getLogger(__name__)

BACK_OFF = BackOff(first_s=1.0, most_s=30.0, forget_s=30.0)
STALLED_S = 3.0
"""A peer that has taken nothing for so long is shown as stalled; its relay gives it up later."""
DROPPED_S = 10.0
"""So long it is in trouble after something was left out."""
_LOOK_EVERY_S = 1.0
_REASON_WITHIN_S = 1.0
"""The encoder's word and the relay's come on different ways."""


class Relay(Protocol):
    """One connection through this server to where the stream belongs; see `bridge.runtime.rtmp_relay`."""

    bytes_out: int
    connected: bool

    async def open(self) -> int:
        """Listen for one connection on a port of this machine. Raises OSError."""

    async def carry(self) -> None:
        """Until one side ends. Raises BridgeError with a reason that holds nothing secret."""

    def close(self) -> None:
        """It is over, whether or not it was ever carried."""


Relays = Callable[[str], Relay]
"""A relay to a URL."""


class Orders(Protocol):
    """What is needed of the room's live encoder."""

    def add(self, name: str, target: LiveTarget) -> None: ...

    def order(self, name: str) -> bool: ...

    def remove(self, name: str) -> None: ...

    def mark(self, marked: Marked) -> bool: ...


class LivePush:
    """`start`, then it goes on trying until `stop`."""

    def __init__(
        self,
        name: str,
        spec: PushSpec,
        url: str,
        encoder: Orders,
        relays: Relays,
        *,
        room: str = "",
        on_trouble: Callable[[str], None] = lambda why: None,
        back_off: BackOff = BACK_OFF,
        stalled_s: float = 10.0,
    ) -> None:
        """`name`: for the encoder and, with the room, for the log.

        `on_trouble` is told what is wrong, and "" when it is over. A peer that reads nothing for `stalled_s`
        is given up.
        """
        self.trouble = ""
        self._name, self._spec, self._encoder, self._relays = name, spec, encoder, relays
        self._url, self._where = url, {"room": room}
        rest = url.partition("://")[2]
        self._path = rest[rest.find("/") :] if "/" in rest else "/"
        self._on_trouble = on_trouble
        self._failures = Failures(back_off)
        self._stalled_s = stalled_s
        self._stage: Literal["starting", "going on", "ending", "ended"] = "starting"
        self._attempt = self._published_times = 0
        self._port: int | None = None
        self._base: int | None = None
        self._relay: Relay | None = None
        self._published_at: float | None = None
        self._bytes_before = 0
        self._bytes_seen = 0
        self._taken_at = 0.0
        self._look: PushLook | None = None
        self._dropped_before_ms = 0
        self._dropped_at = -math.inf
        self._ended: asyncio.Future[str]
        self._closed = asyncio.Event()
        self._going_on: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin. Raises BridgeError for a name that is taken."""
        self._encoder.add(self._name, self)
        self._going_on = asyncio.get_running_loop().create_task(self._go_on())

    def order(self) -> AddPush | None:
        """For the encoder: once for each relay."""
        if self._port is None:
            return None
        port, self._port = self._port, None
        return AddPush(self._name, self._attempt, self._spec, port, self._path, self._base, self._stalled_s)

    def told(self, event: Event) -> None:
        """What the encoder says."""
        match event:
            case Publishing(attempt=self._attempt):
                self._base = event.base
                self._published_at = self._taken_at = time.monotonic()
                self._published_times += 1
                self._stage = "going on"
                log.info("> %s is published", self._name, extra=self._where)
                self._say("")
            case PushLook(attempt=self._attempt):
                if event.dropped_ms > (0 if self._look is None else self._look.dropped_ms):
                    self._dropped_at = time.monotonic()
                self._look = event
            case PushEnded(attempt=self._attempt):
                self._finish(event.why)
            case Closed():
                self._closed.set()
                self._finish(event.why)

    def mark(self, tick: int, payload: str, duration_s: float) -> None:
        """Timed metadata of that tick. Raises BadInput while nobody takes the stream."""
        marked = Marked(self._name, tick, payload, duration_s)
        if self._published_at is None or not self._encoder.mark(marked):
            raise BadInput("this streaming is not published at the moment: nobody would get its metadata")

    async def stop(self, within_s: float) -> None:
        """Send what there is, unpublish, and end; no longer than that."""
        if self._stage in ("ending", "ended") or self._going_on is None:
            return
        self._stage = "ending"
        self._encoder.remove(self._name)
        try:
            async with asyncio.timeout(within_s):
                await self._closed.wait()
        except TimeoutError:
            log.warning("x %s was not finished within %.1f s", self._name, within_s, extra=self._where)
        finally:
            self._going_on.cancel()
            await asyncio.gather(self._going_on, return_exceptions=True)
            self._stage = "ended"

    @property
    def state(self) -> OutputState:
        """`running` only while the peer takes what it is sent."""
        if self._stage == "going on":
            return "running" if self._flows() and not self.trouble else "troubled"
        return self._stage

    def look(self) -> OutputLook:
        """As it is now."""
        sent = self._bytes_before + (0 if self._relay is None else self._relay.bytes_out)
        look = self._look
        dropped_ms = self._dropped_before_ms + (0 if look is None else look.dropped_ms)
        figures = {
            "bytes": float(sent),
            "attempts": float(self._attempt),
            "connections": float(self._published_times),
            "connected_seconds": self._since_published(),
            "waiting_ms": 0.0 if look is None else float(look.waiting_ms),
            "dropped_seconds": dropped_ms / 1000,
        }
        return OutputLook("rtmp", self.state, self.trouble, figures)

    # --- inside ---

    async def _go_on(self) -> None:
        while True:
            try:
                why = await self._publish()
            except OSError as error:
                why = os.strerror(error.errno) if error.errno else "no port was to be had"
            except BridgeError as error:
                why = str(error)
            except Exception as error:  # its text could quote the address
                why = f"publishing broke ({type(error).__name__})"
                log.error("x %s: %s\n%s", self._name, why, frames_of(error), extra=self._where)
            went_well_s = self._since_published()
            self._forget()
            if self._stage == "ending":
                return
            self._stage = "going on"
            self._say(why)
            if self._closed.is_set():
                log.error("x %s cannot be: %s", self._name, why, extra=self._where)
                return
            pause_s = self._failures.failed(went_well_s)
            log.warning("x %s: %s; again in %.1f s", self._name, why, pause_s, extra=self._where)
            await asyncio.sleep(pause_s)

    async def _publish(self) -> str:
        """One connection from its beginning to its end; gives the reason of it."""
        relay = self._relays(self._url)
        try:
            port = await relay.open()
            self._attempt += 1
            self._ended = asyncio.get_running_loop().create_future()
            self._relay, self._port, self._bytes_seen = relay, port, 0
            if not self._encoder.order(self._name):
                return "the live encoder is being begun again"
            return await self._carried(relay)
        finally:
            self._port = None
            relay.close()

    async def _carried(self, relay: Relay) -> str:
        carrying = asyncio.ensure_future(relay.carry())
        both: set[asyncio.Future[None] | asyncio.Future[str]] = {carrying, self._ended}
        try:
            while not (await asyncio.wait(both, timeout=_LOOK_EVERY_S, return_when="FIRST_COMPLETED"))[0]:
                self._watch(relay)
            await asyncio.wait(both, timeout=_REASON_WITHIN_S)
            return self._reason(carrying)
        finally:
            carrying.cancel()
            await asyncio.gather(carrying, return_exceptions=True)

    def _watch(self, relay: Relay) -> None:
        """Once a second."""
        if self._published_at is None:
            return
        if relay.bytes_out != self._bytes_seen:
            self._bytes_seen, self._taken_at = relay.bytes_out, time.monotonic()
        if not self._flows():
            self._say("the peer does not read what it is sent")
        elif time.monotonic() - self._dropped_at < DROPPED_S:
            self._say("the peer takes less than it is sent: some of it is left out")
        else:
            self._say("")

    def _reason(self, carrying: asyncio.Future[None]) -> str:
        """Why a connection ended: the encoder knows what the peer said, the relay what it did."""
        said = self._ended.result() if self._ended.done() else None
        failure = carrying.exception() if carrying.done() and not carrying.cancelled() else None
        if said:
            return said
        if isinstance(failure, BridgeError):
            before = "" if self._published_at is not None else ", and had not taken the stream"
            return f"{failure}{before if 'peer' in str(failure) else ''}"
        if failure is not None:
            return f"the relay failed ({type(failure).__name__})"
        return "the connection ended" if said is not None else "the live encoder ended"

    def _flows(self) -> bool:
        relay = self._relay
        if relay is None or self._published_at is None or not relay.connected:
            return False
        unread_ms = 0 if self._look is None else self._look.unread_ms
        return max(time.monotonic() - self._taken_at, unread_ms / 1000) < STALLED_S

    def _since_published(self) -> float:
        return 0.0 if self._published_at is None else time.monotonic() - self._published_at

    def _finish(self, why: str) -> None:
        if self._attempt and not self._ended.done():
            self._ended.set_result(why)

    def _forget(self) -> None:
        """A connection is over."""
        if self._relay is not None:
            self._bytes_before += self._relay.bytes_out
        if self._look is not None:
            self._dropped_before_ms += self._look.dropped_ms
        self._relay = self._published_at = self._look = None

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self._on_trouble(trouble)
