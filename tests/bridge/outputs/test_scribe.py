"""The scribe's job, done in a thread of the test: many logs, of which one is stuck."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.outputs import scribe
from bridge.outputs.child_frames import FrameCutter, FrameKind, head
from bridge.outputs.child_link import ChildLink
from bridge.outputs.disk import Disk
from bridge.outputs.record import Sound
from bridge.outputs.record_log import pack
from bridge.outputs.record_reader import RecordReader
from bridge.outputs.scribe_wire import (
    Answer,
    Append,
    Close,
    Durable,
    Open,
    Opened,
    Order,
    Troubled,
    decode_answer,
    encode,
)
from tests.kit.coded_sound import coded, heard_ticks
from tests.kit.faulty_disk import FaultyDisk

pytestmark = pytest.mark.e2e


class Server:
    """The other end of a scribe's link."""

    def __init__(self, root: Path) -> None:
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(10)
        self._cutter = FrameCutter()
        self.answers: list[Answer] = []
        self._thread = threading.Thread(target=scribe.run, args=({"root": str(root)}, ChildLink(theirs)))
        self._thread.start()

    def tell(self, order: Order) -> None:
        said = encode(order)
        self._socket.sendall(head(FrameKind.MESSAGE, len(said)) + said)

    def say(self, log: int, chunk: int) -> None:
        """Chunk 0 is the ticks 0…9."""
        payload = pack([Sound("program", 10 * chunk, coded(10 * chunk, 10))])
        self.tell(Append(log, 1, chunk + 1, 10 * chunk, 10 * chunk + 10, payload))

    def hear(self, kind: type[Answer], log: int) -> Answer:
        """The next one of that kind about that log."""
        while True:
            for answer in self.answers:
                if isinstance(answer, kind) and answer.log == log:
                    self.answers.remove(answer)
                    return answer
            for _, payload in self._cutter.feed(self._socket.recv(1 << 16)):
                self.answers.append(decode_answer(payload))

    def leave(self) -> float:
        """Ends the link; gives how long the scribe went on."""
        began = time.monotonic()
        self._socket.shutdown(socket.SHUT_WR)
        self._thread.join(20)
        self._socket.close()
        assert not self._thread.is_alive()
        return time.monotonic() - began


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    before = threading.stack_size()
    made = Server(tmp_path)
    yield made
    if made._thread.is_alive():
        made.leave()
    threading.stack_size(before)


def test_each_log_is_acknowledged_for_itself(tmp_path: Path, server: Server) -> None:
    for log in (1, 2):
        server.tell(Open(log, f"r{log}", 0, b"12345678", 0))
        assert server.hear(Opened, log) == Opened(log, 1, 0, 0, 32)
        for chunk in range(3):
            server.say(log, chunk)
    for log in (1, 2):
        answer = server.hear(Durable, log)
        assert isinstance(answer, Durable) and answer.sequence == 3
        assert heard_ticks(RecordReader(tmp_path / f"r{log}").read(0)) == list(range(30))


def test_what_was_taken_is_written_when_the_server_is_gone(tmp_path: Path, server: Server) -> None:
    server.tell(Open(1, "r1", 0, b"12345678", 0))
    server.hear(Opened, 1)
    for chunk in range(50):
        server.say(1, chunk)
    assert server.leave() < 2.0
    assert heard_ticks(RecordReader(tmp_path / "r1").read(0)) == list(range(500))


def test_a_closed_log_is_let_go(tmp_path: Path, server: Server) -> None:
    server.tell(Open(1, "r1", 0, b"12345678", 0))
    server.hear(Opened, 1)
    server.say(1, 0)
    server.tell(Close(1))
    server.hear(Durable, 1)
    server.tell(Open(2, "r1", 0, b"12345678", 1))  # it is no longer locked
    assert server.hear(Opened, 2) == Opened(2, 1, 1, 10, (tmp_path / "r1/log/000000.rec").stat().st_size)
    server.say(1, 1)  # and nobody minds
    server.say(2, 1)
    server.hear(Durable, 2)


def test_a_disk_that_does_not_answer_for_one_log_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, free = threading.Event(), threading.Event()

    class StuckDisk(Disk):
        def sync(self, descriptor: int) -> None:
            if "/r1/" in os.readlink(f"/proc/self/fd/{descriptor}") and super().size(descriptor) > 32:
                stuck.set()
                free.wait(10)
            super().sync(descriptor)

    monkeypatch.setattr(scribe, "Disk", StuckDisk)
    monkeypatch.setattr(scribe, "FAREWELL_S", 0.5)
    server = Server(tmp_path)
    for log in (1, 2):
        server.tell(Open(log, f"r{log}", 0, b"12345678", 0))
        server.hear(Opened, log)
    server.say(1, 0)
    assert stuck.wait(5)
    for chunk in range(3):
        server.say(2, chunk)
        server.hear(Durable, 2)
    assert not any(answer.log == 1 for answer in server.answers)
    assert server.leave() < 1.5  # nor does it hold up the end
    free.set()


def test_a_fault_of_ours_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faulty = FaultyDisk()

    class WrongDisk(FaultyDisk):
        def write(self, descriptor: int, piece: bytes | memoryview, offset: int) -> int:
            if faulty.fail:
                raise RuntimeError("a fault of ours")
            return Disk.write(self, descriptor, piece, offset)

    monkeypatch.setattr(scribe, "Disk", WrongDisk)
    monkeypatch.setattr("bridge.outputs.scribe_pen.RETRY_S", 0.05)
    server = Server(tmp_path)
    server.tell(Open(1, "r1", 0, b"12345678", 0))
    server.hear(Opened, 1)
    faulty.fail["write"] = 1
    server.say(1, 0)
    assert server.hear(Troubled, 1) == Troubled(1, "the log cannot be written")
    assert "a fault of ours" in caplog.text
    faulty.fail.clear()
    again = server.hear(Opened, 1)
    assert isinstance(again, Opened) and again.opening == 2
    server.leave()
