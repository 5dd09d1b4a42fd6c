"""The scribe's process: there is one when it is wanted, and another one whenever it ends."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from bridge.outputs.back_off import BackOff, Failures
from bridge.outputs.child_limits import ChildLimits
from bridge.outputs.children import Child
from bridge.outputs.scribe_wire import Answer, Order, decode_answer, encode

log = logging.getLogger(__name__)


class ScribeChild:
    """On the event loop's thread. `on_begun` is called when there is one, again for each that follows, and
    `on_ended` with the exit code (-1: none could be begun) when it ended without having been told to.
    """

    def __init__(
        self,
        root: Path,
        limits: ChildLimits,
        back_off: BackOff,
        *,
        on_begun: Callable[[], None],
        on_answer: Callable[[Answer], None],
        on_ended: Callable[[int], None],
    ) -> None:
        self._root = root
        self._limits = limits
        self._back_off = back_off
        self._on_begun, self._on_answer, self._on_ended = on_begun, on_answer, on_ended
        self._child: Child | None = None
        self._wanted = asyncio.Event()
        self._exited = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._stopping = False
        self.restarts = 0
        """Times it had to be begun again."""

    def start(self) -> None:
        """From now on there is one when it is wanted."""
        self._keeping = asyncio.create_task(self._keep())

    def want(self) -> None:
        """There is something to write."""
        self._wanted.set()

    @property
    def child(self) -> Child | None:
        """The process that can be spoken to now."""
        return self._child

    def send(self, order: Order) -> bool:
        """Whether it was taken; there is none at times, and it may have too much to do."""
        return self._child is not None and self._child.send(encode(order))

    async def stop(self, within_s: float) -> None:
        """Let it write what it has, and end it."""
        self._stopping = True
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._child is not None:
            await self._child.stop(within_s)
            self._child = None

    async def _keep(self) -> None:
        await self._wanted.wait()
        failures = Failures(self._back_off)
        while True:
            self._exited.clear()
            child = Child(
                "scribe", {"root": str(self._root)}, limits=self._limits,
                on_message=lambda message: self._on_answer(decode_answer(message)), on_exit=self._ended,
            )  # fmt: skip
            began = time.monotonic()
            try:
                await child.start()
                self._child = child
                self._on_begun()
                await self._exited.wait()
            except OSError as wrong:
                log.error("x no scribe could be begun: %s", wrong)
                self._ended(-1)
            except asyncio.CancelledError:
                self._child = child
                raise
            self._child = None
            self.restarts += 1
            await asyncio.sleep(failures.failed(time.monotonic() - began))

    def _ended(self, code: int) -> None:
        self._exited.set()
        if not self._stopping:
            log.error("x the scribe ended (%d) and is begun again", code)
            self._on_ended(code)
