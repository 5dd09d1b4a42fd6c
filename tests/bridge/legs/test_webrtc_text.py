from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bridge.legs.webrtc_settings import WebRtcSettings
from bridge.legs.webrtc_text import TextChannel
from tests.kit.clock import ManualClock

pytestmark = pytest.mark.unit


class FakeChannel:
    """A data channel whose far side reads only when told."""

    def __init__(self, longest: int = 1 << 20) -> None:
        self.readyState = "open"
        self.bufferedAmount = 0
        self.sent: list[str] = []
        self.say: Callable[[Any], None] = lambda message: None
        self._longest = longest

    def send(self, data: str) -> None:
        if len(data) > self._longest:
            raise ValueError("too long")
        self.sent.append(data)
        self.bufferedAmount += len(data)

    def on(self, event: str, listener: Callable[..., Any]) -> None:
        assert event == "message"
        self.say = listener


class Text:
    """A text channel with everything around it in view."""

    def __init__(self, settings: WebRtcSettings) -> None:
        self.clock = ManualClock()
        self.heard: list[str] = []
        self.overflows = 0
        self.channel = FakeChannel()
        self.text = TextChannel(settings, self.heard.append, self._overflow, lambda: self.clock.now)

    def _overflow(self) -> None:
        self.overflows += 1


def test_texts_wait_for_the_channel_and_keep_their_order() -> None:
    bench = Text(WebRtcSettings())
    for number in range(3):
        bench.text.send(str(number))
    bench.text.use(bench.channel)
    bench.text.send("3")
    assert bench.channel.sent == ["0", "1", "2", "3"]
    assert bench.text.sent == 4


def test_one_text_too_many_while_waiting_overflows_once() -> None:
    bench = Text(WebRtcSettings(max_waiting_texts=3))
    for number in range(6):
        bench.text.send(str(number))
    assert bench.overflows == 1
    assert bench.text.unsent_bytes == 0, "nothing is kept for a leg that ends"


def test_channel_that_does_not_drain_overflows_at_its_bound_in_bytes() -> None:
    bench = Text(WebRtcSettings(max_waiting_bytes=1000))
    bench.text.use(bench.channel)
    for _ in range(10):
        bench.text.send("x" * 100)
    assert bench.overflows == 0
    bench.text.send("x")
    assert bench.overflows == 1
    assert len(bench.channel.sent) == 10


def test_text_longer_than_the_peer_takes_is_dropped_and_the_next_sent() -> None:
    bench = Text(WebRtcSettings())
    bench.channel = FakeChannel(longest=5)
    bench.text.use(bench.channel)
    bench.text.send("too long")
    bench.text.send("short")
    assert (bench.channel.sent, bench.text.dropped) == (["short"], 1)


def test_lost_channel_makes_texts_wait_again() -> None:
    bench = Text(WebRtcSettings())
    bench.text.use(bench.channel)
    assert not bench.text.lose(FakeChannel()), "another channel's end changes nothing"
    assert bench.text.lose(bench.channel)
    bench.text.send("later")
    other = FakeChannel()
    bench.text.use(other)
    assert other.sent == ["later"]


def test_peer_that_says_too_much_is_cut_to_the_rate() -> None:
    bench = Text(WebRtcSettings(texts_per_second=5))
    bench.text.listen(bench.channel)
    for number in range(50):
        bench.channel.say(str(number))
    assert bench.heard == [str(number) for number in range(10)], "two seconds' worth at once"
    assert bench.text.dropped == 40
    bench.clock.advance(1.0)
    for number in range(50, 60):
        bench.channel.say(str(number))
    assert bench.heard[10:] == ["50", "51", "52", "53", "54"]


def test_bytes_and_overlong_texts_are_not_taken() -> None:
    bench = Text(WebRtcSettings(max_text_bytes=10))
    bench.text.listen(bench.channel)
    bench.channel.say(b"bytes")
    bench.channel.say("x" * 11)
    bench.channel.say("fine")
    assert (bench.heard, bench.text.dropped) == (["fine"], 2)
