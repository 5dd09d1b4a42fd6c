"""Runs the tick's encode jobs: a few inline, more in threads that libopus lets run beside the loop."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

Deliver = Callable[[Sequence[int], list[bytes], float], None]
"""Takes (outlets, packets, now): every outlet gets every packet, in order."""


class Job(Protocol):
    """One distinct mix to encode (`bridge.core.encode_plan`)."""

    @property
    def encoder(self) -> object | None:
        """None when there is nothing to encode, only something to send."""

    @property
    def outlets(self) -> Sequence[int]: ...

    def run(self) -> list[bytes]: ...


@dataclass(slots=True)
class EncodeFigures:
    """Counters since the start."""

    encoded: int = 0
    dropped: int = 0
    """Frames never encoded because a worker was too far behind."""
    failed: int = 0
    encode_s: float = 0.0
    """Time spent encoding, summed over threads (wall)."""


class EncodePool:
    """Encodes and hands over the packets on the loop's thread.

    An encoder always runs on the same worker, so its frames stay in order. A worker more than
    `max_behind` ticks late gets no new jobs until it has caught up; what it misses is counted as dropped.
    """

    def __init__(self, *, inline_jobs: int = 4, workers: int | None = None, max_behind: int = 5) -> None:
        # One core is left to the loop; on a single core threads only add switches.
        cores = len(os.sched_getaffinity(0))
        count = workers if workers is not None else max(0, min(4, cores - 1))
        self._inline = inline_jobs if count else sys.maxsize
        self._workers = [ThreadPoolExecutor(1, thread_name_prefix=f"encode-{n}") for n in range(count)]
        self._behind = [0] * count
        self._max_behind = max_behind
        self.figures = EncodeFigures()

    def run(self, jobs: Sequence[Job], deliver: Deliver, now: float) -> None:
        """Encode `jobs`; `deliver` is called on this thread, at once or soon."""
        work = [job for job in jobs if job.encoder is not None]
        for job in jobs:
            if job.encoder is None:  # a ready-made packet
                deliver(job.outlets, job.run(), now)
        if not work:
            return
        if len(work) <= self._inline and not any(self._behind):
            started = time.perf_counter()
            for job in work:
                self._hand_over(job, _run(job), deliver, now)
            self.figures.encode_s += time.perf_counter() - started
            return
        loop = asyncio.get_running_loop()
        shares: list[list[Job]] = [[] for _ in self._workers]
        for job in work:
            shares[(id(job.encoder) >> 6) % len(shares)].append(job)
        for index, share in enumerate(shares):
            if not share:
                continue
            if self._behind[index] >= self._max_behind:
                self.figures.dropped += len(share)
                continue
            self._behind[index] += 1
            self._workers[index].submit(self._work, loop, index, share, deliver, now)

    def close(self) -> None:
        """Wait for what runs; nothing is delivered afterwards."""
        for worker in self._workers:
            worker.shutdown(wait=True, cancel_futures=True)

    def _work(
        self,
        loop: asyncio.AbstractEventLoop,
        index: int,
        share: list[Job],
        deliver: Deliver,
        now: float,
    ) -> None:
        started = time.perf_counter()
        done = [(job, _run(job)) for job in share]
        spent = time.perf_counter() - started
        try:
            loop.call_soon_threadsafe(self._finish, index, done, spent, deliver, now)
        except RuntimeError:
            pass  # the loop closed while we encoded: nobody is left to send to

    def _finish(
        self,
        index: int,
        done: list[tuple[Job, list[bytes] | None]],
        spent: float,
        deliver: Deliver,
        now: float,
    ) -> None:
        self._behind[index] -= 1
        self.figures.encode_s += spent
        for job, packets in done:
            self._hand_over(job, packets, deliver, now)

    def _hand_over(self, job: Job, packets: list[bytes] | None, deliver: Deliver, now: float) -> None:
        if packets is None:
            self.figures.failed += 1
            return
        self.figures.encoded += len(packets)
        deliver(job.outlets, packets, now)


def _run(job: Job) -> list[bytes] | None:
    try:
        return job.run()
    except Exception:  # one encoder's failure must not cost the others their frame; it is counted
        return None
