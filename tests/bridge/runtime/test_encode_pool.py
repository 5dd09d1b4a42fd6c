from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from bridge.runtime.encode_pool import EncodePool

pytestmark = pytest.mark.unit


class Encoder:
    """Counts frames, and notices when two threads use it at once."""

    def __init__(self) -> None:
        self.frames = 0
        self._busy = threading.Lock()

    def encode(self) -> bytes:
        assert self._busy.acquire(blocking=False)
        self.frames += 1
        self._busy.release()
        return str(self.frames).encode()


class Job:
    def __init__(self, encoder: Encoder, outlet: int, gate: threading.Event | None = None) -> None:
        self.encoder = encoder
        self.outlets: Sequence[int] = (outlet,)
        self._gate = gate

    def run(self) -> list[bytes]:
        if self._gate is not None:
            self._gate.wait(5)
        return [self.encoder.encode()]


class FailingJob(Job):
    def run(self) -> list[bytes]:
        raise ValueError("broken encoder")


class Received:
    def __init__(self) -> None:
        self.packets: dict[int, list[bytes]] = {}
        self.changed = asyncio.Event()

    def __call__(self, outlets: Sequence[int], packets: list[bytes], now: float) -> None:
        assert threading.current_thread() is threading.main_thread()
        for outlet in outlets:
            self.packets.setdefault(outlet, []).extend(packets)
        self.changed.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while sum(map(len, self.packets.values())) < count:
                self.changed.clear()
                await self.changed.wait()


async def test_few_jobs_are_done_before_run_returns() -> None:
    pool, received = EncodePool(inline_jobs=2, workers=1), Received()
    pool.run([Job(Encoder(), 1), Job(Encoder(), 2)], received, 0.0)
    assert received.packets == {1: [b"1"], 2: [b"1"]}
    pool.close()


async def test_every_encoder_keeps_its_order_over_many_threads() -> None:
    pool, received = EncodePool(inline_jobs=0, workers=3, max_behind=1000), Received()
    encoders = [Encoder() for _ in range(20)]
    for _ in range(50):
        pool.run([Job(encoder, n) for n, encoder in enumerate(encoders)], received, 0.0)
    await received.until(1000)
    expected = [str(n).encode() for n in range(1, 51)]
    assert all(received.packets[n] == expected for n in range(20))
    pool.close()


async def test_worker_that_falls_behind_drops_and_counts_instead_of_queueing() -> None:
    pool, received = EncodePool(inline_jobs=0, workers=1, max_behind=2), Received()
    gate, encoder = threading.Event(), Encoder()
    for _ in range(5):
        pool.run([Job(encoder, 1, gate)], received, 0.0)
    assert pool.figures.dropped == 3
    gate.set()
    await received.until(2)
    assert received.packets[1] == [b"1", b"2"]
    pool.close()


async def test_broken_encoder_costs_nobody_else_a_frame() -> None:
    pool, received = EncodePool(inline_jobs=9, workers=1), Received()
    pool.run([FailingJob(Encoder(), 1), Job(Encoder(), 2)], received, 0.0)
    assert received.packets == {2: [b"1"]}
    assert pool.figures.failed == 1
    pool.close()
