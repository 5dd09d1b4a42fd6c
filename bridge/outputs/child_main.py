"""Where a child process of the server begins: `python -m bridge.outputs.child_main JOB DESCRIPTOR PARENT`.

Not for people: `bridge.outputs.children.Child` starts it, with a link on DESCRIPTOR.
"""

from __future__ import annotations

import importlib
import signal
import socket
import sys
from collections.abc import Callable

import msgspec

from bridge.outputs.child_limits import ChildLimits, confine
from bridge.outputs.child_link import ChildLink, LinkEnded

JOBS = {
    "demux": "bridge.legs.demux_job:run",
    "follower": "bridge.outputs.follower:run",
    "live": "bridge.outputs.live_job:run",
    "scribe": "bridge.outputs.scribe:run",
}
"""What a child can be told to do: `module:function`, called with its arguments and its link."""

Job = Callable[[dict[str, object], ChildLink], None]


class Hello(msgspec.Struct, frozen=True, array_like=True):
    """The first thing a child is told; not on its command line, which everybody on the machine can read."""

    limits: ChildLimits
    arguments: dict[str, object]


def main(job: str, descriptor: int, parent: int) -> None:
    """Do `job` until it is done or the server ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the server, which then ends us
    link = ChildLink(socket.socket(fileno=descriptor))
    try:
        hello = msgspec.msgpack.decode(link.hello(), type=Hello)
        confine(hello.limits, parent)
        module, _, function = JOBS.get(job, job).partition(":")
        run: Job = getattr(importlib.import_module(module), function)
        run(hello.arguments, link)
    except LinkEnded:
        pass


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
