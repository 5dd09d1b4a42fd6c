"""A leg's side of the child process that demuxes and decodes for it: one after another, should one die."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from bridge.errors import BridgeError
from bridge.legs.demux_wire import (
    SAMPLE_BYTES,
    Began,
    Begin,
    Broken,
    Bytes,
    Grant,
    Over,
    Read,
    Sound,
    decode_from_child,
    encode,
)
from bridge.legs.player_supply import Supply, SupplyFailed

log = logging.getLogger(__name__)

_MOST_UNHEARD = 8
"""Messages of a child that nobody has looked at: it asks for one thing at a time, so there are no more."""
_FAREWELL_S = 0.5


class Unplayable(BridgeError):
    """What was supplied cannot be played; the text says why."""


class ChildDied(Unplayable):
    """What was supplied was too much for the child."""


class DemuxProcess(Protocol):
    """A child process; see `bridge.outputs.children.Child`."""

    @property
    def alive(self) -> bool: ...
    async def start(self) -> None: ...
    def send(self, message: bytes) -> bool: ...
    async def stop(self, within_s: float) -> None: ...
    def kill(self) -> None: ...


class BeginDemuxing(Protocol):
    """Makes a child that does `bridge.legs.demux_job.run`, confined; not started."""

    def __call__(
        self,
        arguments: Mapping[str, object],
        *,
        on_message: Callable[[bytes], None],
        on_exit: Callable[[int], None],
    ) -> DemuxProcess: ...


class Demuxer:
    """`play` runs, one at a time; `grant` sound; `close` at last. `heard` and `began` are told what comes."""

    def __init__(
        self,
        begin: BeginDemuxing,
        spare_cpu_s: float,
        heard: Callable[[bytes], None],
        began: Callable[[Began], None],
        where: Mapping[str, str],
    ) -> None:
        self._begin = begin
        self._spare_cpu_s = spare_cpu_s
        self._heard = heard
        self._began = began
        self._where = where
        self._process: DemuxProcess | None = None
        self._doomed: DemuxProcess | None = None
        """Killed, and not gone yet."""
        self._said: deque[Read | Over | Broken] = deque()
        self._news = asyncio.Event()
        self._ended: int | None = None
        self._granted = 0
        """Samples that may still come."""
        self.deaths = 0

    def grant(self, samples: int) -> None:
        """So many samples more are welcome."""
        self._granted += samples
        if self._process is not None:
            self._process.send(encode(Grant(samples)))

    async def play(self, supply: Supply, chunk: int, hurried: bool) -> int:
        """One run; gives the samples that came of it.

        Raises Unplayable, ChildDied, and what the supply raises. A run that is not played to its end costs
        the child its life.
        """
        process = await self._running()
        process.send(encode(Begin(supply.size, chunk, hurried)))
        done = False
        try:
            while True:
                said = await self._next()
                if isinstance(said, Read):
                    process.send(encode(Bytes(await supply.read(said.at, said.count))))
                    continue
                done = True
                if isinstance(said, Broken):
                    raise Unplayable(said.text)
                return said.samples
        finally:
            if not done:
                process.kill()
                self._process, self._doomed = None, process

    async def close(self) -> None:
        """End the child; what was granted is forgotten."""
        self._granted = 0
        await self._end()

    # --- inside ---

    async def _running(self) -> DemuxProcess:
        if self._process is None or not self._process.alive:
            await self._end()
            self._said.clear()
            self._ended = None
            process = self._begin(
                {"spare_cpu_s": self._spare_cpu_s},
                on_message=lambda message: self._message(process, message),
                on_exit=lambda code: self._exited(process, code),
            )
            self._process = process
            try:
                await process.start()
            except OSError as error:
                why = os.strerror(error.errno) if error.errno else "no reason given"
                raise SupplyFailed(f"no process could be begun to decode it: {why}") from None
            process.send(encode(Grant(self._granted)))
        return self._process

    async def _end(self) -> None:
        leaving = (self._process, self._doomed)
        self._process = self._doomed = None
        for process in leaving:
            if process is not None:
                await process.stop(_FAREWELL_S)

    async def _next(self) -> Read | Over | Broken:
        while not self._said:
            if self._ended is not None:
                self.deaths += 1
                raise ChildDied(_why(self._ended))
            self._news.clear()
            await self._news.wait()
        return self._said.popleft()

    def _message(self, process: DemuxProcess, message: bytes) -> None:
        if process is not self._process:
            return
        try:
            said = decode_from_child(message)
        except msgspec.MsgspecError:
            log.warning("x what a demuxer said cannot be understood: it is killed", extra=self._where)
            process.kill()
            return
        if isinstance(said, Sound):
            self._granted -= len(said.pcm) // SAMPLE_BYTES
            if self._granted < 0:
                log.warning("x a demuxer gives more than it may: it is killed", extra=self._where)
                self._granted = 0
                process.kill()
                return
            self._heard(said.pcm)
        elif isinstance(said, Began):
            self._began(said)
        elif len(self._said) >= _MOST_UNHEARD:
            process.kill()
        else:
            self._said.append(said)
            self._news.set()

    def _exited(self, process: DemuxProcess, code: int) -> None:
        if process is self._process:
            self._ended = code
            self._news.set()


def _why(code: int) -> str:
    if code == -signal.SIGXCPU:
        return "it takes too much processor time to decode"
    return "it was too much for the decoder"
