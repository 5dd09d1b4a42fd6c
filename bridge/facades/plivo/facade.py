"""Puts the facade's parts together."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from bridge.directory import Directory
from bridge.facades.plivo.accounts import PlivoAccounts
from bridge.facades.plivo.answer import Answers
from bridge.facades.plivo.calls import Calls, NewLink
from bridge.facades.plivo.stream_tokens import StreamTokens
from bridge.facades.plivo.streams import Streams, Switching, Tokens
from bridge.sockets import Accept, Refuse, UpgradeRequest


@dataclass(frozen=True, slots=True)
class PlivoSettings:
    """How calls come in."""

    public_base_url: str = ""
    """How Plivo reaches this server; without it no signature can be right."""
    grace_s: float = 5.0
    """How long a call that lost its socket keeps its participant."""
    max_message_bytes: int = 256 * 1024


class PlivoFacade:
    """Gives the WebSockets' door and the answer route."""

    def __init__(
        self,
        directory: Directory,
        switchboard: Switching,
        applications: Tokens,
        accounts: PlivoAccounts,
        new_link: NewLink,
        settings: PlivoSettings | None = None,
    ) -> None:
        """`new_link` makes the receivers of streams: see `calls.NewLink`."""
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
        )
        self._answers = Answers(directory, switchboard, accounts, tokens, base_url)

    async def door(self, request: UpgradeRequest) -> Accept | Refuse | None:
        """See `streams`."""
        return await self._streams.door(request)

    def router(self) -> APIRouter:
        """See `answer`."""
        return self._answers.router()
