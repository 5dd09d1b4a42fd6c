"""Puts the facade's parts together."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from fastapi import APIRouter

from bridge.directory import Directory
from bridge.errors import EgressRefused
from bridge.facades.plivo.accounts import PlivoAccounts
from bridge.facades.plivo.answer import Answers
from bridge.facades.plivo.callbacks import Callbacks
from bridge.facades.plivo.calls import Calls, NewLink
from bridge.facades.plivo.capture_api import CaptureApi, KeptCaptures
from bridge.facades.plivo.fork_course import ForkCourse
from bridge.facades.plivo.fork_turns import Turns
from bridge.facades.plivo.forks import Forks
from bridge.facades.plivo.rest import StreamApi
from bridge.facades.plivo.rest_wire import StreamDefaults
from bridge.facades.plivo.seats import Switching
from bridge.facades.plivo.stream_requests import CheckEgress, StreamRequests
from bridge.facades.plivo.stream_tokens import StreamTokens
from bridge.facades.plivo.streams import Streams, Tokens
from bridge.facades.plivo.targets import Targets
from bridge.facades.webhooks import Answer, Request, Webhooks, WebhookSettings
from bridge.sockets import Accept, Refuse, UpgradeRequest


@dataclass(frozen=True, slots=True)
class PlivoSettings:
    """How calls come in."""

    public_base_url: str = ""
    """How Plivo reaches this server; without it no signature can be right."""
    grace_s: float = 5.0
    """How long a call that lost its socket keeps its participant."""
    max_message_bytes: int = 256 * 1024
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)
    streams: StreamDefaults = field(default_factory=StreamDefaults)
    streams_per_call: int = 100


@dataclass(frozen=True, slots=True)
class Outgoing:
    """How the facade reaches out to others, and who watches what becomes of it."""

    check_egress: CheckEgress
    request: Request
    turns: Turns | None = None
    now: Callable[[], float] = time.time
    """Unix seconds."""


class PlivoFacade:
    """Gives the WebSockets' door and the HTTP routes; `close` at the end."""

    def __init__(
        self,
        directory: Directory,
        switchboard: Switching,
        applications: Tokens,
        accounts: PlivoAccounts,
        new_link: NewLink,
        settings: PlivoSettings | None = None,
        outgoing: Outgoing | None = None,
        captures: KeptCaptures | None = None,
    ) -> None:
        """`new_link` makes the receivers of streams that come in: see `calls.NewLink`.

        Without `outgoing` nobody is reached: every stream to a service is refused.
        """
        outgoing = outgoing or Outgoing(_reach_nobody, _ask_nobody)
        settings = settings or PlivoSettings()
        base_url = settings.public_base_url.rstrip("/")
        tokens = StreamTokens()
        self.calls = Calls(directory, new_link, tokens, settings.grace_s)
        self._streams = Streams(
            directory,
            switchboard,
            applications,
            accounts,
            tokens,
            self.calls,
            public_base_url=base_url,
            max_message_bytes=settings.max_message_bytes,
            captures=settings.streams.captures,
        )
        self._answers = Answers(
            directory, switchboard, accounts, tokens, base_url, captures=settings.streams.captures
        )
        now = outgoing.now
        targets = Targets(directory, self.calls, switchboard.subscribe, now)
        self.webhooks = Webhooks(outgoing.request, settings.webhooks)
        callbacks = Callbacks(self.webhooks.send, accounts, now)
        self.fork_course = ForkCourse(directory, switchboard, accounts, callbacks, outgoing.turns, now)
        self.forks = Forks(
            switchboard,
            accounts,
            targets,
            StreamRequests(outgoing.check_egress, settings.streams),
            self.fork_course,
            per_call=settings.streams_per_call,
            now=now,
        )
        self._stream_api = StreamApi(accounts, targets, self.forks, self.fork_course, now)
        self._capture_api = CaptureApi(accounts, captures)

    async def door(self, request: UpgradeRequest) -> Accept | Refuse | None:
        """See `streams`."""
        return await self._streams.door(request)

    def router(self) -> APIRouter:
        """See `answer` and `rest`."""
        router = self._answers.router()
        self._stream_api.add_to(router)
        self._capture_api.add_to(router)
        return router

    async def close(self) -> None:
        """Once all legs are closed: wait for what is still ending, and for the callbacks that tell of it."""
        await self.fork_course.close()
        await self.webhooks.close()
        await self.calls.close()


async def _reach_nobody(url: str, schemes: Collection[str]) -> None:
    raise EgressRefused("this server reaches out to nobody")


async def _ask_nobody(
    method: str, url: str, *, headers: Mapping[str, str], content: bytes, timeout_s: float
) -> Answer:
    raise EgressRefused("this server reaches out to nobody")
