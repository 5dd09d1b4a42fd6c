from __future__ import annotations

import asyncio

import pytest

from bridge.outputs.lanes import Lanes

pytestmark = pytest.mark.unit


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_each_name_has_its_own_turns_and_who_comes_first_goes_first() -> None:
    lanes, inside, done = Lanes(2), [], asyncio.Event()

    async def go(name: str, number: int) -> None:
        async with lanes.lane(name):
            inside.append((name, number))
            await done.wait()

    tasks = [asyncio.create_task(go(name, number)) for name in "ab" for number in range(3)]
    await settle()
    assert inside == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    tasks[0].cancel()
    await settle()
    assert inside[4:] == [("a", 2)]
    done.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert inside[5:] == [("b", 2)]
    assert not lanes._lanes, "what nobody uses is not remembered"


async def test_who_gives_up_waiting_leaves_nothing_behind() -> None:
    lanes, done = Lanes(1), asyncio.Event()

    async def go() -> None:
        async with lanes.lane("a"):
            await done.wait()

    first, second = asyncio.create_task(go()), asyncio.create_task(go())
    await settle()
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    done.set()
    await first
    assert not lanes._lanes
