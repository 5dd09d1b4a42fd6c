"""What a child process may use. The server says it, the child puts it on itself before it does anything."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from types import FrameType

import msgspec

_PR_SET_PDEATHSIG = 1  # prctl(2)


class ChildLimits(msgspec.Struct, frozen=True):
    """None is no limit. The defaults suit a child that encodes one or two pictures and some sound."""

    address_bytes: int | None = 4 << 30
    """Address space: what is mapped, not what is used. FFmpeg's threads map a lot."""
    cpu_s: int | None = None
    """Seconds of processor time, for what ends by itself; then the kernel kills it."""
    open_files: int | None = 256
    file_bytes: int | None = None
    """Size of one file written."""
    niceness: int = 0
    """Added to the server's; a child that may wait takes 5 or 10, so that ticks come first."""
    hang_s: float | None = 20.0
    """A child of which nothing is heard for so long is killed (see `ChildLink.breathe`)."""
    farewell_s: float = 0.0
    """How long it may live on when the server died, to finish what it has; 0: dies at once."""


def confine(limits: ChildLimits, parent: int) -> None:
    """Put `limits` on this process, whose parent was `parent` when it was begun. Once, at its start."""
    _die_with(parent, limits.farewell_s)
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, limits.address_bytes),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
    ):
        if most is not None:
            _, hard = resource.getrlimit(kind)
            if hard != resource.RLIM_INFINITY:
                most = min(most, hard)
            resource.setrlimit(kind, (most, most))
    if limits.niceness:
        os.nice(limits.niceness)
    os.umask(0o077)


def _die_with(parent: int, farewell_s: float) -> None:
    def left_alone(number: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, farewell_s)  # SIGALRM is left to the system: it ends us

    # Who stops a service sends SIGTERM to all of its processes, and the server still needs us.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    told = signal.SIGKILL
    if farewell_s > 0:
        told = signal.SIGUSR1
        signal.signal(told, left_alone)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(told), 0, 0, 0)
    if os.getppid() != parent:  # it died before we could ask to be told
        os.kill(os.getpid(), told)
