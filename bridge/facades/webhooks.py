"""Callbacks to others' servers: in order for each sequence, tried again, and never in anybody's way.

`send` only puts a callback into a queue. Each sequence (a stream's, say) is worked off one after the other;
sequences run beside each other, a few at a time for one host, so that a slow server holds up its own
callbacks and no others. Whatever is full drops the newest callback and counts it.

| answer | what happens |
|---|---|
| 2xx | sent |
| 408, 429, 5xx, or none | tried again after a pause, then given up |
| anything else, or an address that may not be reached | given up |
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from bridge.errors import BridgeError, HttpFailed

log = logging.getLogger(__name__)


class Answer(Protocol):
    """What is needed of an HTTP response."""

    @property
    def status(self) -> int: ...


class Request(Protocol):
    """An HTTP client that reaches what may be reached. Raises EgressRefused and HttpFailed."""

    async def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes, timeout_s: float
    ) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Webhook:
    """One callback."""

    method: str
    url: str = field(repr=False)
    """With its query, which may hold secrets."""
    content: bytes = field(default=b"", repr=False)
    content_type: str = ""
    sign: Callable[[], Mapping[str, str]] = field(default=lambda: {}, repr=False)
    """Gives the headers that prove who sends it; asked for each attempt."""
    about: str = ""
    """For the log: what it tells, without secrets."""


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """How hard to try, and how much may wait."""

    pauses_s: tuple[float, ...] = (1.0, 3.0, 9.0)
    """Before each further attempt."""
    timeout_s: float = 10.0
    at_a_time: int = 64
    at_a_time_per_host: int = 8
    waiting: int = 10_000
    waiting_per_host: int = 2_000
    waiting_in_sequence: int = 100


@dataclass(frozen=True, slots=True)
class WebhookFigures:
    """Counters since the start, and how many wait now."""

    sent: int
    retried: int
    failed: int
    dropped: int
    waiting: int


@dataclass(slots=True)
class _Sequence:
    waiting: deque[Webhook] = field(default_factory=deque)


class Webhooks:
    """See the module's docstring. Use it on one event loop, and `close` it at the end."""

    def __init__(
        self,
        request: Request,
        settings: WebhookSettings | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._request = request
        self._settings = settings or WebhookSettings()
        self._sleep = sleep
        self._sequences: dict[str, _Sequence] = {}
        self._working: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(self._settings.at_a_time)
        self._hosts: dict[str, asyncio.Semaphore] = {}
        self._waiting: Counter[str] = Counter()
        self._closed = False
        self._sent = self._retried = self._failed = self._dropped = 0

    def send(self, sequence: str, webhook: Webhook) -> bool:
        """Queue it behind the others of its sequence; False (and counted) when there is no room."""
        settings, host = self._settings, _host(webhook.url)
        queue = self._sequences.get(sequence)
        full = (
            self._closed
            or self._waiting.total() >= settings.waiting
            or self._waiting[host] >= settings.waiting_per_host
            or (queue is not None and len(queue.waiting) >= settings.waiting_in_sequence)
        )
        if full:
            self._dropped += 1
            return False
        self._waiting[host] += 1
        if queue is None:
            queue = self._sequences[sequence] = _Sequence()
            task = asyncio.create_task(self._work(sequence, queue))
            self._working.add(task)
            task.add_done_callback(self._working.discard)
        queue.waiting.append(webhook)
        return True

    def look(self) -> WebhookFigures:
        """What became of them."""
        return WebhookFigures(self._sent, self._retried, self._failed, self._dropped, self._waiting.total())

    async def close(self, within_s: float = 3.0) -> None:
        """Take no more, send what can be sent within that time, and drop the rest."""
        self._closed = True
        working = list(self._working)
        if working:
            _, late = await asyncio.wait(working, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
        self._dropped += self._waiting.total()
        self._waiting.clear()
        self._sequences.clear()

    async def _work(self, sequence: str, queue: _Sequence) -> None:
        while queue.waiting:
            webhook = queue.waiting[0]
            host = _host(webhook.url)
            sent = await self._deliver(webhook, host)
            queue.waiting.popleft()
            if sent:
                self._sent += 1
            else:
                self._failed += 1
            self._waiting[host] -= 1
            if not self._waiting[host]:
                del self._waiting[host]
                self._hosts.pop(host, None)
        del self._sequences[sequence]

    async def _deliver(self, webhook: Webhook, host: str) -> bool:
        for pause_s in (*self._settings.pauses_s, None):
            outcome, again = await self._try(webhook, host)
            if not outcome:
                return True
            if not again or pause_s is None:
                break
            self._retried += 1
            await self._sleep(pause_s)
        log.info("x a callback was given up: %s: %s", webhook.about, outcome)
        return False

    async def _try(self, webhook: Webhook, host: str) -> tuple[str, bool]:
        """What went wrong (nothing: it was sent), and whether another attempt may go better."""
        limit = self._hosts.setdefault(host, asyncio.Semaphore(self._settings.at_a_time_per_host))
        headers = {"content-type": webhook.content_type} if webhook.content_type else {}
        try:
            async with limit, self._slots:
                answer = await self._request(
                    webhook.method,
                    webhook.url,
                    headers={**headers, **webhook.sign()},
                    content=webhook.content,
                    timeout_s=self._settings.timeout_s,
                )
        except HttpFailed as failed:
            return str(failed), True
        except BridgeError as refused:
            return str(refused), False
        except Exception:  # the task's outer edge: one callback must not end its sequence
            log.exception("x a callback failed: %s", webhook.about)
            return "it could not be sent", False
        status = answer.status
        if 200 <= status < 300:
            return "", False
        return f"the answer was {status}", status in (408, 429) or status >= 500


def _host(url: str) -> str:
    """Whose callbacks share their places."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
