"""Child processes: confined, spoken to, noticed, ended."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from bridge import logs
from bridge.outputs.child_limits import ChildLimits
from bridge.outputs.children import Child

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[3]
JOBS = "tests.kit.child_jobs:"


class Watched:
    """A child, what it said and how it ended."""

    def __init__(self, job: str, limits: ChildLimits | None = None, **arguments: object) -> None:
        self.said: asyncio.Queue[bytes] = asyncio.Queue()
        self.exits: list[int] = []
        self._exited = asyncio.Event()
        self.child = Child(
            JOBS + job, arguments, on_message=self.said.put_nowait, on_exit=self._exit, limits=limits
        )

    def _exit(self, code: int) -> None:
        self.exits.append(code)
        self._exited.set()

    async def next(self) -> bytes:
        async with asyncio.timeout(10):
            return await self.said.get()

    async def exit(self) -> int:
        async with asyncio.timeout(10):
            await self._exited.wait()
        return self.exits[0]


def sleeps(pid: int) -> bool:
    """Whether that process is `sleep`; one that has ended has no command line, fetched or not."""
    try:
        return b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


Begin = Callable[..., "Watched"]


@pytest.fixture
async def begin() -> AsyncIterator[Begin]:
    begun: list[Watched] = []

    def make(job: str, limits: ChildLimits | None = None, **arguments: object) -> Watched:
        begun.append(Watched(job, limits, **arguments))
        return begun[-1]

    yield make
    for watched in begun:
        await watched.child.stop(0.0)


async def test_it_gets_its_arguments_and_messages_in_order(begin: Begin) -> None:
    watched = begin("echo", colour="blue", numbers=[1, 2])
    await watched.child.start()
    assert msgspec.msgpack.decode(await watched.next()) == {"colour": "blue", "numbers": [1, 2]}
    messages = [b"", b"x" * 300_000, *(str(number).encode() for number in range(50))]
    for message in messages:
        assert watched.child.send(message)
    assert [await watched.next() for _ in messages] == messages
    await watched.child.stop(5.0)
    assert watched.exits == [0]
    assert not watched.child.send(b"too late")


async def test_what_was_said_before_it_is_asked_to_end_is_heard_and_answered(begin: Begin) -> None:
    watched = begin("last_words")
    await watched.child.start()
    for _ in range(500):
        assert watched.child.send(bytes(1000))
    await watched.child.stop(5.0)
    assert watched.exits == [0]
    assert watched.said.get_nowait() == b"500"


async def test_one_that_takes_its_time_to_end_is_told_nothing_more(
    begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    watched = begin("hang", ChildLimits(hang_s=0.2))
    await watched.child.start()
    assert await watched.next() == b"here"
    stopping = asyncio.create_task(watched.child.stop(0.5))
    await asyncio.sleep(0)
    assert not watched.child.send(b"late")
    await stopping
    assert watched.exits == [-signal.SIGKILL]
    assert not [record for record in caplog.records if record.name == "asyncio"], "no ping was tried"


async def test_it_sees_nothing_of_the_server(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIABRIDGE_SECRET", "nobody")
    kept_open = os.dup(0)
    os.set_inheritable(kept_open, True)
    limits = ChildLimits(address_bytes=3 << 30, open_files=99, niceness=3)
    watched = begin("surroundings", limits, key="stream-key-of-somebody")
    await watched.child.start()
    seen = msgspec.msgpack.decode(await watched.next())
    os.close(kept_open)
    assert set(seen["environment"]) <= {"PATH", "LANG", "PYTHONPATH", "LC_CTYPE", "PWD"}
    listing = [number for number in seen["descriptors"] if number > 2]
    assert seen["link"] in listing and len(listing) == 2  # and the listing's own
    assert seen["session"]
    assert not any("stream-key" in word for word in seen["command"])
    assert (seen["open_files"], seen["address_bytes"], seen["core"]) == (99, 3 << 30, 0)
    assert seen["niceness"] == os.nice(0) + 3
    assert seen["umask"] == 0o077


async def test_one_that_hangs_is_killed(begin: Begin) -> None:
    watched = begin("hang", ChildLimits(hang_s=0.3))
    await watched.child.start()
    assert await watched.next() == b"here"
    began = time.monotonic()
    assert await watched.exit() == -signal.SIGKILL
    assert time.monotonic() - began < 2.0


async def test_one_that_works_long_and_breathes_is_left_alone(begin: Begin) -> None:
    watched = begin("work_long", ChildLimits(hang_s=0.3))
    await watched.child.start()
    assert await watched.next() == b"done"
    await asyncio.sleep(0.4)  # idle, it answers pings
    assert watched.child.alive


async def test_one_that_does_not_read_fills_a_bounded_queue_and_nothing_blocks(begin: Begin) -> None:
    watched = begin("hang")
    await watched.child.start()
    assert await watched.next() == b"here"
    began = time.monotonic()
    taken = 0
    while watched.child.send(bytes(100_000)):
        taken += 1
        await asyncio.sleep(0)
    assert time.monotonic() - began < 2.0
    assert watched.child.waiting_bytes <= 8 << 20
    assert 80 <= taken < 120
    await watched.child.stop(0.05)
    assert watched.exits == [-signal.SIGKILL]


async def test_what_it_writes_comes_to_our_log_by_bounded_lines(
    begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    text = "first\n" + "long " * 400 + "\n" + "many\n" * 200 + "last"
    watched = begin("talk", text=text)
    with caplog.at_level(logging.WARNING, logger="bridge.outputs"):
        await watched.child.start()
        assert await watched.exit() == 3
    lines = [record.getMessage().partition(": ")[2] for record in caplog.records]
    assert lines[0] == "first"
    assert lines[1].startswith("long long") and len(lines[1]) <= 1001
    assert 30 < lines.count("many") < 200
    assert any(record.getMessage().endswith("lines more") for record in caplog.records)


async def test_what_it_writes_shows_no_secret(begin: Begin) -> None:
    shown = io.StringIO()
    root, before = logging.getLogger(), logging.getLogRecordFactory()
    line = logging.StreamHandler(shown)
    logging.setLogRecordFactory(logs._redacted_record)
    root.addHandler(line)
    try:
        watched = begin(
            "talk", text="rtmp://u:pw1@h/app?key=pw2 failed, password=pw3\n" + "x" * 990 + " token=pw4"
        )
        await watched.child.start()
        await watched.exit()
    finally:
        root.removeHandler(line)
        logging.setLogRecordFactory(before)
    assert "rtmp://u:***@h/*** failed" in shown.getvalue()
    assert "pw" not in shown.getvalue()


async def test_a_service_that_is_stopped_does_not_take_it_from_the_server(begin: Begin) -> None:
    watched = begin("echo")
    await watched.child.start()
    await watched.next()
    assert watched.child.pid is not None
    for sent in (signal.SIGTERM, signal.SIGINT):  # systemd sends it to all, a terminal to its foreground
        os.kill(watched.child.pid, sent)
    assert watched.child.send(b"still there")
    assert await watched.next() == b"still there"


async def test_one_that_takes_more_memory_than_it_may_fails_alone(
    begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    watched = begin("eat", ChildLimits(address_bytes=512 << 20))
    await watched.child.start()
    assert await watched.exit() == 1
    assert watched.said.empty()
    assert "MemoryError" in caplog.text


async def test_what_it_began_goes_with_it(begin: Begin) -> None:
    watched = begin("leave_a_child")
    await watched.child.start()
    grandchild = int(await watched.next())
    await watched.exit()
    for _ in range(100):
        if not sleeps(grandchild):
            return
        await asyncio.sleep(0.01)
    pytest.fail("the grandchild lives on")


async def test_a_job_that_does_not_exist_is_an_exit_not_a_hang(
    begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    watched = begin("no_such_job")
    await watched.child.start()
    assert await watched.exit() == 1
    assert "no_such_job" in caplog.text


async def test_it_dies_with_the_server_even_when_it_does_not_listen(tmp_path: Path) -> None:
    path = tmp_path / "alive.txt"
    server = f"""
import asyncio, os, signal
from bridge.outputs.children import Child
async def main():
    here = asyncio.Event()
    child = Child("{JOBS}stubborn", {{"path": {str(path)!r}}}, on_message=lambda _: here.set(), on_exit=print)
    await child.start()
    await here.wait()
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", server], timeout=20, check=False, cwd=ROOT
    )
    assert ended.returncode == -signal.SIGKILL
    await asyncio.sleep(0.1)
    size = path.stat().st_size
    assert size > 0
    await asyncio.sleep(0.1)
    assert path.stat().st_size == size


async def test_starting_one_under_uvloop_is_the_same(tmp_path: Path) -> None:
    server = f"""
import asyncio, uvloop
from bridge.outputs.children import Child
async def main():
    said, exits = asyncio.Queue(), []
    child = Child("{JOBS}echo", {{}}, on_message=said.put_nowait, on_exit=exits.append)
    await child.start()
    await said.get()
    assert child.send(b"x" * 1_000_000)
    assert await said.get() == b"x" * 1_000_000
    await child.stop(5.0)
    assert exits == [0]
    child = Child("{JOBS}hang", {{}}, on_message=said.put_nowait, on_exit=exits.append)
    await child.start()
    await said.get()
    while child.send(bytes(100_000)):
        await asyncio.sleep(0)
    child.kill()
    await child.stop(5.0)
    assert exits == [0, -9]
uvloop.run(main())
"""
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", server], timeout=20, check=False, cwd=ROOT, capture_output=True
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
