"""Bots that are started for a test: as programs, and within it."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from bridge.harness.bot_host import BotNotStarted, BotProcess, answers, free_port, running_bot, serving

pytestmark = pytest.mark.e2e

BOT = """
import asyncio, sys, pathlib
from websockets.asyncio.server import serve

async def greet(socket):
    await socket.send(pathlib.Path("name.txt").read_text())

async def main():
    await asyncio.sleep(0.2)
    async with serve(greet, "127.0.0.1", int(sys.argv[1])) as server:
        print("here I am", flush=True)
        await server.serve_forever()

asyncio.run(main())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bot.py").write_text(BOT)
    (tmp_path / "name.txt").write_text("Bo")
    return tmp_path


async def greeting(url: str) -> str | bytes:
    async with connect(url) as call:
        return await call.recv()


async def test_a_program_is_called_as_soon_as_it_answers(folder: Path) -> None:
    process = BotProcess("python bot.py {port}", path="stream", folder=folder)
    with process as bot:
        assert bot.url == f"ws://127.0.0.1:{bot.port}/stream"
        assert await greeting(bot.url) == "Bo"
        assert "here I am" in bot.printed
    assert not answers(process.port)
    assert "here I am" in process.printed
    assert "opening handshake failed" not in process.printed, "asking whether it is there is no broken call"


async def test_a_program_runs_as_long_as_the_block(folder: Path) -> None:
    async with running_bot([sys.executable, "bot.py", "{port}"], folder=folder) as url:
        assert await greeting(url) == "Bo"
    with pytest.raises(OSError):
        await greeting(url)


def test_a_program_that_ends_is_told_of_with_what_it_said() -> None:
    with pytest.raises(BotNotStarted, match="the bot ended with 3 and printed:\nno such model"):
        BotProcess(["python", "-c", "import sys; print('no such model'); sys.exit(3)", "{port}"]).start()
    with pytest.raises(BotNotStarted, match="no/such/bot cannot be run: No such file"):
        BotProcess("no/such/bot {port}").start()
    with pytest.raises(ValueError, match="where the port belongs"):
        BotProcess("python bot.py")


def test_a_program_that_never_answers_is_ended() -> None:
    bot = BotProcess(["python", "-uc", "import time; print('hm'); time.sleep(60)", "{port}"], start_s=1)
    with pytest.raises(BotNotStarted, match=r"did not answer within 1 s and printed:\nhm"):
        bot.start()


async def test_a_coroutine_serves_within_the_test() -> None:
    ended = asyncio.Event()

    async def greet(call: ServerConnection) -> None:
        await call.send("Ann")

    async def main(port: int) -> None:
        try:
            await asyncio.sleep(0.1)
            async with serve(greet, "127.0.0.1", port) as server:
                await server.serve_forever()
        finally:
            ended.set()

    async with running_bot(main, path="/x") as url:
        assert url.endswith("/x")
        assert await greeting(url) == "Ann"
    assert ended.is_set()


async def test_a_coroutine_that_fails_is_told_of() -> None:
    async def fail(port: int) -> None:
        raise RuntimeError("no such model")

    with pytest.raises(BotNotStarted, match="ended before it answered") as failed:
        async with running_bot(fail):
            pytest.fail("there is no bot")
    assert "no such model" in repr(failed.value.__cause__)

    with pytest.raises(BotNotStarted, match=r"did not answer within 0\.2 s"):
        async with running_bot(lambda port: asyncio.sleep(30), start_s=0.2):
            pytest.fail("there is no bot")


async def test_a_coroutine_that_fails_later_fails_the_test() -> None:
    async def greet(call: ServerConnection) -> None:
        await call.send("Ann")

    broken = asyncio.Event()

    async def main(port: int) -> None:
        async with serve(greet, "127.0.0.1", port):
            await broken.wait()
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        async with running_bot(main) as url:
            assert await greeting(url) == "Ann"
            broken.set()
            await asyncio.sleep(0.05)
    broken.clear()
    with pytest.raises(AssertionError) as failed:
        async with running_bot(main) as url:
            broken.set()
            await asyncio.sleep(0.05)
            raise AssertionError("it is not heard")
    assert failed.value.__notes__ == ["the bot had ended: RuntimeError('out of memory')"]


async def test_who_answers_a_call_in_the_test_itself_is_served() -> None:
    async def greet(call: ServerConnection) -> None:
        await call.send("Cleo")

    async with serving(greet) as url:
        assert await greeting(url) == "Cleo"


def test_nobody_answers_on_a_free_port() -> None:
    port = free_port()
    assert not answers(port)
    with socket.create_server(("127.0.0.1", port)):
        pass
