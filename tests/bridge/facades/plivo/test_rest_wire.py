"""Parameters of the stream API: whatever comes is read or refused, and never breaks anything."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.errors import BadInput
from bridge.facades.plivo.rest_wire import (
    StreamRequest,
    read_body,
    read_headers,
    read_page,
    read_stream,
)
from tests.kit.fork_house import ForkHouse

pytestmark = pytest.mark.wire

URL = "wss://service.example/a"
PERSON = "0E6A1C9C-3D4B-4E6F-8A7B-1C2D3E4F5A6B"


def read(whole: bool = False, **given: Any) -> StreamRequest:
    return read_stream({"service_url": URL, **given}, whole_conference=whole)


def test_what_is_not_said_is_as_plivo_has_it() -> None:
    assert read() == StreamRequest(
        service_url=URL,
        bidirectional=False,
        audio_track="inbound",
        content_type="audio/x-l16;rate=8000",
        timeout_s=86_400,
        status_url="",
        status_method="POST",
        headers={},
    )
    nothing = dict.fromkeys(
        ("bidirectional", "audio_track", "content_type", "stream_timeout", "status_callback_url", "hears"),
        None,
    )
    assert read(**nothing, cx_bot="x", noise_cancellation="true", call_uuid="y") == read()
    empty = dict.fromkeys(("bidirectional", "audio_track", "content_type", "stream_timeout"), "")
    assert read(**empty) == read()


@pytest.mark.parametrize("value", [True, "true", "True", " TRUE ", 1, "1"])
def test_true_is_written_in_many_ways(value: object) -> None:
    assert read(bidirectional=value).bidirectional


@pytest.mark.parametrize("value", [False, "false", "False", 0, "0"])
def test_so_is_false(value: object) -> None:
    assert not read(bidirectional=value).bidirectional


@pytest.mark.parametrize("value", [86_400, "86400", " 86400 "])
def test_a_timeout_may_be_a_number_or_text(value: object) -> None:
    assert read(stream_timeout=value).timeout_s == 86_400


@pytest.mark.parametrize("name", ["serviceUrl", "Service_url", "SERVICE_URL", "serviceurl"])
def test_names_are_read_without_regard_to_how_they_are_written(name: str) -> None:
    assert read_stream({name: URL}, whole_conference=False).service_url == URL


@pytest.mark.parametrize(
    "written", ["audio/x-l16;rate=16000", "audio/x-l16; rate=16000", "Audio/X-L16;Rate=16000"]
)
def test_a_content_type_may_have_spaces_and_capitals(written: str) -> None:
    assert read(content_type=written).audio_format.rate_hz == 16_000


@pytest.mark.parametrize(
    ("written", "headers"),
    [
        (None, {}),
        ("", {}),
        ("{}", {}),
        ("Test1=Test2,Test3=Test4", {"Test1": "Test2", "Test3": "Test4"}),
        ("userId=12345;sessionId=abc-xyz", {"userId": "12345", "sessionId": "abc-xyz"}),
        (" a = b , c = d ", {"a": "b", "c": "d"}),
        ("a=b%2Cc%3Dd", {"a": "b,c=d"}),
        ("a=", {"a": ""}),
        ("X-PH-key=Zoë", {"X-PH-key": "Zoë"}),
        ({"a": "b", "n": 5}, {"a": "b", "n": "5"}),
        ("k=" + "v" * 510, {"k": "v" * 510}),
    ],
)
def test_extra_headers_are_pairs(written: object, headers: dict[str, str]) -> None:
    assert read_headers(written) == headers


@pytest.mark.parametrize("written", ["k=" + "v" * 511, "k=" + "ä" * 256, "a", "a=b=c", ",", {"": "x"}, 5, []])
def test_extra_headers_that_are_none_are_refused(written: object) -> None:
    with pytest.raises(BadInput):
        read_headers(written)


@pytest.mark.parametrize(
    ("written", "tags"),
    [
        (None, None),
        ([], frozenset()),
        ("", frozenset()),
        ("moderator, Bot", frozenset({"moderator", "bot"})),
        (["person", PERSON], frozenset({"person", PERSON.lower()})),
        (PERSON.replace("-", ""), frozenset({PERSON.lower()})),
    ],
)
def test_whom_a_service_hears_is_a_list_or_text(written: object, tags: frozenset[str] | None) -> None:
    asked = read(whole=True, hears=written, heard_by=written)
    assert asked.hears == asked.heard_by == tags


@pytest.mark.parametrize("written", ["x", ["x"], [5], 5, {"a": 1}, ["person"] * 201, True])
def test_whom_it_cannot_hear_is_refused(written: object) -> None:
    with pytest.raises(BadInput):
        read(whole=True, hears=written)


def test_secrets_of_addresses_are_not_shown() -> None:
    shown = repr(read(service_url=URL + "?a=s3cr3t", status_callback_url="https://e.example/?t=s3cr3t"))
    assert "s3cr3t" not in shown


@pytest.mark.parametrize(
    ("body", "kind", "given"),
    [
        (b"", "application/json", {}),
        (b"  ", "", {}),
        (b'{"a": true}', "application/json; charset=utf-8", {"a": True}),
        (b'{"a": 1}', "", {"a": 1}),
        (b"a=1&b=", "application/x-www-form-urlencoded", {"a": "1", "b": ""}),
        (b"a=1&a=2", "application/x-www-form-urlencoded", {"a": "2"}),
        (b"a=1", "", {"a": "1"}),
    ],
)
def test_a_body_is_json_or_a_form(body: bytes, kind: str, given: dict[str, object]) -> None:
    assert read_body(body, kind) == given


# --- garbage ---

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=40),
    st.sampled_from(
        [
            "true",
            "both",
            "participants",
            "inbound",
            URL,
            "wss://[",
            "audio/x-mulaw;rate=8000",
            "a=b",
            "²",
            "٣",
        ]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
NAMES = (
    "service_url", "bidirectional", "audio_track", "stream_timeout", "status_callback_url", "content_type",
    "status_callback_method", "extra_headers", "name", "hears", "heard_by", "hangup_on_close", "redial",
    "say_stop", "bots", "Bots", "call_uuid",
)  # fmt: skip
requests = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=10), values, max_size=8)


@settings(max_examples=200)
@given(requests, st.booleans(), st.booleans())
def test_any_parameters_are_read_or_refused(given: dict[str, Any], with_url: bool, whole: bool) -> None:
    try:
        asked = read_stream({**given, **({"service_url": URL} if with_url else {})}, whole_conference=whole)
    except BadInput as refused:
        assert str(refused)
    else:
        assert asked.service_url.startswith(("ws://", "wss://")) and asked.timeout_s >= 1
        assert asked.audio_format.rate_hz in (8_000, 16_000) and asked.title is not None


@given(
    st.binary(max_size=200), st.sampled_from(["", "application/json", "application/x-www-form-urlencoded"])
)
def test_any_body_is_read_or_refused(body: bytes, kind: str) -> None:
    try:
        assert isinstance(read_body(body, kind), dict)
    except BadInput as refused:
        assert str(refused)


@given(st.dictionaries(st.sampled_from(["limit", "offset"]), st.text(max_size=12)))
def test_any_page_is_read_or_refused(query: dict[str, str]) -> None:
    try:
        page = read_page(query)
    except BadInput:
        return
    assert 1 <= page.limit <= 20 and page.offset >= 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    requests, st.booleans(), st.booleans(), st.text(max_size=20), st.sampled_from(["POST", "GET", "DELETE"])
)
def test_whatever_is_asked_the_answer_is_json_and_never_500(
    given: dict[str, Any], with_url: bool, whole: bool, part: str, method: str
) -> None:
    async def ask() -> list[httpx.Response]:
        house = await ForkHouse().open()
        call_uuid = house.conference.id if whole else house.anna.id
        body = {**given, **({"service_url": URL} if with_url else {})}
        form = urlencode({name: str(value) for name, value in body.items()}, errors="replace").encode()
        odd = httpx.URL("http://inside/").copy_with(
            raw_path=f"{house.path(call_uuid)}Stream/".encode()
            + urlencode({"": part}, errors="replace").encode()
        )
        answers = [
            await house.http.request(
                method, house.streams(call_uuid), content=json.dumps(body).encode("utf-8", "replace"),
                headers={"Content-Type": "application/json"},
            ),
            await house.http.request(
                method, house.streams(call_uuid), content=form,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            ),
            await house.http.request(method, odd),
            await house.http.get(house.streams(call_uuid), params={"limit": part, "offset": part}),
        ]  # fmt: skip
        await house.settle()
        await house.close()
        return answers

    for answer in asyncio.run(ask()):
        assert answer.status_code in (200, 202, 204, 400, 404, 405), answer.text
        if answer.status_code != 204:
            assert isinstance(answer.json(), dict)
