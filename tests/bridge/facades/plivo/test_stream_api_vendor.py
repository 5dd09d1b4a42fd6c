"""The vendor's own client, as it comes, against the stream API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import plivo
import pytest
import pytest_asyncio
from plivo.exceptions import AuthenticationError, PlivoRestError, ResourceNotFoundError, ValidationError

from tests.kit.fork_house import EVENTS, ForkHouse
from tests.kit.plivo_account import vendor_client
from tests.kit.plivo_house import AUTH_ID, AUTH_TOKEN, OTHER_AUTH_ID, OTHER_AUTH_TOKEN
from tests.kit.served import served

pytestmark = pytest.mark.e2e

SERVICE = "wss://8309-49-36-97-128.mywebsocket.io"


@dataclass
class Server:
    """As `vendor_client` wants it."""

    base: str


@dataclass
class Vendor:
    house: ForkHouse
    server: Server

    async def ask(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The client blocks."""
        return await asyncio.to_thread(call, *arguments, **options)

    def client(self, auth_id: str = AUTH_ID, auth_token: str = AUTH_TOKEN) -> plivo.RestClient:
        return vendor_client(self.server, auth_id, auth_token)  # type: ignore[arg-type]


@pytest_asyncio.fixture
async def vendor(forks: ForkHouse) -> AsyncIterator[Vendor]:
    async with served([], app=forks.app) as server:
        yield Vendor(forks, Server(server.http))


async def test_start_get_list_and_stop(vendor: Vendor) -> None:
    client, anna = vendor.client(), vendor.house.anna
    started = await vendor.ask(
        client.calls.start_stream,
        call_uuid=anna.id, service_url=SERVICE, bidirectional=False, audio_track="both", stream_timeout=86400,
        status_callback_url=EVENTS, status_callback_method="POST", content_type="audio/x-l16;rate=16000",
        extra_headers="Test1=Test2,Test3=Test4",
    )  # fmt: skip
    assert started.message == "audio streaming started" and started.api_id
    spec = vendor.house.spec(started.stream_id)
    assert spec.call.tracks == ("inbound", "outbound")
    assert spec.call.headers == {"Test1": "Test2", "Test3": "Test4"}
    other = await vendor.ask(client.calls.start_stream, anna.id, SERVICE + "/2", bidirectional=True)
    shown = await vendor.ask(client.calls.get_details_of_specific_stream, anna.id, started.stream_id)
    assert (shown.stream_id, shown.audio_track, shown.bidirectional) == (started.stream_id, "both", False)
    assert (shown.billed_amount, shown.plivo_auth_id, shown.call_uuid) == ("0.00000", AUTH_ID, anna.id)
    listed = await vendor.ask(client.calls.get_all_streams, anna.id)
    assert {one.stream_id for one in listed.objects} == {started.stream_id, other.stream_id}
    assert listed.meta.total_count == 2
    await vendor.ask(client.calls.delete_specific_stream, anna.id, other.stream_id)
    assert vendor.house.seats() == {started.stream_id}
    await vendor.ask(client.calls.delete_all_streams, anna.id)
    assert not vendor.house.seats()
    with pytest.raises(ValidationError, match="No active stream found"):
        await vendor.ask(client.calls.delete_all_streams, anna.id)


async def test_live_calls_and_hanging_up(vendor: Vendor) -> None:
    client, anna = vendor.client(), vendor.house.anna
    call = await vendor.ask(client.live_calls.get, anna.id)
    assert (call.call_status, call.call_uuid, call.direction) == ("in-progress", anna.id, "inbound")
    assert (await vendor.ask(client.live_calls.list_ids)).calls == [anna.id]
    assert (await vendor.ask(client.calls.get, anna.id)).call_uuid == anna.id
    await vendor.ask(client.calls.hangup, anna.id)
    with pytest.raises(ResourceNotFoundError, match="over"):
        await vendor.ask(client.calls.hangup, anna.id)
    with pytest.raises(ResourceNotFoundError):
        await vendor.ask(client.live_calls.get, anna.id)


async def test_errors_are_the_clients_own(vendor: Vendor) -> None:
    client, anna = vendor.client(), vendor.house.anna
    start = client.calls.start_stream
    with pytest.raises(ValidationError, match="forbidden combination"):
        await vendor.ask(start, anna.id, SERVICE, bidirectional=True, audio_track="both")
    with pytest.raises(ValidationError, match="service_url"):
        await vendor.ask(start, anna.id, "http://x.example")
    await vendor.ask(start, anna.id, SERVICE)
    with pytest.raises(ValidationError, match="active stream"):
        await vendor.ask(start, anna.id, SERVICE)
    with pytest.raises(ResourceNotFoundError, match="call not found"):
        await vendor.ask(start, str(uuid4()), SERVICE)
    with pytest.raises(AuthenticationError, match="auth_token"):
        await vendor.ask(vendor.client(AUTH_ID, "wrong").calls.start_stream, anna.id, SERVICE)
    with pytest.raises(ResourceNotFoundError):
        stranger = vendor.client(OTHER_AUTH_ID, OTHER_AUTH_TOKEN)
        await vendor.ask(stranger.calls.start_stream, anna.id, SERVICE)


async def test_a_server_that_takes_no_more_is_tried_again_by_the_client(vendor: Vendor) -> None:
    vendor.house.switchboard.draining = True
    with pytest.raises(PlivoRestError, match="503"):
        await vendor.ask(vendor.client().calls.start_stream, vendor.house.anna.id, SERVICE)
    vendor.house.switchboard.draining = False
    await vendor.ask(vendor.client().calls.start_stream, vendor.house.anna.id, SERVICE)
    assert len(vendor.house.seats()) == 1
