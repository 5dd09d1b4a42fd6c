from __future__ import annotations

import asyncio

import pytest

from bridge import endings
from bridge.endings import Endings

pytestmark = pytest.mark.unit


async def test_it_waits_for_the_next_end_and_looks_again_when_told() -> None:
    asked: asyncio.Queue[int] = asyncio.Queue()

    async def end_due() -> float | None:
        asked.put_nowait(1)
        return None

    ends = Endings(end_due)
    ends.start()
    async with asyncio.timeout(5):
        await asked.get()
        assert asked.empty()
        ends.look_again()
        await asked.get()
    await ends.close()
    await ends.close()


async def test_a_failure_is_logged_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(endings, "TRY_AGAIN_S", 0.0)
    done = asyncio.Event()
    answers = [OSError("disk full"), None]

    async def end_due() -> float | None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        done.set()
        return None

    ends = Endings(end_due)
    ends.start()
    async with asyncio.timeout(5):
        await done.wait()
    await ends.close()
    assert "disk full" in caplog.text


async def test_closing_what_was_never_started_does_nothing() -> None:
    async def end_due() -> float | None:
        raise AssertionError("nobody started it")

    await Endings(end_due).close()
