"""The server's side of a follower: a recording's files are made in a child, begun again when it fails."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from bridge.outputs.back_off import BackOff, Failures
from bridge.outputs.child_limits import ChildLimits
from bridge.outputs.children import Child
from bridge.outputs.follow_wire import (
    FINISH,
    Finished,
    FollowPlan,
    Problem,
    Progress,
    Waiting,
    Whole,
    arguments_of,
    decode_message,
)

log = logging.getLogger(__name__)

NICENESS = 10
"""Files may wait; ticks may not."""
STOP_WITHIN_S = 2.0
LIMITS = ChildLimits(niceness=NICENESS, hang_s=60.0, open_files=8192, address_bytes=8 << 30)
"""Enough for `recording_files.MOST_ALONE` participants with files of every form, each twice in a pause."""


class FileMaking:
    """Makes the files of a plan until they are whole. On the event loop's thread.

    `go_on` begins a follower when there is none; `finish` says that no further stretch comes. `on_whole` is
    told of each file that is whole then, `on_progress` once a second that there is more. A follower that
    dies is begun again, and begins from the beginning: the same log gives the same files.
    """

    def __init__(
        self,
        recording: str,
        plan: FollowPlan,
        *,
        on_finished: Callable[[Finished], None] = lambda finished: None,
        on_progress: Callable[[], None] = lambda: None,
        on_whole: Callable[[str], None] = lambda name: None,
        limits: ChildLimits | None = None,
        back_off: BackOff | None = None,
    ) -> None:
        self.plan = plan
        self._recording = recording
        self._on_finished = on_finished
        self._on_progress = on_progress
        self._on_whole = on_whole
        self._limits = limits or LIMITS
        self._back_off = back_off or BackOff(first_s=0.5, most_s=60.0)
        self._child: Child | None = None
        self._work: asyncio.Task[None] | None = None
        self._wanted_finish = False
        self._news = asyncio.Event()
        self.stretch = -1
        """The last one that all files have, as far as it goes."""
        self.finished: Finished | None = None
        self.trouble = ""
        self.restarts = 0

    def go_on(self) -> None:
        """From now on somebody works at it."""
        if self._work is None:
            self._work = asyncio.create_task(self._keep_working())

    def finish(self) -> None:
        """The recording is over as it is; `on_finished` follows."""
        self._wanted_finish = True
        if self._child is not None:
            self._child.send(FINISH)

    @property
    def finishing(self) -> bool:
        """It was told to finish, or has finished by itself."""
        return self._wanted_finish or self.finished is not None

    async def settled(self, stretch: int, within_s: float) -> bool:
        """Wait until the files have everything up to the end of that stretch; False when it takes longer."""
        try:
            async with asyncio.timeout(within_s):
                while self.finished is None and self.stretch < stretch:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def whole(self) -> None:
        """Wait until all files are."""
        while self.finished is None:
            self._news.clear()
            await self._news.wait()

    async def stop(self) -> None:
        """Nobody works at it any more; what is not whole stays as it is."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
            self._work = None
        if self._child is not None:
            self._child.kill()
            await self._child.stop(STOP_WITHIN_S)
            self._child = None

    # --- inside ---

    async def _keep_working(self) -> None:
        failures = Failures(self._back_off)
        while self.finished is None:
            gone = asyncio.Event()
            child = Child(
                "follower",
                arguments_of(self.plan),
                on_message=self._told,
                on_exit=lambda code, gone=gone: gone.set(),  # type: ignore[misc]
                limits=self._limits,
            )
            began = time.monotonic()
            self.stretch = -1
            try:
                await child.start()
            except OSError as wrong:
                self.trouble = f"no process could be begun: {wrong.strerror}"
                gone.set()
            else:
                self._child = child
                if self._wanted_finish:
                    child.send(FINISH)
            await gone.wait()
            self._child = None
            if self.finished is None:
                self.restarts += 1
                self.trouble = self.trouble or "the process that makes the files ended"
                if self.restarts in (1, 10) or self.restarts % 100 == 0:
                    log.warning(
                        "x the files of recording %s are begun again (%d times): %s",
                        self._recording, self.restarts, self.trouble,
                    )  # fmt: skip
                await asyncio.sleep(failures.failed(time.monotonic() - began))

    def _told(self, message: bytes) -> None:
        match decode_message(message):
            case Progress():
                self.trouble = ""
                self._on_progress()
            case Whole(name=name):
                self._on_whole(name)
            case Waiting(stretch=stretch):
                self.stretch, self.trouble = stretch, ""
            case Finished() as finished:
                self.finished, self.trouble = finished, ""
                self._on_finished(finished)
            case Problem(text=text):
                self.trouble = text
        self._news.set()
