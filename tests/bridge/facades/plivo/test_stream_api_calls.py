"""The stream API's other half: ends of streams and calls, services in conferences, whose a call is."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest

from bridge.core.ports import CloseReason, MixSource, SoloSource
from bridge.facades.plivo.rest_wire import StreamRequest
from bridge.people import Actor, Audience, Role
from tests.kit.fork_house import SERVICE, ForkHouse, refused
from tests.kit.plivo_house import AUTH_ID, AUTH_TOKEN, OTHER_AUTH_ID, OTHER_AUTH_TOKEN

pytestmark = pytest.mark.wire


@pytest.fixture
def house(forks: ForkHouse) -> ForkHouse:
    return forks


# --- stopping, hanging up, asking for the call ---


async def test_streams_are_stopped_one_by_one_or_all_at_once(house: ForkHouse) -> None:
    one, two, three = [await house.start(service_url=f"wss://s.example/{n}") for n in range(3)]
    body = {"call_uuid": house.anna.id, "stream_id": one}
    response = await house.http.request("DELETE", house.streams(None, one), json=body)
    assert (response.status_code, response.content) == (204, b"")
    assert house.seats() == {two, three}
    assert (house.conference.id, one) in house.switchboard.forgotten
    assert (await house.http.delete(house.streams())).status_code == 204
    assert not house.seats()
    assert (await house.get(two))["end_reason"] == "API request"
    for path in (house.streams(), house.streams(None, one), house.streams(None, str(uuid4()))):
        assert refused(await house.http.delete(path), 400) == "No active stream found"
    refused(await house.http.delete(house.streams(str(uuid4()), one)), 404)
    assert house.people()["Anna"].online


async def test_a_hung_up_call_is_over_and_so_are_its_streams(house: ForkHouse) -> None:
    stream_id = await house.start()
    response = await house.http.delete(house.path())
    assert (response.status_code, response.content) == (204, b"")
    await house.settle()
    assert (house.conference.id, house.anna.id, CloseReason.HANGUP) in house.switchboard.ended
    assert not house.seats() and not house.people()["Anna"].online
    assert (await house.get(stream_id))["end_reason"] == "Call hangup"
    assert "over" in refused(await house.http.delete(house.path()), 404)
    refused(await house.http.delete(house.path(str(uuid4()))), 404)
    refused(await house.http.delete(house.path(house.conference.id)), 404)


async def test_a_live_call_is_described(house: ForkHouse) -> None:
    house.now += 5
    call_id = str(uuid4())
    caller = await house.call(call_id, {"X-PH-From": "+15551234567", "X-PH-To": "+1666"})
    house.now += 5
    shown = (await house.http.get(house.path(call_id), params={"status": "live"})).json()
    assert {
        "call_status": "in-progress",
        "call_uuid": call_id,
        "caller_name": "+15551234567",
        "direction": "inbound",
        "from": "+15551234567",
        "to": "+1666",
        "request_uuid": call_id,
        "session_start": "2023-11-14 22:13:25+00:00",
        "conference_id": house.conference.id,
        "participant_id": caller.id,
    }.items() <= shown.items()
    anna = (await house.http.get(house.path(), params={"status": "live"})).json()
    assert (anna["from"], anna["to"], anna["session_start"]) == ("Anna", "Talk", "2023-11-14 22:13:20+00:00")
    refused(await house.http.get(house.path(), params={"status": "queued"}), 404)
    whole = (await house.http.get(house.path(house.conference.id))).json()
    assert (whole["call_uuid"], whole["caller_name"]) == (house.conference.id, "Talk")
    calls = (await house.http.get(f"/v1/Account/{AUTH_ID}/Call/", params={"status": "live"})).json()["calls"]
    assert set(calls) == {house.anna.id, caller.id}


# --- a stream on a conference ---


async def test_a_service_joins_a_conference_as_a_participant(house: ForkHouse) -> None:
    stream_id = await house.start(
        house.conference.id, bidirectional=True, name="Helper", hears="person", heard_by=""
    )
    bot = house.people()["Helper"]
    assert (bot.role, bot.transient, bot.online) == (Role.SPEAKER, True, True)
    assert bot.service == Audience(frozenset({"person"}), frozenset())
    spec = house.spec(bot.id)
    assert (spec.call.call_id, spec.call.stream_id) == (bot.id, stream_id)
    assert spec.sources == {"inbound": MixSource()}
    shown = await house.get(stream_id, house.conference.id)
    assert (shown["call_uuid"], shown["participant_id"]) == (house.conference.id, bot.id)
    assert (await house.get(stream_id, bot.id))["stream_id"] == stream_id


async def test_a_service_that_only_listens_is_an_attendee_named_after_its_host(house: ForkHouse) -> None:
    await house.start(house.conference.id)
    listener = house.people()["service.example"]
    assert (listener.role, listener.service) == (Role.ATTENDEE, Audience())


async def test_a_bots_hang_up_removes_only_the_bot(house: ForkHouse) -> None:
    stream_id = await house.start(house.conference.id, bidirectional=True, name="Helper")
    bot = house.people()["Helper"]
    assert (await house.http.delete(house.path(bot.id))).status_code == 204
    assert list(house.people()) == ["Anna"] and house.people()["Anna"].online
    assert (await house.get(stream_id, bot.id))["end_reason"] == "Call hangup"
    refused(await house.http.delete(house.path(bot.id)), 404)


async def test_a_bots_stream_is_stopped_under_either_name(house: ForkHouse) -> None:
    for by_bot in (False, True):
        stream_id = await house.start(house.conference.id, bidirectional=True, name="Helper")
        call_uuid = house.people()["Helper"].id if by_bot else house.conference.id
        assert (await house.http.delete(house.streams(call_uuid, stream_id))).status_code == 204
        assert list(house.people()) == ["Anna"]
        shown = await house.get(stream_id, house.conference.id)
        assert shown["end_reason"] == "API request"


async def test_an_expelled_bot_ends_its_stream(house: ForkHouse) -> None:
    stream_id = await house.start(house.conference.id, bidirectional=True, name="Helper")
    await house.directory.remove_participant(house.people()["Helper"], by=Actor.system())
    assert (await house.get(stream_id, house.conference.id))["end_reason"] == "API request"


async def test_a_bot_whose_service_leaves_is_gone(house: ForkHouse) -> None:
    stream_id = await house.start(house.conference.id, bidirectional=True, name="Helper")
    house.lose(house.people()["Helper"].id, "service closed: 1000")
    await house.settle()
    assert list(house.people()) == ["Anna"]
    shown = await house.get(stream_id, house.conference.id)
    assert (shown["end_reason"], shown["end_detail"]) == ("Connection error", "service closed: 1000")


async def test_a_bot_can_be_streamed_itself(house: ForkHouse) -> None:
    await house.start(house.conference.id, bidirectional=True, name="Helper")
    bot = house.people()["Helper"]
    stream_id = await house.start(bot.id, service_url="wss://ear.example")
    assert house.spec(stream_id).sources == {"inbound": SoloSource(bot.id)}
    assert (await house.http.delete(house.path(bot.id))).status_code == 204
    await house.settle()
    assert not house.seats()


@pytest.mark.parametrize(
    "given", [{"audio_track": "outbound"}, {"audio_track": "both"}, {"hangup_on_close": True}]
)
async def test_a_conference_has_one_track_and_nobody_to_hang_up(
    house: ForkHouse, given: dict[str, object]
) -> None:
    given = {"service_url": SERVICE, **given}
    refused(await house.http.post(house.streams(house.conference.id), json=given), 400)


# --- whose it is ---


@pytest.mark.parametrize(
    "credentials",
    [
        None,
        (AUTH_ID, "wrong"),
        (AUTH_ID, ""),
        ("", AUTH_TOKEN),
        (OTHER_AUTH_ID, OTHER_AUTH_TOKEN),
        (OTHER_AUTH_ID, AUTH_TOKEN),
        (AUTH_ID, OTHER_AUTH_TOKEN),
        ("MAUNKNOWNUNKNOWNUNKN", ""),
    ],
)
async def test_without_the_accounts_own_credentials_nothing_is_told(
    house: ForkHouse, credentials: tuple[str, str] | None
) -> None:
    stream_id = await house.start()
    for method, path in (
        ("POST", house.streams()), ("GET", house.streams()), ("DELETE", house.streams()),
        ("GET", house.streams(None, stream_id)), ("DELETE", house.streams(None, stream_id)),
        ("GET", house.path()), ("DELETE", house.path()), ("GET", f"/v1/Account/{AUTH_ID}/Call/"),
    ):  # fmt: skip
        auth = httpx.BasicAuth(*credentials) if credentials else None
        response = await house.http.request(method, path, auth=auth)
        refused(response, 401)
        assert response.headers["www-authenticate"].startswith("Basic")
    assert house.seats() == {stream_id}


@pytest.mark.parametrize("header", ["Bearer x", "Basic", "Basic %%%", "Basic /w==", "Basic YQ=="])
async def test_credentials_that_cannot_be_read_are_wrong(house: ForkHouse, header: str) -> None:
    async with house.client() as client:
        client.auth = None  # type: ignore[assignment]
        refused(await client.get(house.path(), headers={"Authorization": header}), 401)


async def test_another_applications_calls_do_not_exist(house: ForkHouse) -> None:
    stream_id = await house.start(house.conference.id, bidirectional=True, name="Helper")
    on_call = await house.start()
    call_id = str(uuid4())
    await house.call(call_id)
    bot = house.people()["Helper"]
    async with house.client(OTHER_AUTH_ID, OTHER_AUTH_TOKEN) as other:
        for call_uuid in (house.anna.id, house.conference.id, bot.id, call_id, on_call):
            call = house.path(call_uuid).replace(AUTH_ID, OTHER_AUTH_ID)
            table = (
                ("POST", f"{call}Stream/", 404), ("GET", f"{call}Stream/", 404),
                ("DELETE", f"{call}Stream/", 404), ("GET", f"{call}Stream/{stream_id}/", 404),
                ("DELETE", f"{call}Stream/{stream_id}/", 404), ("GET", f"{call}Stream/{on_call}/", 404),
                ("DELETE", f"{call}Stream/{on_call}/", 404), ("GET", call, 404), ("DELETE", call, 404),
            )  # fmt: skip
            for method, path, status in table:
                body = {"service_url": SERVICE} if method == "POST" else None
                refused(await other.request(method, path, json=body), status)
        calls = await other.get(f"/v1/Account/{OTHER_AUTH_ID}/Call/")
        assert calls.json()["calls"] == []
    assert house.seats() == {bot.id, on_call} and len(house.people()) == 3


async def test_the_page_of_the_api_describes_every_call(house: ForkHouse) -> None:
    paths = (await house.http.get("/openapi.json")).json()["paths"]
    stream = paths["/v1/Account/{auth_id}/Call/{call_uuid}/Stream/{stream_id}/"]
    assert {one["name"] for one in stream["get"]["parameters"]} == {"auth_id", "call_uuid", "stream_id"}
    start = paths["/v1/Account/{auth_id}/Call/{call_uuid}/Stream/"]["post"]
    shown = start["requestBody"]["content"]["application/json"]["schema"]["properties"]
    asked = {name.replace("_", "") for name in StreamRequest.__dataclass_fields__}
    renamed = {"timeouts", "statusurl", "statusmethod", "headers"}
    assert asked - renamed <= {name.replace("_", "") for name in shown}
    assert not any("/Stream" in path and not path.endswith("/") for path in paths)
