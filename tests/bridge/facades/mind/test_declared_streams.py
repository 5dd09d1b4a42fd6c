"""Streams that begin with a conference: asked for in the Mind API, begun by whoever streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
import pytest_asyncio

from bridge.errors import BadInput, LimitReached
from bridge.people import Conference
from tests.kit.mind import APP, Mind, mind

pytestmark = pytest.mark.unit

STREAMS = [{"service_url": "wss://captions.example", "audio_track": "participants"}]


class KeptStreams:
    """Refuses what has no address; remembers what began in which conference."""

    def __init__(self) -> None:
        self.begun: dict[str, list[str]] = {}
        self.error: Exception | None = None

    async def prepare(self, streams: Sequence[Mapping[str, object]]) -> Sequence[Any]:
        if any("service_url" not in stream for stream in streams):
            raise BadInput("service_url must be a WebSocket URL: wss://…")
        return [stream["service_url"] for stream in streams]

    async def declare(self, conference: Conference, prepared: Sequence[Any]) -> list[str]:
        if self.error is not None:
            raise self.error
        self.begun[conference.id] = list(prepared)
        return [f"stream {number}" for number, _ in enumerate(prepared)]


@pytest.fixture
def streams() -> KeptStreams:
    return KeptStreams()


@pytest_asyncio.fixture
async def house(streams: KeptStreams) -> AsyncIterator[Mind]:
    async with mind(declarer=streams) as house:
        yield house


async def test_streams_begin_with_their_conference_and_their_ids_are_told(
    house: Mind, streams: KeptStreams
) -> None:
    made = (await house.call("POST", f"/{APP}", json={"name": "Captioned", "streams": STREAMS})).json()
    assert made["streams"] == ["stream 0"]
    assert streams.begun == {made["id"]: ["wss://captions.example"]}
    assert "streams" not in (await house.call("GET", f"/{APP}/{made['id']}")).json()


async def test_a_stream_that_cannot_be_opens_no_conference(house: Mind) -> None:
    answer = await house.call("POST", f"/{APP}", json={"streams": [{}]})
    assert answer.status_code == 400 and "service_url" in answer.json()["error"]
    assert house.directory.conferences() == []


async def test_when_streams_cannot_begin_the_conference_is_closed_again(
    house: Mind, streams: KeptStreams
) -> None:
    streams.error = LimitReached("legs", 1)
    answer = await house.call("POST", f"/{APP}", json={"streams": STREAMS})
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
    assert house.directory.conferences() == []


@pytest.mark.parametrize("wrong", ["wss://x", [1], {"service_url": "wss://x"}])
async def test_what_is_no_list_of_streams_is_refused(house: Mind, wrong: Any) -> None:
    answer = await house.call("POST", f"/{APP}", json={"streams": wrong})
    assert answer.status_code == 400 and "streams" in answer.json()["error"]


async def test_without_anybody_who_streams_they_are_refused() -> None:
    async with mind() as house:
        answer = await house.call("POST", f"/{APP}", json={"streams": STREAMS})
        assert answer.status_code == 400
        assert (await house.call("POST", f"/{APP}", json={"streams": []})).status_code == 200
