"""The child process that writes the logs of all recordings of a server.

Each log has a thread of its own, so that a disk that does not answer holds up nobody else; how much a thread
may be behind is bounded by what the server sends without an acknowledgement.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from queue import Empty, SimpleQueue

from bridge.outputs.child_link import ChildLink, LinkEnded
from bridge.outputs.disk import Disk
from bridge.outputs.log_file import LogFile
from bridge.outputs.scribe_pen import Pen
from bridge.outputs.scribe_wire import Answer, Append, Close, Open, decode_order, encode

FAREWELL_S = 5.0
"""How long it goes on writing what it has when the server has died."""

log = logging.getLogger(__name__)


def run(arguments: dict[str, object], link: ChildLink) -> None:
    """The job `scribe`. Arguments: `root`, the directory of the recordings."""
    threading.stack_size(512 << 10)
    root = str(arguments["root"])
    desks: dict[int, _Desk] = {}
    try:
        while True:
            message = link.receive()
            assert message is not None  # without a time limit, there is one
            order = decode_order(message)
            if isinstance(order, Open):
                desks[order.log] = _Desk(order, LogFile(
                    Disk(), root, order.recording, order.stretch, order.identity
                ), link)  # fmt: skip
            elif isinstance(order, Close):
                if (desk := desks.pop(order.log, None)) is not None:
                    desk.inbox.put(None)
            elif (desk := desks.get(order.log)) is not None:
                desk.inbox.put(order)
    except LinkEnded:
        for desk in desks.values():
            desk.inbox.put(None)
        until = time.monotonic() + FAREWELL_S
        for desk in desks.values():
            desk.thread.join(max(0.0, until - time.monotonic()))


class _Desk:
    """One log's thread, and what it has still to write (None: that was all)."""

    def __init__(self, order: Open, file: LogFile, link: ChildLink) -> None:
        self._link = link
        self._pen = Pen(order.log, file, order.acknowledged, self._say)
        self.inbox: SimpleQueue[Append | None] = SimpleQueue()
        self.thread = threading.Thread(target=self._work, name=f"log {order.log}", daemon=True)
        self.thread.start()

    def _work(self) -> None:
        while True:
            try:
                self._pen.tend(time.monotonic())
                order = self._wait()
                if order is None:
                    self._pen.close(time.monotonic())
                    return
                self._pen.take(order, time.monotonic())
            except Empty:
                continue
            except Exception:
                log.exception("x writing a log failed")
                self._pen.fail(OSError(), time.monotonic())

    def _wait(self) -> Append | None:
        """The next order; raises Empty when something is due first."""
        due_at = self._pen.due_at()
        return self.inbox.get(timeout=None if due_at is None else max(0.0, due_at - time.monotonic()))

    def _say(self, answer: Answer) -> None:
        with contextlib.suppress(LinkEnded):  # the server is gone; what it said is written all the same
            self._link.send(encode(answer))
