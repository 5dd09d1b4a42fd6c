"""Runs the bot that is to be tested: as a program of its own, or within the test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from websockets.asyncio.server import ServerConnection, serve

from bridge.errors import BridgeError

HOST = "127.0.0.1"
START_S = 30.0
"""So long a bot may take until it answers."""
STOP_S = 5.0
"""And to end when it is told to."""
TOLD = 2_000
"""So much of what a bot printed last is told when it does not start."""
MAX_PRINTED = 1_000_000
"""Bytes of it that are kept."""
_ASK_EVERY_S = 0.05

Serves = Callable[[int], Awaitable[object]]
"""Serves on that port of 127.0.0.1, until it is cancelled."""


class BotNotStarted(BridgeError):
    """The bot did not begin to serve; the text says what it printed."""


class BotProcess:
    """A bot that is started by a command, in which `{port}` stands for the port that it is to listen on.

    Within `with BotProcess("python bot.py --port {port}") as bot:` it can be called at `bot.url`. `python` is
    the one that runs this. All of it blocks.
    """

    def __init__(
        self, command: str | Sequence[str], *, path: str = "/", folder: Path | None = None,
        environment: Mapping[str, str] | None = None, start_s: float = START_S,
    ) -> None:  # fmt: skip
        """`path` is that of its WebSocket; it runs in `folder` (the working directory).

        `environment` is all that it gets to know of its own; None: as this process.
        """
        words = shlex.split(command) if isinstance(command, str) else list(command)
        if not any("{port}" in word for word in words):
            raise ValueError("the command must say where the port belongs: {port}")
        self._words = words
        self._path = path
        self._folder = folder
        self._environment = environment
        self._start_s = start_s
        self._process: subprocess.Popen[bytes] | None = None
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 - it lasts as long as the bot
        self._text = ""
        self.port = 0

    @property
    def url(self) -> str:
        """Its WebSocket's address."""
        return url_of(self.port, self._path)

    @property
    def printed(self) -> str:
        """What it has printed so far."""
        if not self._printed.closed:
            # It writes through the same file: whoever moved there would have it write there.
            self._text = os.pread(self._printed.fileno(), MAX_PRINTED, 0).decode(errors="replace")
        return self._text

    def __enter__(self) -> BotProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when it answers. Raises BotNotStarted."""
        self.port = free_port()
        words = [word.replace("{port}", str(self.port)) for word in self._words]
        if words[0] == "python":
            words[0] = sys.executable
        try:
            self._process = subprocess.Popen(
                words,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=self._printed,
                stderr=subprocess.STDOUT,
            )
        except OSError as wrong:
            raise BotNotStarted(f"{words[0]} cannot be run: {wrong.strerror}") from None
        until = time.monotonic() + self._start_s
        try:
            while not answers(self.port):
                if self._process.poll() is not None:
                    raise BotNotStarted(f"the bot ended with {self._process.returncode}{self._last_words()}")
                if time.monotonic() > until:
                    raise BotNotStarted(
                        f"the bot did not answer within {self._start_s:g} s{self._last_words()}"
                    )
                time.sleep(_ASK_EVERY_S)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it; it cannot be started again."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._text = self.printed
        self._printed.close()

    def _last_words(self) -> str:
        printed = self.printed.strip()[-TOLD:]
        return f" and printed:\n{printed}" if printed else ""


@contextlib.asynccontextmanager
async def running_bot(
    bot: str | Sequence[str] | Serves,
    *,
    path: str = "/",
    folder: Path | None = None,
    start_s: float = START_S,
) -> AsyncIterator[str]:
    """The address of a bot that runs while the block lasts: a command (`BotProcess`), or a coroutine.

    A coroutine is given the port to listen on, such as `lambda port: uvicorn.Server(uvicorn.Config(app,
    port=port)).serve()`. Raises BotNotStarted when it does not answer in time, or ends.
    """
    if not callable(bot):
        process = BotProcess(bot, path=path, folder=folder, start_s=start_s)
        await asyncio.to_thread(process.start)
        try:
            yield process.url
        finally:
            await asyncio.to_thread(process.stop)
        return
    port = free_port()
    serving_on = asyncio.ensure_future(_as_coroutine(bot(port)))
    try:
        try:
            async with asyncio.timeout(start_s):
                while not await asyncio.to_thread(answers, port):
                    await asyncio.wait((serving_on,), timeout=_ASK_EVERY_S)
                    if serving_on.done():
                        raise BotNotStarted("the bot ended before it answered") from serving_on.exception()
        except TimeoutError:
            raise BotNotStarted(f"the bot did not answer within {start_s:g} s") from None
        yield url_of(port, path)
        if serving_on.done():
            serving_on.result()  # it has ended by itself: an error is told
    except Exception as error:
        if serving_on.done() and serving_on.exception() not in (None, error, error.__cause__):
            error.add_note(f"the bot had ended: {serving_on.exception()!r}")
        raise
    finally:
        serving_on.cancel()
        await asyncio.wait((serving_on,), timeout=STOP_S)


@contextlib.asynccontextmanager
async def serving(
    converse: Callable[[ServerConnection], Awaitable[None]], **options: object
) -> AsyncIterator[str]:
    """The address of a server on which `converse` answers each call: for bots that are written in a test.

    `options` are those of `websockets.asyncio.server.serve`.
    """
    async with serve(converse, HOST, 0, **{"compression": None, **options}) as server:  # type: ignore[arg-type]
        yield url_of(server.sockets[0].getsockname()[1])


def url_of(port: int, path: str = "/") -> str:
    """A WebSocket on this machine."""
    return f"ws://{HOST}:{port}/{path.removeprefix('/')}"


def free_port() -> int:
    """One that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody there answers HTTP, with whatever; blocks, 2 s at most."""
    try:
        # A connection that is closed without a word would be an error in the bot's log.
        with socket.create_connection((HOST, port), timeout=2) as probe:
            probe.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode())
            return bool(probe.recv(1))
    except OSError:
        return False


async def _as_coroutine(of: Awaitable[object]) -> None:
    await of
