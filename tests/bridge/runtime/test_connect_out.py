"""Names are looked up beside each other, and each only once at a time."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections import Counter

import pytest

from bridge.runtime.connect_out import Resolver

pytestmark = pytest.mark.unit


class Names:
    """A name server that answers when it is told to."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.asked: Counter[str] = Counter()

    def __call__(self, host: str) -> list[str]:
        self.asked[host] += 1
        if host.startswith("slow"):
            self.go_on.wait(5)
        if host.endswith("nobody"):
            raise OSError("no such name")
        return ["192.0.2.1"]


async def test_many_who_wait_for_one_name_hold_up_nobody_else() -> None:
    names = Names()
    resolver = Resolver(names)
    waiting = [asyncio.create_task(resolver("slow.example")) for _ in range(100)]
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        assert await resolver("fast.example") == ["192.0.2.1"]
    names.go_on.set()
    answers = await asyncio.gather(*waiting)
    assert answers == [["192.0.2.1"]] * 100 and names.asked == {"slow.example": 1, "fast.example": 1}
    await resolver("slow.example")
    assert names.asked["slow.example"] == 2, "nothing is kept: each answer is judged when it is used"
    resolver.close()


async def test_who_gives_up_waiting_takes_the_answer_from_nobody(caplog: pytest.LogCaptureFixture) -> None:
    names = Names()
    resolver = Resolver(names)
    impatient, patient = (asyncio.create_task(resolver("slow.nobody")) for _ in range(2))
    alone = asyncio.create_task(resolver("slow.other.nobody"))
    await asyncio.sleep(0)
    impatient.cancel()
    alone.cancel()
    names.go_on.set()
    with pytest.raises(OSError, match="no such name"):
        await patient
    with pytest.raises(OSError, match="no such name"):
        await resolver("nobody")
    resolver.close()
    gc.collect()
    assert "never retrieved" not in caplog.text
