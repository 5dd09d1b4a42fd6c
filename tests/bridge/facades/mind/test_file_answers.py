from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.types import Message

from bridge.core.ports import OutputFile
from bridge.facades.mind.file_answers import Span, Unsatisfiable, asked_span, file_answer

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", Span(0, 1)),
        ("bytes=10-19", Span(10, 20)),
        (" bytes = 10 - 19 ", Span(10, 20)),
        ("bytes=90-", Span(90, 100)),
        ("bytes=90-1000", Span(90, 100)),
        ("bytes=-10", Span(90, 100)),
        ("bytes=-1000", Span(0, 100)),
        ("bytes=-", None),
        ("bytes=20-10", None),
        ("bytes=0-1,5-6", None),
        ("seconds=0-1", None),
        ("bytes=a-b", None),
        ("", None),
    ],
)
def test_a_range_is_understood_or_passed_over(header: str, span: Span | None) -> None:
    assert asked_span(header, 100) == span


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_without_a_byte_cannot_be_had(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        asked_span(header, 100)


def asking(**headers: str) -> Request:
    told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "headers": told})


def there(path: Path, *, complete: bool = True) -> OutputFile:
    return OutputFile(path.name, path, "audio/wav", complete, path.stat().st_size)


async def test_a_range_holds_only_for_the_file_it_was_meant_for(tmp_path: Path) -> None:
    path = tmp_path / "program.wav"
    path.write_bytes(bytes(100))
    whole = await file_answer(asking(), there(path))
    tag = whole.headers["etag"]
    part = await file_answer(asking(range="bytes=1-2", if_range=tag), there(path))
    path.write_bytes(bytes(101))
    other = await file_answer(asking(range="bytes=1-2", if_range=tag), there(path))
    growing = await file_answer(asking(range="bytes=1-2", if_range=tag), there(path, complete=False))
    assert [one.status_code for one in (whole, part, other, growing)] == [200, 206, 200, 200]
    assert "etag" not in growing.headers and other.headers["etag"] != tag


async def test_a_client_that_goes_away_leaves_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "program.wav"
    path.write_bytes(bytes(1 << 22))
    before = len(os.listdir("/proc/self/fd"))
    answer = await file_answer(asking(), there(path))
    taken = asyncio.Event()

    async def receive() -> Message:
        await taken.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            taken.set()
            await asyncio.Event().wait()

    await answer({"type": "http"}, receive, send)
    async with asyncio.timeout(5):
        while len(os.listdir("/proc/self/fd")) > before:  # noqa: ASYNC110 - a thread closes it
            await asyncio.sleep(0.005)
