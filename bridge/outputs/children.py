"""The server's side of a child process: begun, spoken to, noticed when it ends or hangs, ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import cast

import msgspec

from bridge.outputs.child_frames import BadFrame, FrameCutter, FrameKind, head
from bridge.outputs.child_limits import ChildLimits
from bridge.outputs.child_main import Hello
from bridge.outputs.child_words import ChildWords

log = logging.getLogger(__name__)

_TO_STDERR_END_S = 1.0


class Child:
    """One child process that does `job` (a name of `child_main.JOBS`, or `module:function`).

    Made, it does nothing; `start` begins it, once. All on the event loop's thread. It gets a clean
    environment, its own session, `/` as its directory, no open file but its link, and its limits; it dies
    with the server. What it writes to its standard error goes into our log. It is not begun again by itself:
    make another one (see `back_off`).

    `on_message` gets what the job sends. `on_exit` is called once, after the last message, with the exit code
    (negative: the signal that ended it), however it ended.
    """

    def __init__(
        self,
        job: str,
        arguments: Mapping[str, object],
        *,
        on_message: Callable[[bytes], None],
        on_exit: Callable[[int], None],
        limits: ChildLimits | None = None,
        queue_bytes: int = 8 << 20,
    ) -> None:
        """`arguments` are sent by msgpack. At most `queue_bytes` wait for a child that does not read."""
        self.job = job
        self._hello = msgspec.msgpack.encode(Hello(limits or ChildLimits(), dict(arguments)))
        self._hang_s = (limits or ChildLimits()).hang_s
        self._on_message = on_message
        self._on_exit = on_exit
        self._queue_bytes = queue_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: _ChildWire | None = None
        self._words: ChildWords | None = None
        self._gone = asyncio.Event()
        self._pinging: asyncio.TimerHandle | None = None
        self._pinged_at: float | None = None
        self._ending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin it. Raises OSError when the system grants no process."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        read_end, write_end = os.pipe()
        try:
            self._process = self._begin(theirs.fileno(), write_end)
        except BaseException:
            ours.close()
            os.close(read_end)
            raise
        finally:
            theirs.close()
            os.close(write_end)
        self._watch_exit(loop)
        self._words = words = ChildWords(f"{self.job} {self.pid}")
        wire = _ChildWire(self._received)
        try:
            await loop.connect_read_pipe(lambda: words, os.fdopen(read_end, "rb", 0))
            await loop.create_unix_connection(lambda: wire, sock=ours)
        except BaseException:  # cancelled, say: nobody could speak with it
            ours.close()
            self.kill()
            raise
        self._wire = wire
        wire.write(FrameKind.HELLO, self._hello)
        if self._hang_s is not None:
            self._pinging = loop.call_later(self._hang_s / 4, self._ping)

    def send(self, message: bytes) -> bool:
        """Hand it over. False when too much waits already or the child is gone: it was not taken."""
        if self._wire is None or not self.alive or self._wire.said_all:
            return False
        if self._wire.waiting_bytes + len(message) > self._queue_bytes:
            return False
        self._wire.write(FrameKind.MESSAGE, message)
        return True

    async def stop(self, within_s: float) -> None:
        """Ask it to end, wait so long, then kill it; back when it is gone. May be called twice."""
        if self._process is None:
            return
        if self._wire is not None:
            self._wire.end()
        try:
            async with asyncio.timeout(within_s):
                await self._gone.wait()
        except TimeoutError:
            log.warning("x %s %s did not end within %.1f s and is killed", self.job, self.pid, within_s)
            self.kill()
            await self._gone.wait()

    def kill(self) -> None:
        """End it at once, and what it has begun; `on_exit` follows."""
        if self._process is not None and self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    @property
    def pid(self) -> int | None:
        """None before `start`."""
        return None if self._process is None else self._process.pid

    @property
    def alive(self) -> bool:
        """Begun, and not known to have ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def waiting_bytes(self) -> int:
        """What the child has not read yet, as far as it does not lie in the system."""
        return 0 if self._wire is None else self._wire.waiting_bytes

    def _begin(self, link: int, words: int) -> subprocess.Popen[bytes]:
        # Not by asyncio, which forks a large process or needs a thread a child; this one uses vfork. The
        # thread that begins it must be one that lives on: the child dies with it (PR_SET_PDEATHSIG).
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "bridge.outputs.child_main", self.job, str(link), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            pass_fds=(link,),
            start_new_session=True,
            cwd="/",
            env={
                "PATH": os.defpath,
                "LANG": "C.UTF-8",
                "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path),
            },
        )

    def _received(self, kind: FrameKind, payload: bytes) -> None:
        self._pinged_at = None
        if kind is not FrameKind.MESSAGE:
            return
        try:
            self._on_message(payload)
        except Exception:
            log.exception("x a message of %s %s was not understood", self.job, self.pid)

    def _ping(self) -> None:
        assert self._hang_s is not None
        if not self.alive or self._wire is None or self._wire.said_all:  # `stop` has a deadline of its own
            return
        now = time.monotonic()
        if self._pinged_at is None:
            self._pinged_at = now
            self._wire.write(FrameKind.PING, b"")
        elif now - self._pinged_at >= self._hang_s:
            log.error("x %s %s said nothing for %.0f s and is killed", self.job, self.pid, self._hang_s)
            self.kill()
        self._pinging = asyncio.get_running_loop().call_later(self._hang_s / 4, self._ping)

    def _watch_exit(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self._process is not None
        watch = os.pidfd_open(self._process.pid)

        def ended() -> None:
            loop.remove_reader(watch)
            os.close(watch)
            self._ending = loop.create_task(self._end())

        loop.add_reader(watch, ended)

    async def _end(self) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):  # what it began; its number is its own until fetched
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()  # it has ended: this only fetches how
        if self._pinging is not None:
            self._pinging.cancel()
        # What it said last may still lie in the pipe and the socket, unless a child of its own holds them.
        for last in (self._words, self._wire):
            if last is not None:
                try:
                    async with asyncio.timeout(_TO_STDERR_END_S):
                        await last.ended.wait()
                except TimeoutError:
                    last.abort()
        if self._wire is not None:
            self._wire.abort()
        try:
            self._on_exit(self._process.returncode)
        except Exception:
            log.exception("x the end of %s %s was not understood", self.job, self.pid)
        finally:
            self._gone.set()


class _ChildWire(asyncio.Protocol):
    """The link's end in the server."""

    def __init__(self, received: Callable[[FrameKind, bytes], None]) -> None:
        self._received = received
        self._cutter = FrameCutter()
        self._transport: asyncio.Transport | None = None
        self.ended = asyncio.Event()
        self.said_all = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its type

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._cutter.feed(data)
        except BadFrame:
            log.exception("x a child's link broke")
            self.abort()
            return
        for kind, payload in frames:
            self._received(kind, payload)

    def eof_received(self) -> bool:
        self.ended.set()
        return True  # the other direction stays open until the process is gone

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()

    def write(self, kind: FrameKind, payload: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing() and not self.said_all:
            self._transport.write(head(kind, len(payload)))
            self._transport.write(payload)

    def end(self) -> None:
        """Nothing more comes from us; what waits is still sent."""
        if self._transport is not None and not self._transport.is_closing() and not self.said_all:
            self.said_all = True
            self._transport.write_eof()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    @property
    def waiting_bytes(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()
