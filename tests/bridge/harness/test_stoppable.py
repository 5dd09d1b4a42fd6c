from __future__ import annotations

import asyncio

import pytest

from bridge.harness.stoppable import carried_out

pytestmark = pytest.mark.unit


async def test_what_is_not_stopped_gives_what_it_made() -> None:
    async def work() -> str:
        return "all of it"

    def stop() -> None:
        pytest.fail("nobody asked for that")

    assert await carried_out(work(), stop) == ("all of it", None)


async def test_what_is_stopped_comes_to_its_end_and_gives_what_there_is() -> None:
    begun, enough = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        begun.set()
        await enough.wait()
        return "a part of it"

    carrying = asyncio.create_task(carried_out(work(), enough.set))
    async with asyncio.timeout(10):
        await begun.wait()
        carrying.cancel("that will do")
        made, wanted = await carrying
    assert made == "a part of it"
    assert isinstance(wanted, asyncio.CancelledError)


async def test_what_goes_wrong_is_raised_also_when_it_was_stopped() -> None:
    begun, enough = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await enough.wait()
        raise OSError("disk full")

    carrying = asyncio.create_task(carried_out(work(), enough.set))
    async with asyncio.timeout(10):
        await begun.wait()
        carrying.cancel()
        with pytest.raises(OSError, match="disk full"):
            await carrying
