"""The vendor's side of a run beyond the calls' sockets: webhooks out, and REST in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType

from bridge.core.ports import CallStart
from bridge.harness.account import Account
from bridge.harness.answer_course import AnswerSettings
from bridge.harness.answered_call import MAX_REMARKS, AnsweredCall
from bridge.harness.call_desk import CallDesk, DeskCall
from bridge.harness.desk_server import serving
from bridge.harness.dialling import Dialling, Place
from bridge.harness.measured_call import MeasuredCall
from bridge.harness.results import CallResult
from bridge.harness.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """What the vendor knows of the calls to a bot."""

    account: Account = field(default_factory=Account)
    answer: AnswerSettings | None = None
    """None: calls go straight to a socket."""
    rest_host: str = "127.0.0.1"
    rest_port: int = 0
    """0: a free one."""


class Exchange:
    """`async with Exchange(settings) as exchange`, for as long as its calls last. Raises ConfigError."""

    def __init__(
        self, settings: ExchangeSettings, announce: Callable[[str], None] = lambda rest_url: None
    ) -> None:
        """`announce` is told where REST requests are answered."""
        self._settings = settings
        self._announce = announce
        self._desk = CallDesk(settings.account)
        self._stack = AsyncExitStack()
        self._webhooks: Webhooks

    async def __aenter__(self) -> Exchange:
        settings = self._settings
        rest_url = await self._stack.enter_async_context(
            serving(self._desk, settings.rest_host, settings.rest_port)
        )
        try:
            self._webhooks = await self._stack.enter_async_context(Webhooks(settings.account, rest_url))
        except BaseException:
            await self._stack.aclose()
            raise
        self._announce(rest_url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def call(self, number: int, url: str, start: CallStart, place: Place, scenario: str = "") -> ExchangeCall:
        """One call to the bot at `url`, which `place` makes once it is known how."""
        account = self._settings.account
        start = dataclasses.replace(start, account_id=account.auth_id)
        if self._settings.answer is not None:
            answered = AnsweredCall(
                number, start, self._settings.answer, account, self._webhooks, place, scenario
            )
            return ExchangeCall(answered, self._desk, answered.desk_call)
        headers = self._webhooks.marked(account.signed_socket(url))
        measured = place(Dialling(url, start, headers))
        return ExchangeCall(measured, self._desk, _by_rest(measured))


class ExchangeCall:
    """A call that the desk knows of while it runs."""

    def __init__(self, call: AnsweredCall | MeasuredCall, desk: CallDesk, at_desk: DeskCall) -> None:
        self._call = call
        self._desk = desk
        self._at_desk = at_desk

    @property
    def recorded(self) -> bool:
        """Whether its sound is kept."""
        return self._call.recorded

    def cancel(self) -> None:
        """End the call now, as one that nobody judges; `run` returns soon."""
        self._call.cancel()

    async def run(self) -> CallResult:
        """Returns when the call is over."""
        with self._desk.holding(self._at_desk):
            return await self._call.run()


def _by_rest(call: MeasuredCall) -> DeskCall:
    """A call without XML is its stream, and ends with it."""

    def stop_stream() -> bool:
        call.hung_up_by_bot("it stopped its stream by REST")
        return True

    def unserved(what: str) -> None:
        call.notes.note("unsupported", what)
        if (text := f"not carried out: {what}") not in call.remarks and len(call.remarks) < MAX_REMARKS:
            call.remarks.append(text)

    start = call.caller.call
    return DeskCall(
        start.call_id, start.stream_id, lambda: call.hung_up_by_bot("by REST"), stop_stream, unserved
    )
