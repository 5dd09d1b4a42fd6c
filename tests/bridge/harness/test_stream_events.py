"""Status callbacks of a stream: in order, signed elsewhere, never holding up the call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from bridge.harness import stream_events
from bridge.harness.stream_events import MAX_WAITING, StreamEvents
from bridge.harness.webhooks import WebhookFailed
from bridge.legs.plivo_answer_wire import StreamElement

pytestmark = pytest.mark.unit

STREAM = StreamElement("wss://bot.example/s", status_url="https://bot.example/events", status_method="GET")


class Events(StreamEvents):
    def __init__(self, stream: StreamElement = STREAM, *, fails: bool = False, hangs: bool = False) -> None:
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []
        self.noted: list[str] = []
        self.fails, self.hangs = fails, hangs
        super().__init__(
            self, stream, lambda: {"StreamID": "7"},  # type: ignore[arg-type]
            lambda kind, text: self.noted.append(f"{kind}: {text}"), self.noted.append,
        )  # fmt: skip

    async def ask(self, method: str, url: str, fields: Mapping[str, str]) -> bytes:
        self.asked.append((method, url, fields))
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise WebhookFailed("it answered 500")
        return b""

    @property
    def names(self) -> list[str]:
        return [fields["Event"] for _, _, fields in self.asked]


async def test_events_are_told_in_order_with_what_they_are_about() -> None:
    events = Events()
    events.tell("StartStream")
    events.ended("StopStream", "API request")
    await events.close()
    assert events.names == ["StartStream", "StopStream"]
    assert events.asked[0][:2] == ("GET", "https://bot.example/events")
    fields = dict(events.asked[1][2])
    assert fields.pop("Timestamp").endswith("+00:00")
    assert fields == {"Event": "StopStream", "StreamID": "7", "Reason": "API request"}
    assert events.noted == ["callback: StartStream", "callback: StopStream"]


async def test_a_bot_that_wants_none_is_told_nothing() -> None:
    events = Events(StreamElement("wss://bot.example/s"))
    events.tell("StartStream")
    events.watch(lambda: 1.0)
    events.ended("StopStream", "")
    await events.close()
    assert events.asked == [] and events.noted == []


async def test_what_is_not_taken_is_remarked_and_the_next_one_is_told() -> None:
    events = Events(fails=True)
    events.tell("StartStream")
    events.ended("DroppedStream", "Connection error")
    await events.close()
    assert events.names == ["StartStream", "DroppedStream"]
    assert "its statusCallbackUrl did not take StartStream: it answered 500" in events.noted


async def test_a_web_server_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_events, "LAST_S", 0.05)
    events = Events(hangs=True)
    for _ in range(MAX_WAITING + 5):
        events.tell("StartStream")
    await events.close()
    assert events.noted == ["its statusCallbackUrl is slow: not everything was told"]


async def test_a_bot_that_falls_behind_is_told_at_each_step_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_events, "LOOK_EVERY_S", 0.001)
    shares = iter((0.1, 0.35, 0.4, 0.95, 0.7, 0.2, 0.6))
    looked = asyncio.Event()

    def share() -> float:
        try:
            return next(shares)
        except StopIteration:
            looked.set()
            return 0.0

    events = Events()
    events.watch(share)
    async with asyncio.timeout(5):
        await looked.wait()
    events.ended("StopStream", "Call hangup")
    await events.close()
    assert [fields.get("Percent") for _, _, fields in events.asked] == ["30", "90", "60", None]
    assert events.names == ["DegradedStream"] * 3 + ["StopStream"]
