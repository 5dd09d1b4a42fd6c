"""The stream API as its user meets it: streams on one call, what is refused, what is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from plivo.utils import validate_v3_signature

from bridge.core.ledger import Gap, TrackLedger
from bridge.core.ports import L16_8K, L16_16K, HeardSource, SoloSource
from bridge.errors import LimitReached, Overloaded
from bridge.people import Actor
from tests.kit.fork_house import EVENTS, PRIVATE, SERVICE, ForkHouse, refused
from tests.kit.plivo_house import AUTH_ID, AUTH_TOKEN

pytestmark = pytest.mark.wire


@pytest.fixture
def house(forks: ForkHouse) -> ForkHouse:
    return forks


# --- a stream on one call ---


async def test_a_stream_is_begun_and_seated_beside_its_call(house: ForkHouse) -> None:
    response = await house.http.post(house.streams(), json={"service_url": SERVICE})
    assert response.status_code == 202
    body = response.json()
    assert body["message"] == "audio streaming started"
    assert set(body) == {"message", "api_id", "stream_id"}
    assert UUID(body["stream_id"]).version == UUID(body["api_id"]).version == 4
    stream_id = body["stream_id"]
    spec = house.spec(stream_id)
    assert (spec.url, spec.bidirectional, spec.redial, spec.say_stop) == (SERVICE, False, False, False)
    assert (spec.call.call_id, spec.call.stream_id) == (house.anna.id, stream_id)
    assert (spec.call.account_id, spec.call.tracks, spec.call.audio_format) == (AUTH_ID, ("inbound",), L16_8K)
    assert spec.sources == {"inbound": SoloSource(house.anna.id)}
    assert spec.timeout_s == 86_400
    routing = house.switchboard.routings[house.conference.id, stream_id]
    assert (routing.hears_only, routing.heard_by) == (frozenset(), frozenset({house.anna.id}))
    assert routing.primary_in_mix and stream_id in routing.tags and "person" not in routing.tags
    assert "s3cr3t" not in repr(spec) + repr(house.fork(stream_id))


@pytest.mark.parametrize(
    ("track", "tracks"), [("outbound", ("outbound",)), ("both", ("inbound", "outbound"))]
)
async def test_tracks_are_what_somebody_says_and_hears(
    house: ForkHouse, track: str, tracks: tuple[str, ...]
) -> None:
    spec = house.spec(await house.start(audio_track=track, content_type="audio/x-l16;rate=16000"))
    sources = {"inbound": SoloSource(house.anna.id), "outbound": HeardSource(house.anna.id)}
    assert spec.call.tracks == tracks and spec.call.audio_format == L16_16K
    assert spec.sources == {name: sources[name] for name in tracks}


async def test_parameters_reach_the_stream(house: ForkHouse) -> None:
    ben = await house.somebody("Ben")
    stream_id = await house.start(
        bidirectional=True,
        stream_timeout=30,
        extra_headers="Test1=Test2,Test3=a%20b",
        heard_by=[ben.id, "moderator"],
        say_stop="True",
    )
    spec = house.spec(stream_id)
    assert (spec.bidirectional, spec.timeout_s, spec.say_stop) == (True, 30.0, True)
    assert spec.call.headers == {"Test1": "Test2", "Test3": "a b"}
    routing = house.switchboard.routings[house.conference.id, stream_id]
    assert routing.heard_by == frozenset({ben.id, "moderator"})
    assert house.spec(await house.start(service_url="wss://b.example", redial=True)).redial


async def test_a_form_is_as_good_as_json_and_a_slash_may_be_missing(house: ForkHouse) -> None:
    form = {"service_url": SERVICE, "bidirectional": "True", "cx_bot": "x"}
    response = await house.http.post(house.streams().rstrip("/"), data=form)
    assert response.status_code == 202
    stream_id = response.json()["stream_id"]
    assert house.spec(stream_id).bidirectional
    for path in (house.streams(), house.streams(None, stream_id), house.path()):
        assert (await house.http.get(path.rstrip("/"))).json().keys() == (
            await house.http.get(path)
        ).json().keys()
    assert (await house.http.delete(house.streams().rstrip("/"))).status_code == 204


async def test_every_handshake_is_signed_anew(house: ForkHouse) -> None:
    spec = house.spec(await house.start())
    nonces = set()
    for _ in range(2):
        headers = spec.handshake()
        nonce, signed = headers["x-plivo-signature-v3-nonce"], headers["x-plivo-signature-v3"]
        url = SERVICE.replace("wss", "https")
        assert validate_v3_signature("GET", url, nonce, AUTH_TOKEN, signed)
        assert not validate_v3_signature("GET", url + "x", nonce, AUTH_TOKEN, signed)
        nonces.add(nonce)
    assert len(nonces) == 2


@pytest.mark.parametrize("written", [str.lower, str.upper, lambda call_id: call_id.replace("-", "")])
async def test_a_call_is_also_found_by_the_id_it_gave_itself(
    house: ForkHouse, written: Callable[[str], str]
) -> None:
    call_id = str(uuid4())
    caller = await house.call(written(call_id), {"From": "+15551234567", "To": "+1666"})
    stream_id = await house.start(call_id.upper())
    spec = house.spec(stream_id)
    assert spec.call.call_id == call_id
    assert spec.sources == {"inbound": SoloSource(caller.id)}
    assert (await house.get(stream_id, call_id))["stream_id"] == stream_id
    assert (await house.get(stream_id, caller.id))["call_uuid"] == call_id
    assert (await house.http.delete(house.path(written(call_id)))).status_code == 204
    assert "caller" not in house.people() and caller.id not in {one.id for one in house.people().values()}


async def test_an_id_that_is_none_is_not_told_to_the_service(house: ForkHouse) -> None:
    """The vendor's SDKs take UUIDs only, and of those only real ones."""
    caller = await house.call("call-7")
    odd = await house.call("12345678-1234-1234-1234-123456789abc")
    assert house.spec(await house.start("call-7")).call.call_id == caller.id
    assert house.spec(await house.start("12345678-1234-1234-1234-123456789abc")).call.call_id == odd.id


async def test_nobody_takes_over_somebodys_id_by_naming_a_call_after_it(house: ForkHouse) -> None:
    await house.call(house.anna.id)
    assert house.spec(await house.start(house.anna.id)).sources == {"inbound": SoloSource(house.anna.id)}


# --- what is refused ---

BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "service_url"),
    ({"service_url": ""}, "service_url"),
    ({"service_url": 5}, "service_url"),
    ({"service_url": "https://service.example"}, "service_url"),
    ({"service_url": "wss://"}, "service_url"),
    ({"service_url": "wss://[::"}, "service_url"),
    ({"service_url": "wss://a b.example"}, "service_url"),
    ({"bidirectional": True, "audio_track": "both"}, "forbidden combination"),
    ({"bidirectional": "true", "audio_track": "outbound"}, "forbidden combination"),
    ({"bidirectional": "1", "redial": "1"}, "forbidden combination"),
    ({"bidirectional": "perhaps"}, "bidirectional"),
    ({"bidirectional": []}, "bidirectional"),
    ({"audio_track": "left"}, "audio_track"),
    ({"audio_track": "participants"}, "conferences"),
    ({"content_type": "audio/opus"}, "content_type"),
    ({"content_type": 8000}, "content_type"),
    ({"extra_headers": "a=" + "b" * 511}, "512"),
    ({"extra_headers": "novalue"}, "key=value"),
    ({"extra_headers": "a=b,=c"}, "key=value"),
    ({"extra_headers": ["a=b"]}, "key=value"),
    ({"stream_timeout": 0}, "stream_timeout"),
    ({"stream_timeout": -1}, "stream_timeout"),
    ({"stream_timeout": 1.5}, "stream_timeout"),
    ({"stream_timeout": True}, "stream_timeout"),
    ({"stream_timeout": "soon"}, "stream_timeout"),
    ({"stream_timeout": 10**12}, "stream_timeout"),
    ({"status_callback_url": "ftp://a.example"}, "status_callback_url"),
    ({"status_callback_url": EVENTS, "status_callback_method": "PUT"}, "status_callback_method"),
    ({"heard_by": ["everybody"]}, "heard_by"),
    ({"heard_by": 5}, "heard_by"),
    ({"hears": ["person"]}, "hears"),
    ({"service_url": "wss://10.0.0.1/"}, PRIVATE),
    ({"status_callback_url": "http://10.0.0.1/"}, PRIVATE),
    ({"service_url": "wss://nowhere.example/"}, "no address"),
]


@pytest.mark.parametrize(("given", "said"), BAD, ids=lambda value: str(value)[:50])
async def test_what_cannot_be_is_refused_in_words(house: ForkHouse, given: dict[str, Any], said: str) -> None:
    if given and "service_url" not in given:
        given = {"service_url": SERVICE, **given}
    error = refused(await house.http.post(house.streams(), json=given), 400)
    assert said in error
    assert not house.seats() and not house.facade.fork_course.records.live()


@pytest.mark.parametrize("body", [b"[1]", b"{", b"\xff", b"null", b"[" * 50_000, b'"a"'])
async def test_a_body_that_is_none_is_refused(house: ForkHouse, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    refused(await house.http.post(house.streams(), content=body, headers=headers), 400)


async def test_a_body_that_is_too_large_is_refused(house: ForkHouse) -> None:
    assert "larger" in refused(await house.http.post(house.streams(), content=b" " * 70_000), 400)


async def test_one_stream_to_one_address_at_a_time(house: ForkHouse) -> None:
    stream_id = await house.start()
    assert "active" in refused(await house.http.post(house.streams(), json={"service_url": SERVICE}), 400)
    written_otherwise = SERVICE.replace("service.example", "SERVICE.example:443")
    again = await house.http.post(house.streams(), json={"service_url": written_otherwise})
    assert "active" in refused(again, 400)
    ben = await house.somebody("Ben")
    await house.start(ben.id)  # another call's
    await house.start(service_url=SERVICE + "2")
    assert (await house.http.delete(house.streams(None, stream_id))).status_code == 204
    await house.start()


async def test_of_two_requests_at_once_for_one_address_one_is_granted(house: ForkHouse) -> None:
    house.check_takes_s = 0.01
    answers = await asyncio.gather(
        *(house.http.post(house.streams(), json={"service_url": SERVICE}) for _ in range(3))
    )
    assert sorted(answer.status_code for answer in answers) == [202, 400, 400]
    assert len(house.seats()) == 1


async def test_a_call_that_is_not_live_cannot_be_streamed(house: ForkHouse) -> None:
    away = await house.somebody("Away", online=False)
    for call_uuid, said in ((away.id, "not live"), (str(uuid4()), "not found"), ("%00", "not found")):
        for answered in (
            await house.http.post(house.streams(call_uuid), json={"service_url": SERVICE}),
            await house.http.get(house.path(call_uuid)),
        ):
            assert said in refused(answered, 404)


async def test_a_call_that_ends_while_its_stream_is_checked_is_not_streamed(house: ForkHouse) -> None:
    house.check_takes_s = 0.01
    asking = asyncio.create_task(house.http.post(house.streams(), json={"service_url": SERVICE}))
    await house.settle()
    house.switchboard.down(house.conference.id, house.anna.id)
    refused(await asking, 404)
    assert not house.seats()


@pytest.mark.parametrize("error", [Overloaded(7), LimitReached("legs", 3)])
@pytest.mark.parametrize("whole", [False, True])
async def test_what_cannot_be_now_says_when_to_come_back(
    house: ForkHouse, error: Exception, whole: bool
) -> None:
    house.switchboard.errors.append(error)
    call_uuid = house.conference.id if whole else house.anna.id
    response = await house.http.post(house.streams(call_uuid), json={"service_url": SERVICE})
    refused(response, 503)
    assert int(response.headers["retry-after"]) > 0
    await house.settle()
    assert list(house.people()) == ["Anna"]
    assert not house.facade.fork_course.records.live() and not house.asked
    await house.start(call_uuid)  # nothing is left of the first attempt


async def test_a_server_that_goes_down_takes_no_more(house: ForkHouse) -> None:
    house.switchboard.draining = True
    response = await house.http.post(house.streams(), json={"service_url": SERVICE})
    refused(response, 503)
    assert "retry-after" in response.headers


async def test_what_breaks_inside_is_not_told(house: ForkHouse, caplog: pytest.LogCaptureFixture) -> None:
    house.switchboard.errors.append(RuntimeError("secret inside"))
    error = refused(await house.http.post(house.streams(), json={"service_url": SERVICE}), 500)
    assert "secret" not in error
    assert "secret inside" in caplog.text and "s3cr3t" not in caplog.text


# --- asking for streams ---


async def test_a_stream_is_described_as_plivo_describes_it(house: ForkHouse) -> None:
    stream_id = await house.start(status_callback_url=EVENTS, bidirectional=True, name="Bot")
    ledger = house.fork(stream_id).ledger
    ledger.tracks["inbound"] = TrackLedger(100, 90, 8, [Gap(1_000, 1_160)])
    ledger.connects, ledger.played_ms, ledger.underruns = 3, 500.4, 2
    house.now += 61.5
    shown = await house.get(stream_id)
    assert UUID(shown.pop("api_id"))
    assert {
        "audio_track": "inbound",
        "bidirectional": True,
        "bill_duration": 61,
        "billed_amount": "0.00000",
        "call_uuid": house.anna.id,
        "content_type": "audio/x-l16;rate=8000",
        "created_at": "2023-11-14 22:13:20+00:00",
        "end_time": None,
        "plivo_auth_id": AUTH_ID,
        "resource_uri": house.streams(None, stream_id),
        "rounded_bill_duration": 120,
        "service_url": SERVICE,
        "start_time": "2023-11-14 22:13:20+00:00",
        "status": "in-progress",
        "status_callback_url": EVENTS,
        "stream_id": stream_id,
        "captured": 100,
        "delivered": 90,
        "lost": 8,
        "reconnects": 2,
        "end_reason": None,
        "name": "Bot",
    }.items() <= shown.items()
    assert shown["tracks"]["inbound"]["gaps"] == [{"from_ms": 1_000, "to_ms": 1_160}]
    assert (shown["played"]["played_ms"], shown["played"]["underruns"]) == (500, 2)


async def test_an_ended_stream_can_still_be_asked_for(house: ForkHouse) -> None:
    stream_id = await house.start()
    ben = await house.somebody("Ben")
    house.now += 27
    house.switchboard.down(house.conference.id, house.anna.id)
    await house.settle()
    await house.directory.remove_participant(house.anna, by=Actor.system())
    house.now += 1_000
    shown = await house.get(stream_id)
    assert (shown["status"], shown["bill_duration"], shown["end_reason"]) == ("completed", 27, "Call hangup")
    assert shown["end_time"] == "2023-11-14 22:13:47+00:00"
    listed = (await house.http.get(house.streams())).json()
    assert [one["stream_id"] for one in listed["objects"]] == [stream_id]
    assert "not found" in refused(await house.http.get(house.streams(ben.id, stream_id)), 404)
    assert refused(await house.http.delete(house.streams()), 400) == "No active stream found"


async def test_streams_come_in_pages_newest_first(house: ForkHouse) -> None:
    made = []
    for number in range(5):
        house.now += 1
        made.append(await house.start(service_url=f"wss://service.example/{number}"))
    made.reverse()
    first = (await house.http.get(house.streams(), params={"limit": 2})).json()
    assert [one["stream_id"] for one in first["objects"]] == made[:2]
    assert first["meta"]["total_count"] == 5 and first["meta"]["previous"] is None
    middle = (await house.http.get(first["meta"]["next"])).json()
    assert [one["stream_id"] for one in middle["objects"]] == made[2:4]
    last = (await house.http.get(middle["meta"]["next"])).json()
    assert [one["stream_id"] for one in last["objects"]] == made[4:]
    assert last["meta"] == {
        "limit": 2, "next": None, "offset": 4, "previous": middle["meta"]["previous"].replace("=0", "=2"),
        "total_count": 5,
    }  # fmt: skip
    beyond = (await house.http.get(house.streams(), params={"offset": 99})).json()
    assert beyond["objects"] == [] and beyond["meta"]["next"] is None
    for wrong in ({"limit": "0"}, {"limit": "21"}, {"limit": "x"}, {"offset": "-1"}, {"offset": "١"}):
        refused(await house.http.get(house.streams(), params=wrong), 400)


async def test_a_call_without_streams_has_an_empty_list(house: ForkHouse) -> None:
    assert (await house.http.get(house.streams())).json()["objects"] == []
    refused(await house.http.get(house.streams(str(uuid4()))), 404)
