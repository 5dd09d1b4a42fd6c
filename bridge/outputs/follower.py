"""A child's job: make the files of a recording, as it goes or afterwards.

Begun again, after it died or the log has grown, it gives the same files.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from bridge.outputs.child_link import ChildLink, LinkEnded
from bridge.outputs.follow_wire import (
    FINISH,
    Finished,
    FollowerMessage,
    FollowPlan,
    Problem,
    Progress,
    Waiting,
    Whole,
    encode_message,
    plan_of,
)
from bridge.outputs.one_thread import use_one_thread
from bridge.outputs.record_log import BadLog
from bridge.outputs.record_reader import RecordReader
from bridge.outputs.recording_files import RecordingFiles
from bridge.outputs.weave import Block, Weaver

_PAUSE_S: Final = 0.2
"""How long is waited when there is nothing new in the log."""
_STILLS_TICKS: Final = 1_500
"""How often thumbnail and preview are drawn while the recording goes on; the first after so long."""
_SO_FAR_TICKS: Final = 250
"""How often the manifest so far is written, beginning with the first sound."""
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_REPORT_S: Final = 1.0


def die_with_parent(parent: int) -> None:
    """A forked process must not outlive its parent, and write beside the one that comes after that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(errno.EIO)


class _NoMore(Exception):
    """The stretch will not go on."""


def run(arguments: dict[str, object], link: ChildLink) -> None:
    """Follow the plan in `arguments`; messages are those of `follow_wire`."""
    use_one_thread()
    follower = _Follower(plan_of(arguments), link)
    try:
        follower.follow()
    except (OSError, BadLog, ValueError) as wrong:
        follower.give_up(wrong)


class _Follower:
    def __init__(self, plan: FollowPlan, link: ChildLink) -> None:
        self._plan = plan
        self._link = link
        self._reader = RecordReader(Path(plan.directory))
        self._weaver = Weaver()
        self._files: RecordingFiles | None = None
        self._told_to_finish = False
        self._last_look = False
        self._caught_up = False
        self._drawn = 0
        self._said = -_SO_FAR_TICKS
        self._reported = self._breathed = time.monotonic()

    def follow(self) -> None:
        """Everything, to the manifest. Raises LinkEnded, OSError, BadLog, ValueError."""
        self._files = files = RecordingFiles(self._plan, self._breathe)
        while (stretch := self._next_stretch(files)) is not None:
            self._read(stretch, files)
        over = self._told_to_finish or not self._may_go_on()
        sizes, notes = files.finish(over, lambda name: self._send(Whole(name)))
        made = self._weaver.time
        self._send(Finished(made.duration_ms, sizes, notes, len(made.stretches)))

    def give_up(self, wrong: Exception) -> NoReturn:
        """Say what is wrong and end, with an exit code that says so, too."""
        if self._files is not None:
            self._files.abandon()
        # An OSError's own text names the path, which is the operator's business; what failed is enough.
        text = wrong.strerror or "input or output failed" if isinstance(wrong, OSError) else str(wrong)
        self._send(Problem(text))
        raise SystemExit(1)

    def _next_stretch(self, files: RecordingFiles) -> int | None:
        """The one after the last that was read; None when there is none, and none will come."""
        told = False
        while True:
            newer = [number for number in self._reader.stretches() if number > self._last()]
            if newer:
                if told:
                    files.go_on()
                    self._said = -_SO_FAR_TICKS
                return newer[0]
            if self._told_to_finish or not self._plan.follow or not self._may_go_on():
                return None
            if not told and self._weaver.time.stretches:
                self._make_whole(files)
                self._send(Waiting(self._weaver.time.duration_ms, self._last()))
                told = True
            self._listen(_PAUSE_S)

    def _make_whole(self, files: RecordingFiles) -> None:
        """Finish copies of all files, in a copy of this process: coders cannot be finished and then go on."""
        files.sync()
        parent = os.getpid()
        process = os.fork()
        if process == 0:
            code = errno.EIO
            try:
                die_with_parent(parent)
                files.finish_copies()
                code = 0
            except OSError as wrong:
                code = wrong.errno or errno.EIO
            finally:
                os._exit(code)
        try:
            while (ended := os.waitpid(process, os.WNOHANG))[0] == 0:
                self._listen(_PAUSE_S / 10)
        except LinkEnded:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            raise
        if (code := os.waitstatus_to_exitcode(ended[1])) != 0:
            code = code if code > 0 else errno.EIO
            raise OSError(code, os.strerror(code))

    def _last(self) -> int:
        stretches = self._weaver.time.stretches
        return stretches[-1].number if stretches else -1

    def _may_go_on(self) -> bool:
        """Whether another stretch may come without a word: after a restart the server begins one, or says
        that it is over.
        """
        stretches = self._weaver.time.stretches
        return not stretches or stretches[-1].why in (None, "paused", "restart", "died")

    def _read(self, stretch: int, files: RecordingFiles) -> None:
        self._weaver.begin(stretch)
        self._last_look = False
        with suppress(_NoMore):
            for told in self._reader.told(stretch, self._await if self._plan.follow else None):
                for block in self._weaver.take(told):
                    self._put(files, block)
        for block in self._weaver.finish():
            self._put(files, block)

    def _put(self, files: RecordingFiles, block: Block) -> None:
        files.put(block, self._weaver.time)
        self._breathe()
        now = time.monotonic()
        if now - self._reported >= _REPORT_S:
            self._reported = now
            files.sync()
            if self._plan.follow and files.tick - self._drawn >= _STILLS_TICKS:
                self._drawn = files.tick
                files.draw_stills()
            self._send(Progress(self._weaver.time.duration_ms, self._last()))

    def _await(self) -> None:
        """There is nothing new in the stretch's log: wait, unless it is certain that nothing comes."""
        if self._last_look:
            raise _NoMore
        if not self._caught_up and self._files is not None:
            # What an earlier follower made whole is older than what we have by now.
            self._caught_up = True
            self._files.go_on()
        files = self._files
        if files is not None and files.tick and files.tick - self._said >= _SO_FAR_TICKS:
            self._said = files.tick
            files.say_so_far()
        # Between the last look into the log and this one something may have come: look once more.
        self._last_look = self._told_to_finish or self._reader.stretches()[-1:] > [self._last()]
        if not self._last_look:
            self._listen(_PAUSE_S)

    def _breathe(self) -> None:
        now = time.monotonic()
        if now - self._breathed >= _REPORT_S:
            self._breathed = now
            self._listen(0)

    def _listen(self, within_s: float) -> None:
        if self._link.receive(within_s) == FINISH:
            self._told_to_finish = True

    def _send(self, message: FollowerMessage) -> None:
        self._link.send(encode_message(message))
