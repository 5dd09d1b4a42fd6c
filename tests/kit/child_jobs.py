"""Jobs that child processes of tests do (`Child("tests.kit.child_jobs:echo", …)`)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import msgspec

from bridge.outputs.child_link import ChildLink


def echo(arguments: dict[str, object], link: ChildLink) -> None:
    """Says its arguments, then what it is told."""
    link.send(msgspec.msgpack.encode(arguments))
    while True:
        message = link.receive()
        assert message is not None
        link.send(message)


def last_words(arguments: dict[str, object], link: ChildLink) -> None:
    """Counts what it is told, and says how much that was when the link has ended."""
    from bridge.outputs.child_link import LinkEnded

    count = 0
    try:
        while link.receive() is not None:
            count += 1
    except LinkEnded:
        link.send(str(count).encode())


def surroundings(arguments: dict[str, object], link: ChildLink) -> None:
    """Says what a child sees of the server."""
    import resource

    link.send(
        msgspec.msgpack.encode(
            {
                "environment": dict(os.environ),
                "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd")),
                "link": link.fileno(),
                "session": os.getsid(0) == os.getpid(),
                "command": sys.orig_argv,
                "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
                "address_bytes": resource.getrlimit(resource.RLIMIT_AS)[0],
                "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
                "niceness": os.nice(0),
                "umask": os.umask(0o077),
            }
        )
    )
    link.receive()


def hang(arguments: dict[str, object], link: ChildLink) -> None:
    """Says that it is there, and nothing any more."""
    link.send(b"here")
    time.sleep(60)


def work_long(arguments: dict[str, object], link: ChildLink) -> None:
    """Does not listen for a while, but breathes."""
    for _ in range(8):
        time.sleep(0.05)
        link.breathe()
    link.send(b"done")
    link.receive()


def talk(arguments: dict[str, object], link: ChildLink) -> None:
    """Writes what it is given to its standard error, and fails."""
    sys.stderr.write(str(arguments["text"]))
    sys.stderr.flush()
    raise SystemExit(3)


def eat(arguments: dict[str, object], link: ChildLink) -> None:
    """Takes more memory than it may."""
    held = bytearray(1 << 30)
    link.send(str(len(held)).encode())


def leave_a_child(arguments: dict[str, object], link: ChildLink) -> None:
    """Begins a process of its own that outlives it, if it may."""
    left = subprocess.Popen(["sleep", "60"])
    link.send(str(left.pid).encode())


def stubborn(arguments: dict[str, object], link: ChildLink) -> None:
    """Writes into a file, again and again, whatever the link says."""
    with open(str(arguments["path"]), "w", buffering=1) as file:
        print("alive", file=file)
        link.send(b"here")
        while True:
            print("alive", file=file)
            time.sleep(0.01)


def shut_in(arguments: dict[str, object], link: ChildLink) -> None:
    """Says what a demuxer's child can still do."""
    import av

    from bridge.legs.demux_job import shut_in

    def tried(what: Callable[[], object]) -> str:
        try:
            return f"done: {what()}"
        except Exception as error:
            return type(error).__name__ + " " + str(error)[:80]

    shut_in()
    attempts: dict[str, Callable[[], object]] = {
        "file": lambda: open("/etc/passwd", "rb"),
        "socket": lambda: socket.socket(),
        "pair": lambda: socket.socketpair(),
        "program": lambda: subprocess.run(["true"]),
        "demuxer": lambda: av.open("/etc/passwd", format="s16le"),
        "protocol": lambda: av.open("http://127.0.0.1:1/", timeout=1.0),
        "written": lambda: os.open("/tmp/written", os.O_CREAT | os.O_WRONLY),
    }
    told = {name: tried(what) for name, what in attempts.items()}
    told["environment"] = " ".join(sorted(os.environ))
    link.send(msgspec.msgpack.encode(told))
    link.receive()
