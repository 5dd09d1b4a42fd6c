"""A simulated call from its answer URL to its hang-up URL: the vendor's whole side of it.

The answer URL is asked, its XML is carried out, the stream is measured like any other call, what follows in
the XML is carried out, too, and the hang-up URL is told. `run` gives what came of it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from bridge.core.ports import CallStart
from bridge.harness.account import Account
from bridge.harness.addresses import without_query
from bridge.harness.answer_course import AnswerCourse, AnswerSettings, CourseOver
from bridge.harness.call_desk import DeskCall
from bridge.harness.call_endings import (
    BY_CALLER,
    BY_REST,
    END_OF_XML,
    SCHEDULED,
    Ending,
    ended_without_stream,
)
from bridge.harness.call_fields import CallFields
from bridge.harness.dialling import Dialling, Place
from bridge.harness.measured_call import MeasuredCall
from bridge.harness.results import CallResult, Moment
from bridge.harness.stream_events import StreamEvents
from bridge.harness.timeline import Timeline
from bridge.harness.webhooks import WebhookFailed, Webhooks
from bridge.harness.witness import Witness
from bridge.legs.plivo_answer_wire import StreamElement

MAX_REMARKS = 100
CANCELLED_S = 2.0
"""Of a call that nobody judges any more, the hang-up URL gets so long."""
Given = TypeVar("Given")


class AnsweredCall:
    """One call; `run` it once. `start` holds its ids; the rest of it is the answer's to say."""

    def __init__(
        self,
        number: int,
        start: CallStart,
        settings: AnswerSettings,
        account: Account,
        webhooks: Webhooks,
        place: Place,
        scenario: str = "",
    ) -> None:
        self._number = number
        self._start = start
        self._settings = settings
        self._account = account
        self._webhooks = webhooks
        self._place = place
        self._scenario = scenario
        self._started_at = time.time()
        self._fields = CallFields(
            start.call_id, account.auth_id, settings.from_number or f"1555555{100 + number % 9_900:04}",
            settings.to_number, self._started_at,
        )  # fmt: skip
        self._notes = Timeline()
        self._remarks: list[str] = []
        self._xml = AnswerCourse(
            webhooks, settings, self._fields.asking,
            note=self._note, remark=self._remark, schedule=self._schedule,
        )  # fmt: skip
        self._call: MeasuredCall | None = None
        self._events: StreamEvents | None = None
        self._begun = asyncio.Event()
        self._over = asyncio.Event()
        self._ending: Ending | None = None
        self._how = ""
        self._cancelled = False
        self._stopped: tuple[str, str] | None = None
        """The stream was: why, for people and as the vendor says it."""
        self._timers: list[asyncio.TimerHandle] = []

    @property
    def desk_call(self) -> DeskCall:
        """What can be done to the call by REST."""
        return DeskCall(
            self._start.call_id, self._start.stream_id,
            hang_up=lambda: self._end(BY_REST, "by REST"),
            stop_stream=lambda: self._stop_stream("it stopped its stream by REST", "API request"),
            unserved=self._unserved,
            from_number=self._fields.from_number, to_number=self._fields.to_number,
        )  # fmt: skip

    @property
    def recorded(self) -> bool:
        """Whether its sound is kept."""
        return self._call is not None and self._call.recorded

    def cancel(self) -> None:
        """End the call now, as one that nobody judges; `run` returns soon."""
        self._cancelled = True
        self._over.set()
        if self._call is not None:
            self._call.cancel()

    async def run(self) -> CallResult:
        """Returns when the call is over and the bot's web server has been told."""
        began = time.monotonic()
        try:
            result = await self._course()
            lasted_s = time.monotonic() - began
            if self._events is not None:
                await self._events.close()
            await self._tell_hangup()
        finally:
            for timer in self._timers:
                timer.cancel()
        answer_s = self._xml.answer_s
        return dataclasses.replace(
            result,
            started_at=self._started_at,
            duration_ms=round(lasted_s * 1000),
            answer_ms=None if answer_s is None else round(answer_s * 1000, 1),
            remarks=self._remarks,
            timeline=self._moments(),
        )

    # --- its course ---

    async def _course(self) -> CallResult:
        try:
            stream = await self._until_over(self._xml.to_stream())
        except CourseOver as over:
            self._ending, self._how = over.ending, over.how
            stream = None
        if stream is None:
            return self._without_stream()
        call = self._call = self._dialled(stream)
        following = None if stream.alone else asyncio.create_task(self._next_to_stream(call))
        try:
            result = await call.run()
            self._stream_is_over(result)
            if self._ending is None and not self._cancelled:
                await self._until_over(following or self._after_stream())
        finally:
            if following is not None:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
        return result

    def _dialled(self, stream: StreamElement) -> MeasuredCall:
        self._note("stream", f"to {without_query(stream.url)}")
        start = dataclasses.replace(
            self._start, tracks=stream.tracks, audio_format=stream.audio_format, headers=stream.headers
        )
        signed = self._webhooks.marked(self._account.signed_socket(stream.url))
        call = self._place(Dialling(stream.url, start, signed, stream.bidirectional))
        call.caller.witnesses = (*call.caller.witnesses, _StreamWatch(self, stream))
        fields = {**self._fields.ends, "StreamID": start.stream_id, "ServiceURL": stream.url}
        self._events = StreamEvents(self._webhooks, stream, lambda: fields, self._note, self._remark)
        return call

    async def _next_to_stream(self, call: MeasuredCall) -> None:
        """What follows a stream that does not hold it up."""
        nothing_follows = self._xml.over
        if nothing_follows:  # "the call ends within seconds": not before the bot knows of it
            await self._begun.wait()
        over = await self._xml.rest()
        if over.ending is END_OF_XML and nothing_follows:
            how = "its XML was over at once: nothing follows the <Stream>, and without both bidirectional and"
            over.how = f"{how} keepCallAlive it does not hold the call"
            call.failures.append(f"bot hung up: {over.how}")
        self._end(over.ending, over.how)

    async def _after_stream(self) -> None:
        over = await self._xml.rest()
        self._note("ended", over.how)
        self._ending = over.ending

    def _stream_is_over(self, result: CallResult) -> None:
        self._xml.stream_over.set()
        if result.end == "caller hung up":
            self._ending = BY_CALLER
        if self._events is None:
            return
        if self._stopped is not None:
            self._events.ended("StopStream", self._stopped[1])
        elif result.end in ("caller hung up", "bot hung up", "cancelled"):
            self._events.ended("StopStream", "Call hangup")
        else:
            self._events.ended("DroppedStream", "Connection error")

    def _without_stream(self) -> CallResult:
        ending = self._ending or BY_CALLER
        end = "cancelled" if self._cancelled else ended_without_stream(ending)
        return CallResult(
            self._number, self._start.call_id, self._scenario, self._started_at, 0, end, self._how,
            failures=[] if self._cancelled else [f"{end}: {self._how}"],
        )  # fmt: skip

    async def _until_over(self, work: Coroutine[Any, Any, Given] | asyncio.Task[Given]) -> Given | None:
        """None when the call is over before that."""
        doing = asyncio.ensure_future(work)
        over = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait((doing, over), return_when=asyncio.FIRST_COMPLETED)
            return doing.result() if doing.done() else None
        finally:
            doing.cancel()
            over.cancel()
            await asyncio.gather(doing, over, return_exceptions=True)

    # --- ends that come from elsewhere ---

    def _end(self, ending: Ending, how: str) -> None:
        if self._ending is None:
            self._ending, self._how = ending, how
        self._over.set()
        if self._call is not None and not self._xml.stream_over.is_set():
            self._call.hung_up_by_bot(how)

    def _schedule(self, in_s: float) -> None:
        loop = asyncio.get_running_loop()
        how = f"by <Hangup schedule> in its XML, after {in_s:g} s"
        self._timers.append(loop.call_later(in_s, self._end, SCHEDULED, how))

    def _stop_stream(self, how: str, reason: str) -> bool:
        if self._call is None or self._xml.stream_over.is_set() or self._stopped is not None:
            return False
        self._stopped = how, reason
        self._call.hung_up_by_bot(how)
        return True

    def stream_began(self, stream: StreamElement) -> None:
        """The bot has accepted the socket."""
        self._begun.set()
        if self._events is not None and self._call is not None:
            self._events.tell("StartStream")
            caller = self._call.caller
            self._events.watch(lambda: caller.unsent_share)
        how = f"the streamTimeout of its XML was over, after {stream.timeout_s} s"
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(stream.timeout_s, self._stop_stream, how, "Stream timeout"))

    # --- what is told ---

    async def _tell_hangup(self) -> None:
        if not self._settings.hangup_url:
            return
        fields = self._fields.ended(self._ending or BY_CALLER, self._xml.answered_at)
        try:
            async with asyncio.timeout(CANCELLED_S if self._cancelled else None):
                await self._webhooks.ask("POST", self._settings.hangup_url, fields)
            self._note("callback", "the hang-up URL has taken the end of the call")
        except TimeoutError:
            return
        except WebhookFailed as failed:
            self._note("callback", "the hang-up URL did not take the end of the call")
            self._remark(f"its hang-up URL did not take the end of the call: {failed}")

    def _unserved(self, what: str) -> None:
        self._note("unsupported", what)
        self._remark(f"not carried out: {what}")

    def _remark(self, text: str) -> None:
        if text not in self._remarks and len(self._remarks) < MAX_REMARKS:
            self._remarks.append(text)

    def _note(self, kind: str, text: str) -> None:
        (self._notes if self._call is None else self._call.notes).note(kind, text)

    def _moments(self) -> list[Moment]:
        return self._notes.moments() + ([] if self._call is None else self._call.notes.moments())


class _StreamWatch(Witness):
    def __init__(self, call: AnsweredCall, stream: StreamElement) -> None:
        self._call = call
        self._stream = stream

    def began(self) -> None:
        self._call.stream_began(self._stream)
