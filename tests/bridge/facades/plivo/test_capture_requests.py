"""Captures that are asked for: where, in which words, and what is said where none are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from xml.etree import ElementTree

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from bridge.core.ports import CallTrack, CaptureOrder
from bridge.errors import BadInput
from bridge.facades.plivo.rest_wire import StreamDefaults, StreamRequest, read_stream
from bridge.legs.plivo_leg import PlivoLegs
from bridge.sockets import Accept, Refuse
from tests.kit.calls import a_call
from tests.kit.plivo_house import BASE_URL, PlivoHouse, sign

pytestmark = pytest.mark.wire

URL = {"service_url": "wss://service.example/x"}


def asked(possible: bool = True, **given: object) -> StreamRequest:
    return read_stream({**URL, **given}, whole_conference=False, defaults=StreamDefaults(captures=possible))


@pytest.mark.parametrize("written", [True, "true", "1", "Yes"])
def test_a_stream_is_captured_when_it_says_so(written: object) -> None:
    assert asked(capture=written).capture
    assert asked(Capture=written).capture


def test_nothing_is_captured_unasked() -> None:
    assert not asked().capture and not asked(capture="false").capture
    assert not asked(possible=False, capture=False).capture


def test_where_none_are_kept_asking_is_refused_by_the_settings_name() -> None:
    with pytest.raises(BadInput, match=r"captures\.directory is not set"):
        asked(possible=False, capture=True)
    with pytest.raises(BadInput, match="capture must be true or false"):
        asked(capture="maybe")


@pytest_asyncio.fixture
async def keeping() -> AsyncIterator[PlivoHouse]:
    house = await PlivoHouse(captures=True).open()
    yield house
    await house.close()


def signed(house: PlivoHouse, query: str) -> tuple[str, dict[str, str]]:
    target = f"{house.path}?{query}"
    return target, sign(BASE_URL + target)


async def test_a_call_is_captured_when_its_address_says_so(
    keeping: PlivoHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[CaptureOrder | None] = []
    make = PlivoLegs.__call__

    def seen(self: PlivoLegs, port: object, spec: CallTrack) -> object:
        orders.append(spec.capture)
        return make(self, port, spec)  # type: ignore[arg-type]

    monkeypatch.setattr(PlivoLegs, "__call__", seen)
    await keeping.ring(a_call(call_id="one"), *signed(keeping, "capture=true"))
    await keeping.ring(a_call(call_id="two"), *signed(keeping, "capture=false"))
    await keeping.ring(a_call(call_id="three"))
    first = orders[0]
    assert first is not None and first.owner == keeping.conference.application_id
    assert orders[1:] == [None, None]


@pytest.mark.parametrize(("query", "said"), [("capture=yes", "captures.directory"), ("capture=2", "true or")])
async def test_a_call_that_cannot_be_captured_is_refused_at_the_door(
    house: PlivoHouse, query: str, said: str
) -> None:
    refused = await house.upgrade(*signed(house, query))
    assert isinstance(refused, Refuse) and refused.status == 400 and said in refused.body.decode()
    assert isinstance(await house.upgrade(*signed(house, "capture=no")), Accept)


async def test_who_may_not_come_in_is_not_told_what_is_kept_here(house: PlivoHouse) -> None:
    refused = await house.upgrade(f"{house.path}?capture=true")
    assert isinstance(refused, Refuse) and refused.status == 401


async def answer(house: PlivoHouse, query: str) -> httpx.Response:
    app = FastAPI()
    app.include_router(house.facade.router())
    target = f"{house.path}/answer?{query}"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inside") as http:
        return await http.get(target, headers=sign(BASE_URL + target))


async def test_the_answer_passes_the_wish_on(keeping: PlivoHouse) -> None:
    response = await answer(keeping, "capture=true")
    stream = ElementTree.fromstring(response.text).find("Stream")
    assert stream is not None and stream.text is not None and stream.text.endswith("&capture=true")
    plain = await answer(keeping, "name=Anna")
    assert "capture" not in plain.text


async def test_the_answer_refuses_what_the_stream_would(house: PlivoHouse) -> None:
    response = await answer(house, "capture=true")
    assert response.status_code == 400 and "captures.directory" in response.json()["error"]
