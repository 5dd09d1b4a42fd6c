"""The course of a call in which a test takes part: when it begins, what is done in it, when it is over."""

from __future__ import annotations

import asyncio

from bridge.harness.call_socket import CallFailed
from bridge.harness.clips import Clip
from bridge.harness.measured_call import MeasuredCall
from bridge.harness.performer import title_of
from bridge.harness.prompted import Prompted
from bridge.harness.results import RunResult
from bridge.harness.scenario import HangUp, Step, WaitForHangUp
from bridge.harness.witness import Witness

SHOWN = 8
"""So much of what has happened last is told by a failure."""
__tracebackhide__ = True  # pytest shows the line of the test, and not those in here


class NotMet(AssertionError):
    """What a test waited for or expected did not come true; the text says what happened instead."""


class LiveCourse:
    """One call's. First `follow`, then `place`, and `taken`; at the end `let_go` and `close`."""

    def __init__(self) -> None:
        self._placed: tuple[MeasuredCall, Prompted] | None = None
        self._begun = asyncio.Event()
        self._running: asyncio.Future[RunResult] = asyncio.get_running_loop().create_future()
        self._run: RunResult | None = None

    # --- for whoever makes the call ---

    def follow(self, running: asyncio.Future[RunResult]) -> None:
        """`running` is done when the call is over."""
        self._running = running

    def place(self, call: MeasuredCall, voice: Prompted) -> None:
        """That is the call, and its caller; it is about to be dialled."""
        self._placed = call, voice
        call.caller.witnesses = (*call.caller.witnesses, _Beginning(self._begun))

    async def taken(self) -> None:
        """Returns when the service has taken the call. Raises CallFailed."""
        begun = asyncio.ensure_future(self._begun.wait())
        try:
            await asyncio.wait((begun, self._running), return_when=asyncio.FIRST_COMPLETED)
        finally:
            begun.cancel()
        if not self._begun.is_set():
            (result,) = self.run.calls
            raise CallFailed(result.end_detail or result.end)

    def let_go(self) -> None:
        """Have the caller hang up, and wait for nothing."""
        if self._placed is not None:
            self.voice.over = True

    def close(self, run: RunResult) -> None:
        """That is what came of it, with what the test thought of it."""
        self._run = run

    # --- for the test ---

    @property
    def call(self) -> MeasuredCall:
        """What is measured. Raises RuntimeError before the call is placed."""
        return self._both[0]

    @property
    def voice(self) -> Prompted:
        """The caller. Raises RuntimeError before the call is placed."""
        return self._both[1]

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self._running.done()

    @property
    def run(self) -> RunResult:
        """What came of it, once it is over; RuntimeError before that."""
        if self._run is not None:
            return self._run
        if not self.over:
            raise RuntimeError("the call goes on: hang up, or leave its block, and then look at its result")
        return self._running.result()

    async def hang_up(self) -> None:
        """Returns when the call is over."""
        if not self.over:
            self._note("step", title_of(HangUp()))
            self.let_go()
            await asyncio.wait((self._running,))

    async def do(self, step: Step, clip: Clip | None = None) -> None:
        """Returns when a step is done; `clip` is what a speech says. Raises NotMet."""
        if self.over:
            raise self._not_met(f"{title_of(step)}: too late")
        self._note("step", title_of(step))
        done: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

        def told(unmet: list[str]) -> None:
            if not done.done():
                done.set_result(unmet)

        prompt = self.voice.ask(step, told, clip)
        try:
            await asyncio.wait((done, self._running), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.voice.forget(prompt)
        if done.done():
            if done.result():
                self._note("failure", done.result()[0])
                raise self._not_met("; ".join(done.result()))
        elif not isinstance(step, WaitForHangUp):
            raise self._not_met(f"{title_of(step)}: the call ended before that")

    # --- inside ---

    @property
    def _both(self) -> tuple[MeasuredCall, Prompted]:
        if self._placed is None:
            raise RuntimeError("the call has not begun")
        return self._placed

    def _note(self, kind: str, text: str) -> None:
        self.call.notes.note(kind, text, self.voice.now_ms)

    def _not_met(self, why: str) -> NotMet:
        spans = self.voice.utterances[-SHOWN:]
        heard = ", ".join(f"{began / 1000:.2f}–{ended / 1000:.2f} s" for began, ended in spans)
        lines = [
            f"{why} (at {self.voice.now_ms / 1000:.2f} s of the call)",
            f"the bot was heard: {heard or 'never'}",
        ]
        if moments := self.call.notes.moments()[-SHOWN:]:
            lines.append("what happened last:")
            lines += [f"  {one.at_ms / 1000:6.2f} s  {one.kind} {one.text}".rstrip() for one in moments]
        if self.over:
            (result,) = self.run.calls
            lines.append(f"the call is over: {result.end} {result.end_detail}".rstrip())
        return NotMet("\n".join(lines))


class _Beginning(Witness):
    def __init__(self, begun: asyncio.Event) -> None:
        self._begun = begun

    def began(self) -> None:
        self._begun.set()
