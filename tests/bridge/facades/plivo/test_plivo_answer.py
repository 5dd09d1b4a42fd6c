from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from plivo import plivoxml
from plivo.utils.signature_v3 import construct_get_url, construct_post_url, get_signature_v3

from bridge.facades.plivo.answer import CONTENT_TYPES, stream_xml
from bridge.facades.plivo.stream_tokens import LIFETIME_S, MAX_TOKENS, StreamTokens
from bridge.sockets import Accept, Refuse
from tests.kit.calls import a_call
from tests.kit.plivo_house import AUTH_TOKEN, BASE_URL, OTHER_AUTH_TOKEN, PlivoHouse

pytestmark = pytest.mark.wire


def plivo_headers(
    method: str, url: str, form: dict[str, str] | None = None, auth_token: str = AUTH_TOKEN
) -> dict[str, str]:
    """Signed by the vendor's own code."""
    nonce = uuid.uuid4().hex
    text = construct_get_url(url, {}) if method == "GET" else construct_post_url(url, form or {})
    signed = get_signature_v3(auth_token.encode(), text.decode(), nonce).decode()
    return {"X-Plivo-Signature-V3": signed, "X-Plivo-Signature-V3-Nonce": nonce}


class Plivo:
    """Asks for the answer as the vendor's server does."""

    def __init__(self, house: PlivoHouse) -> None:
        app = FastAPI()
        app.include_router(house.facade.router())
        self._house = house
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inside")

    async def get(self, query: str = "", **signing: str) -> httpx.Response:
        target = f"{self._house.path}/answer{query}"
        return await self.http.get(target, headers=plivo_headers("GET", BASE_URL + target, **signing))  # type: ignore[arg-type]

    async def post(self, form: dict[str, str], query: str = "") -> httpx.Response:
        target = f"{self._house.path}/answer{query}"
        return await self.http.post(target, data=form, headers=plivo_headers("POST", BASE_URL + target, form))


@pytest_asyncio.fixture
async def plivo(house: PlivoHouse) -> AsyncIterator[Plivo]:
    asking = Plivo(house)
    yield asking
    await asking.http.aclose()


def stream_target(xml: str) -> str:
    stream = ElementTree.fromstring(xml).find("Stream")
    assert stream is not None
    assert stream.text is not None
    parts = urlsplit(stream.text)
    return f"{parts.path}?{parts.query}"


async def test_the_answer_streams_into_the_conference(house: PlivoHouse, plivo: Plivo) -> None:
    response = await plivo.post({"CallUUID": "c", "From": "+15551234567", "To": "+1666", "Event": "StartApp"})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/xml")
    stream = ElementTree.fromstring(response.text).find("Stream")
    assert stream is not None
    assert stream.attrib == {
        "bidirectional": "true",
        "keepCallAlive": "true",
        "contentType": "audio/x-l16;rate=16000",
        "extraHeaders": "name=15551234567",
    }
    pattern = rf"wss://bridge\.example{re.escape(house.path)}\?stream_token=[\w-]{{20,}}"
    assert re.fullmatch(pattern, stream.text or "")
    await house.ring(a_call(), stream_target(response.text))
    assert set(house.people()) == {"+15551234567"}


async def test_the_vendor_s_xml_library_writes_the_same() -> None:
    url = "wss://bridge.example/a/b/plivo?stream_token=x&y=<z>"
    for content_type in CONTENT_TYPES:
        theirs = plivoxml.ResponseElement().add(
            plivoxml.StreamElement(
                url,
                bidirectional=True,
                keepCallAlive=True,
                contentType=content_type,
                extraHeaders="name=Ann",
            )
        )
        ours = stream_xml(url, content_type, "name=Ann")
        assert ElementTree.canonicalize(ours, strip_text=True) == ElementTree.canonicalize(
            theirs.to_string(), strip_text=True
        )


async def test_format_and_name_can_be_asked_for(house: PlivoHouse, plivo: Plivo) -> None:
    query = "?" + urlencode({"content_type": "audio/x-mulaw;rate=8000", "name": "Zoe Lee"})
    response = await plivo.get(query)
    stream = ElementTree.fromstring(response.text).find("Stream")
    assert stream is not None
    assert stream.attrib["contentType"] == "audio/x-mulaw;rate=8000"
    assert stream.attrib["extraHeaders"] == "name=ZoeLee"
    await house.ring(a_call(), stream_target(response.text))
    assert set(house.people()) == {"Zoe Lee"}


async def test_other_formats_are_refused(plivo: Plivo) -> None:
    response = await plivo.get("?" + urlencode({"content_type": "audio/opus"}))
    assert response.status_code == 400
    assert "audio/x-l16;rate=8000" in response.json()["error"]


async def test_what_is_not_rightly_signed_is_refused(house: PlivoHouse, plivo: Plivo) -> None:
    target = f"{house.path}/answer"
    assert (await plivo.http.get(target)).status_code == 401
    assert (await plivo.get(auth_token=OTHER_AUTH_TOKEN)).status_code == 401
    once = plivo_headers("GET", BASE_URL + target)
    assert (await plivo.http.get(target, headers=once)).status_code == 200
    assert (await plivo.http.get(target, headers=once)).status_code == 401
    signed = plivo_headers("POST", BASE_URL + target, {"From": "1"})
    assert (await plivo.http.post(target, data={"From": "2"}, headers=signed)).status_code == 401
    signed = plivo_headers("GET", BASE_URL + target)
    assert (await plivo.http.get(target + "?name=x", headers=signed)).status_code == 401


async def test_unknown_conferences_and_draining_have_their_status(house: PlivoHouse, plivo: Plivo) -> None:
    target = house.path.replace(house.conference.id, "nowhere") + "/answer"
    response = await plivo.http.get(target, headers=plivo_headers("GET", BASE_URL + target))
    assert response.status_code == 404
    house.switchboard.draining = True
    response = await plivo.get()
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"


async def test_a_huge_or_broken_form_is_refused(house: PlivoHouse, plivo: Plivo) -> None:
    target = f"{house.path}/answer"
    for body in (b"a=" + b"x" * 70_000, b"&".join(b"a%d=1" % n for n in range(300)), b"\xff=1"):
        response = await plivo.http.post(target, content=body)
        assert response.status_code == 400


async def test_a_stream_token_is_good_for_one_call(house: PlivoHouse, plivo: Plivo) -> None:
    target = stream_target((await plivo.get()).text)
    call = a_call(headers={"name": "Ann"})
    first = await house.ring(call, target)
    thief = await house.ring(a_call(), target)
    assert thief.close_calls == [(1008, "not allowed")]
    first.lose()
    again = await house.ring(a_call(call_id=call.call_id), target)
    assert again.close_calls == []
    again.lose(1000)
    await house.settle()
    assert isinstance(await house.upgrade(target), Refuse)
    assert house.people() == {}


async def test_a_stream_token_opens_no_other_conference(house: PlivoHouse, plivo: Plivo) -> None:
    from bridge.people import Actor

    target = stream_target((await plivo.get()).text)
    other = await house.directory.open_conference(house.conference.application_id, by=Actor.system())
    assert isinstance(await house.upgrade(target.replace(house.conference.id, other.id)), Refuse)
    assert isinstance(await house.upgrade(target), Accept)


def test_stream_tokens_expire_unless_their_call_lives() -> None:
    now = 0.0
    tokens = StreamTokens(now=lambda: now)
    unused, used = tokens.make("c", "Ann"), tokens.make("c", "Bob")
    found = tokens.find(used)
    assert found is not None
    found.call_id = "call"
    now = LIFETIME_S + 0.1
    assert tokens.find(unused) is None
    assert tokens.find(used) is found
    tokens.end(found)
    assert tokens.find(used) is None


def test_stream_tokens_are_bounded_and_the_oldest_go_first() -> None:
    tokens = StreamTokens(now=lambda: 0.0)
    first, second = tokens.make("c", ""), tokens.make("c", "")
    for n in range(MAX_TOKENS - 2):
        tokens._tokens[b"%d" % n] = tokens._tokens[next(iter(tokens._tokens))]
    newest = tokens.make("c", "")
    assert tokens.find(first) is None
    assert tokens.find(second) is not None
    assert tokens.find(newest) is not None
