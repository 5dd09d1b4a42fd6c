"""Carries out what an answer URL says, one element after another: the vendor's side of its XML.

| element | here |
|---|---|
| `Stream` | given to whoever runs the course; one in a call, any further one is named |
| `Wait` | waited for, 10 minutes in one call at most |
| `Hangup` | the end, or the end after `schedule` seconds |
| `Redirect` | fetched, 10 in one call at most; what follows it is never reached |
| `PreAnswer` | what it holds |
| all others | named and passed over; next to a stream, those that last do so until it has ended |
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bridge.harness.addresses import without_query
from bridge.harness.call_endings import (
    BAD_ANSWER_XML,
    BAD_REDIRECT_URL,
    BAD_REDIRECT_XML,
    BUSY,
    BY_XML,
    END_OF_XML,
    NO_ANSWER_URL,
    NO_REDIRECT_URL,
    REJECTED,
    Ending,
)
from bridge.harness.webhooks import WebhookFailed
from bridge.legs.plivo_answer_wire import (
    Answer,
    AnswerElement,
    BadAnswer,
    HangupElement,
    Method,
    OtherElement,
    RedirectElement,
    StreamElement,
    WaitElement,
    is_address,
    read_answer,
)

MAX_REDIRECTS = 10
MAX_WAIT_S = 600.0
"""In one call; what would be longer is cut short."""


@dataclass(frozen=True, slots=True)
class AnswerSettings:
    """What a Plivo application says of its calls."""

    url: str = field(repr=False)
    method: Method = "POST"
    fallback_url: str = field(default="", repr=False)
    """Asked when `url` gives nothing that can be used."""
    hangup_url: str = field(default="", repr=False)
    from_number: str = ""
    """Of every caller; empty: each has one of their own."""
    to_number: str = "15555550100"


class CourseOver(Exception):
    """The call is to end; `how` says why, for people."""

    def __init__(self, ending: Ending, how: str) -> None:
        super().__init__(how)
        self.ending = ending
        self.how = how


class Asks(Protocol):
    """A `Webhooks`."""

    async def ask(self, method: str, url: str, fields: Mapping[str, str]) -> bytes:
        """What `url` answers. Raises WebhookFailed."""


class AnswerCourse:
    """One call's. First `to_stream`, then `rest`: together with the stream, or after it."""

    def __init__(
        self,
        webhooks: Asks,
        settings: AnswerSettings,
        fields: Callable[[str], Mapping[str, str]],
        *,
        note: Callable[[str, str], None],
        remark: Callable[[str], None],
        schedule: Callable[[float], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`fields` of every request, for a status of the call; `schedule` an end in so many seconds."""
        self._webhooks = webhooks
        self._settings = settings
        self._fields = fields
        self._note = note
        self._remark = remark
        self._schedule = schedule
        self._sleep = sleep
        self._left: deque[AnswerElement] = deque()
        self._redirects = 0
        self._waited_s = 0.0
        self._first = True
        self._streams = 0
        self.stream_over = asyncio.Event()
        """To be set by whoever runs the stream."""
        self.answer_s: float | None = None
        """How long the answer URL took; None: it gave nothing."""
        self.answered_at: float | None = None
        """When the call was picked up, in Unix seconds; None: it was not."""

    @property
    def over(self) -> bool:
        """Whether nothing is left to be done."""
        return not self._left

    async def to_stream(self) -> StreamElement:
        """Ask the answer URL, and go on to the stream. Raises CourseOver where there is none."""
        asked_at = time.monotonic()
        self._take(await self._answer())
        self.answer_s = time.monotonic() - asked_at
        stream = await self._go_on()
        if stream is None:
            raise CourseOver(END_OF_XML, "the answer has no <Stream> that is reached")
        return stream

    async def rest(self) -> CourseOver:
        """What follows the stream, to the end of the call."""
        try:
            await self._go_on()
        except CourseOver as over:
            return over
        return CourseOver(END_OF_XML, "its XML was over")

    # --- inside ---

    async def _go_on(self) -> StreamElement | None:
        while self._left:
            element = self._left.popleft()
            first, self._first = self._first, False
            match element:
                case StreamElement():
                    self._pick_up()
                    self._streams += 1
                    if self._streams == 1:
                        return element
                    self._unsupported("a second <Stream> in one call")
                case WaitElement(length_s):
                    await self._wait(length_s)
                case HangupElement(reason, None):
                    raise CourseOver(*self._hangup(reason, first))
                case HangupElement(_, schedule_s):
                    if schedule_s is not None:
                        self._schedule(schedule_s)
                case RedirectElement():
                    await self._redirect(element)
                case OtherElement():
                    await self._pass_over(element)
        return None

    def _hangup(self, reason: str, first: bool) -> tuple[Ending, str]:
        if self.answered_at is not None or not (reason or first):
            return BY_XML, "by <Hangup> in its XML"
        # "When the Hangup element is the first element in an Answer XML", with `rejected` if it says nothing.
        return (BUSY if reason == "busy" else REJECTED), f"by <Hangup> ({reason or 'rejected'}) in its XML"

    async def _wait(self, length_s: int) -> None:
        left_s = MAX_WAIT_S - self._waited_s
        if length_s > left_s:
            self._remark(f"<Wait> is cut short: a call waits {MAX_WAIT_S:.0f} s at most")
        self._waited_s += min(length_s, left_s)
        await self._sleep(min(length_s, left_s))

    async def _pass_over(self, element: OtherElement) -> None:
        self._pick_up()
        known = "" if element.known else ", and no element of Plivo's"
        self._unsupported(f"<{element.name}>{known}")
        if element.lasts and self._streams:
            await self.stream_over.wait()

    def _unsupported(self, what: str) -> None:
        self._note("unsupported", what)
        self._remark(f"not carried out: {what}")

    def _pick_up(self) -> None:
        if self.answered_at is None:
            self.answered_at = time.time()

    # --- documents ---

    async def _answer(self) -> Answer:
        settings = self._settings
        try:
            return await self._fetch(settings.method, settings.url)
        except (WebhookFailed, BadAnswer) as wrong:
            if not settings.fallback_url:
                raise self._useless(wrong, "answer URL", NO_ANSWER_URL, BAD_ANSWER_XML) from None
            self._note("fallback", str(wrong))
            self._remark(f"the answer URL gave nothing that can be used, and the fallback was asked: {wrong}")
        try:
            return await self._fetch(settings.method, settings.fallback_url)
        except (WebhookFailed, BadAnswer) as wrong:
            raise self._useless(wrong, "fallback URL", NO_ANSWER_URL, BAD_ANSWER_XML) from None

    async def _redirect(self, to: RedirectElement) -> None:
        if not is_address(to.url, ("http", "https")):
            raise CourseOver(BAD_REDIRECT_URL, "<Redirect> holds no address that begins with https://")
        self._redirects += 1
        if self._redirects > MAX_REDIRECTS:
            raise CourseOver(BAD_REDIRECT_URL, f"the call was redirected more than {MAX_REDIRECTS} times")
        self._note("redirected", without_query(to.url))
        try:
            self._take(await self._fetch(to.method, to.url))
        except (WebhookFailed, BadAnswer) as wrong:
            raise self._useless(wrong, "<Redirect>", NO_REDIRECT_URL, BAD_REDIRECT_XML) from None

    async def _fetch(self, method: str, url: str) -> Answer:
        status = "ringing" if self.answered_at is None else "in-progress"
        return read_answer(await self._webhooks.ask(method, url, self._fields(status)))

    def _take(self, answer: Answer) -> None:
        self._left = deque(answer.elements)
        for text in answer.remarks:
            self._remark(text)

    def _useless(self, wrong: Exception, what: str, unreached: Ending, bad: Ending) -> CourseOver:
        if isinstance(wrong, BadAnswer):
            return CourseOver(bad, f"what the {what} gave cannot be used: {wrong}")
        return CourseOver(unreached, f"{what}: {wrong}")
