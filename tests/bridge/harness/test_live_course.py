"""How a call ends in which a test takes part, when neither of them planned it."""

from __future__ import annotations

import asyncio

import pytest

from bridge.harness import LateLimits, LiveCall, RunResult, calling
from bridge.harness.bot_test import BotTest
from tests.kit import bots

pytestmark = pytest.mark.e2e

EASY = LateLimits(worst_s=5.0, late_share=1.0)


async def test_a_test_that_is_cancelled_hangs_up() -> None:
    async with bots.listening(bots.Bot) as url:
        kept: list[LiveCall] = []
        began = asyncio.Event()

        async def test() -> None:
            async with calling(url, limits=EASY) as call:
                kept.append(call)
                began.set()
                await call.pause(30)

        running = asyncio.create_task(test())
        async with asyncio.timeout(5):
            await began.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
    assert kept[0].result.end == "cancelled"


async def test_a_test_that_is_cancelled_before_its_call_is_made_ends_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs: list[RunResult] = []

    class Hindered(BotTest):
        async def run(self) -> RunResult:
            running.cancel()
            await self._stopping.wait()
            return await super().run()

    async def test() -> None:
        async with calling("ws://127.0.0.1:9", on_run=runs.append):
            pytest.fail("there is no call")

    monkeypatch.setattr("bridge.harness.testing.BotTest", Hindered)
    running = asyncio.create_task(test())
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await running
    (run,) = runs
    assert run.calls == [] and run.interrupted


async def test_a_voice_of_the_harness_that_fails_is_told_of_with_its_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(self: object, heard: object, events: object) -> None:
        raise RuntimeError("the voice is gone")

    monkeypatch.setattr("bridge.harness.prompted.Prompted.tick", broken)
    async with bots.listening(bots.Bot) as url:
        with pytest.raises(ExceptionGroup) as raised:
            async with calling(url) as call:
                await call.pause(5)
    assert raised.group_contains(RuntimeError, match="the voice is gone")
