"""Callbacks go out in order, are tried again, and hold up nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from bridge.errors import EgressRefused, HttpFailed
from bridge.facades.webhooks import Webhook, Webhooks, WebhookSettings

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class Answered:
    status: int


@dataclass
class World:
    """Answers by URL: a list of statuses and errors, then 200. A `gate` holds requests to a host back."""

    answers: dict[str, list[int | Exception]] = field(default_factory=dict)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    now_open: int = 0
    most_open: int = 0

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes, timeout_s: float
    ) -> Answered:
        self.asked.append((method, url, dict(headers), content))
        self.now_open += 1
        self.most_open = max(self.most_open, self.now_open)
        try:
            if url in self.gates:
                await self.gates[url].wait()
            await asyncio.sleep(0)
        finally:
            self.now_open -= 1
        queue = self.answers.get(url, [])
        answer = queue.pop(0) if queue else 200
        if isinstance(answer, Exception):
            raise answer
        return Answered(answer)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    @property
    def contents(self) -> list[bytes]:
        return [content for _, _, _, content in self.asked]


URL = "https://a.example/x?token=t0k3n"
SETTINGS = WebhookSettings(
    pauses_s=(1.0, 3.0), at_a_time=4, at_a_time_per_host=2, waiting=30, waiting_per_host=20,
    waiting_in_sequence=5,
)  # fmt: skip


@pytest.fixture
def world() -> World:
    return World()


@pytest_asyncio.fixture
async def webhooks(world: World) -> AsyncIterator[Webhooks]:
    made = Webhooks(world.request, SETTINGS, world.sleep)
    yield made
    for gate in world.gates.values():
        gate.set()
    await made.close()


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def hook(number: int = 0, url: str = URL, **more: object) -> Webhook:
    return Webhook("POST", url, b"%d" % number, "text/plain", **more)  # type: ignore[arg-type]


async def test_a_sequence_is_sent_in_order_one_after_the_other(world: World, webhooks: Webhooks) -> None:
    world.answers[URL] = [500, 200, 200]
    for number in range(3):
        assert webhooks.send("a", hook(number))
    assert not world.asked  # nobody waits
    await settle()
    assert world.contents == [b"0", b"0", b"1", b"2"] and world.most_open == 1
    assert world.asked[0][:3] == ("POST", URL, {"content-type": "text/plain"})
    figures = webhooks.look()
    assert (figures.sent, figures.retried, figures.failed, figures.waiting) == (3, 1, 0, 0)


@pytest.mark.parametrize("answer", [500, 503, 429, 408, HttpFailed("no answer within 10 s")])
async def test_what_may_go_better_is_tried_again_after_growing_pauses(
    world: World, webhooks: Webhooks, answer: int | Exception
) -> None:
    world.answers[URL] = [answer] * 3
    webhooks.send("a", hook(0))
    webhooks.send("a", hook(1))
    await settle()
    assert world.contents == [b"0", b"0", b"0", b"1"] and world.pauses == [1.0, 3.0]
    assert (webhooks.look().failed, webhooks.look().sent) == (1, 1)


@pytest.mark.parametrize("answer", [400, 404, 410, 301, EgressRefused("private"), ValueError("odd")])
async def test_what_will_not_go_better_is_not_tried_again(
    world: World, webhooks: Webhooks, answer: int | Exception
) -> None:
    world.answers[URL] = [answer]
    webhooks.send("a", hook(0))
    webhooks.send("a", hook(1))
    await settle()
    assert world.contents == [b"0", b"1"] and not world.pauses
    assert (webhooks.look().failed, webhooks.look().sent) == (1, 1)


async def test_each_attempt_is_signed_anew(world: World, webhooks: Webhooks) -> None:
    nonces = iter(["n1", "n2"])
    world.answers[URL] = [502]
    webhooks.send("a", hook(sign=lambda: {"x-nonce": next(nonces)}))
    await settle()
    assert [headers["x-nonce"] for _, _, headers, _ in world.asked] == ["n1", "n2"]


async def test_a_slow_host_holds_up_its_own_and_no_others(world: World, webhooks: Webhooks) -> None:
    slow = "https://slow.example/"
    world.gates[slow] = asyncio.Event()
    for number in range(10):
        webhooks.send(f"slow-{number}", hook(number, slow))
    webhooks.send("a", hook(99))
    await settle()
    assert b"99" in world.contents
    assert sum(url == slow for _, url, _, _ in world.asked) == SETTINGS.at_a_time_per_host
    world.gates[slow].set()
    await settle()
    assert webhooks.look().sent == 11


async def test_no_more_are_asked_at_a_time_than_may_be(world: World, webhooks: Webhooks) -> None:
    gate = asyncio.Event()
    for number in range(8):
        url = f"https://h{number}.example/"
        world.gates[url] = gate
        webhooks.send(url, hook(number, url))
    await settle()
    assert world.most_open == SETTINGS.at_a_time
    gate.set()
    await settle()
    assert webhooks.look().sent == 8


async def test_what_is_full_drops_the_newest_and_counts_it(world: World, webhooks: Webhooks) -> None:
    world.gates[URL] = asyncio.Event()
    assert [webhooks.send("a", hook(number)) for number in range(7)] == [True] * 5 + [False] * 2
    assert webhooks.send("b", hook(7))
    others = [webhooks.send(f"c{number}", hook(number)) for number in range(30)]
    assert others == [True] * 14 + [False] * 16  # 20 for one host
    elsewhere = [webhooks.send(f"d{number}", hook(number, "https://b.example/")) for number in range(12)]
    assert elsewhere == [True] * 10 + [False] * 2  # 30 altogether
    figures = webhooks.look()
    assert (figures.dropped, figures.waiting) == (20, 30)
    world.gates[URL].set()
    await settle()
    await settle()
    assert webhooks.look().sent == 30 and webhooks.look().waiting == 0
    assert webhooks.send("a", hook())  # room again


async def test_closing_sends_what_can_be_sent_and_drops_the_rest(world: World) -> None:
    webhooks = Webhooks(world.request, SETTINGS, world.sleep)
    stuck = "https://stuck.example/"
    world.gates[stuck] = asyncio.Event()
    webhooks.send("a", hook(1))
    webhooks.send("b", hook(2, stuck))
    webhooks.send("b", hook(3, stuck))
    await webhooks.close(within_s=0.05)
    figures = webhooks.look()
    assert (figures.sent, figures.dropped, figures.waiting) == (1, 2, 0)
    assert not webhooks.send("a", hook(4))


async def test_no_secret_of_a_callback_is_shown(
    world: World, webhooks: Webhooks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    world.answers[URL] = [404]
    one = hook(sign=lambda: {"x": "s3cr3t"}, about="StopStream of stream 7")
    webhooks.send("a", one)
    await settle()
    assert "StopStream of stream 7: the answer was 404" in caplog.text
    assert "t0k3n" not in caplog.text + repr(one) and "s3cr3t" not in caplog.text
