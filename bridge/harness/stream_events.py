"""Tells a bot's `statusCallbackUrl` what becomes of its stream, one event after another, as the vendor does.

| event | when |
|---|---|
| `StartStream` | the bot has accepted the socket |
| `DegradedStream` | 30, 60 or 90 % of what may wait for a bot that does not read is waiting: `Percent` |
| `StopStream` | the call was hung up, the bot stopped the stream by REST, its `streamTimeout` was over |
| `DroppedStream` | the socket could not be opened, was lost, or was closed by the bot |

Source: Plivo, "The Stream element", "Audio streaming: best practices". `Reason` is as in the vendor's logs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Literal

from bridge.harness.webhooks import WebhookFailed, Webhooks
from bridge.legs.plivo_answer_wire import StreamElement

Event = Literal["StartStream", "DegradedStream", "StopStream", "DroppedStream"]
DEGRADED_PERCENT = (90, 60, 30)
LOOK_EVERY_S = 1.0
LAST_S = 5.0
"""When a call is over, what is not told yet gets so long."""
MAX_WAITING = 10


class StreamEvents:
    """Of one stream. `tell` waits for nothing; `close` waits until all is told."""

    def __init__(
        self,
        webhooks: Webhooks,
        stream: StreamElement,
        fields: Callable[[], Mapping[str, str]],
        note: Callable[[str, str], None],
        remark: Callable[[str], None],
    ) -> None:
        """`fields` of every event, without its name and time."""
        self._webhooks = webhooks
        self._stream = stream
        self._fields = fields
        self._note = note
        self._remark = remark
        self._waiting: asyncio.Queue[dict[str, str] | None] = asyncio.Queue(MAX_WAITING)
        self._work = asyncio.create_task(self._send_all()) if stream.status_url else None
        self._told_percent = 0
        self._looking: asyncio.TimerHandle | None = None

    def tell(self, event: Event, **more: str) -> None:
        """Queue an event; a call has two or three of them. One that finds no place is not told."""
        if self._work is None or self._waiting.full():
            return
        moment = datetime.now(UTC).isoformat(" ", "seconds")
        self._waiting.put_nowait({"Event": event, **self._fields(), "Timestamp": moment, **more})

    def watch(self, unsent_share: Callable[[], float]) -> None:
        """Look from now on how much waits for the bot, and tell when that is much."""
        unsent = 100 * unsent_share()
        percent = next((limit for limit in DEGRADED_PERCENT if unsent >= limit), 0)
        if percent > self._told_percent:
            self.tell("DegradedStream", Percent=str(percent))
        self._told_percent = percent
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(LOOK_EVERY_S, self.watch, unsent_share) if self._work else None

    def ended(self, event: Event, reason: str) -> None:
        """The last event."""
        if self._looking is not None:
            self._looking.cancel()
        self.tell(event, Reason=reason)

    async def close(self) -> None:
        """Returns when everything is told, or `LAST_S` after it was called."""
        if self._looking is not None:
            self._looking.cancel()
        if self._work is None:
            return
        try:
            async with asyncio.timeout(LAST_S):
                await self._waiting.put(None)
                await self._work
        except TimeoutError:
            self._remark("its statusCallbackUrl is slow: not everything was told")
        finally:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def _send_all(self) -> None:
        while (fields := await self._waiting.get()) is not None:
            event = fields["Event"]
            try:
                await self._webhooks.ask(self._stream.status_method, self._stream.status_url, fields)
            except WebhookFailed as failed:
                self._note("callback", f"{event} was not taken: {failed}")
                self._remark(f"its statusCallbackUrl did not take {event}: {failed}")
            else:
                self._note("callback", event)
