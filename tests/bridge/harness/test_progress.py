from __future__ import annotations

import asyncio
import io

import pytest

from bridge.harness import progress
from bridge.harness.progress import shown

pytestmark = pytest.mark.unit


async def test_a_run_goes_on_though_nobody_reads_how(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = asyncio.Event()

    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            tried.set()
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Broken())
    monkeypatch.setattr(progress, "PLAIN_EVERY_S", 0.0)
    async with shown(lambda: "00:01  active 1", "calling …"), asyncio.timeout(5):
        await tried.wait()
        await asyncio.sleep(0)  # it has failed by now


async def test_what_goes_wrong_in_a_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Event()

    def line() -> str:
        asked.set()
        raise RuntimeError("no line")

    monkeypatch.setattr(progress, "PLAIN_EVERY_S", 0.0)
    with pytest.raises(RuntimeError, match="no line"):
        async with shown(line, "calling …"), asyncio.timeout(5):
            await asked.wait()
            await asyncio.sleep(0)
