"""Two phones and two browsers in one conference of the real server, each with a tone of its own."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

import httpx
import pytest
import pytest_asyncio
from plivo.utils.signature_v3 import construct_get_url, construct_post_url, get_signature_v3

from bridge.core.ports import L16_8K, L16_16K, ULAW_8K
from bridge.harness.plivo_caller import CallFailed, PlivoCaller, new_call
from tests.kit.app_socket import AppSocket, Notification
from tests.kit.browser_peer import BrowserPeer, Heard, Tone, ask_over_http
from tests.kit.ears import AMPLITUDE, hears, listen, phone, until
from tests.kit.running_bridge import PLIVO_AUTH_TOKEN, Invited, RunningBridge
from tests.kit.tones import tone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

ANNA, BERT, CLEO, DORA = 440, 1000, 700, 1500
"""Each one's tone: a phone with L16 at 16 kHz, one with µ-law, a browser, and a browser of an attendee."""


@dataclass
class Meeting:
    """All four, connected."""

    bridge: RunningBridge
    conference: str
    app: AppSocket
    people: dict[str, Invited]
    anna: PlivoCaller
    bert: PlivoCaller
    cleo: Heard
    dora: Heard

    async def look(self, name: str) -> dict[str, object]:
        return (await self.bridge.participants(self.conference))[self.people[name].id]

    async def role(self, name: str, role: str) -> None:
        person = self.people[name]
        path = f"/{person.application}/{person.conference}/participants/{person.id}"
        (await self.bridge.call("PATCH", path, json={"role": role})).raise_for_status()

    async def operate(self, name: str, **change: object) -> None:
        person = self.people[name]
        path = f"/operator/api/{person.conference}/participants/{person.id}"
        (await self.bridge.call("PATCH", path, json=change)).raise_for_status()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def meeting(bridge: RunningBridge) -> AsyncIterator[Meeting]:
    conference = await bridge.open_conference("Meeting")
    people = {name: await bridge.invite(conference, name) for name in ("Anna", "Bert", "Cleo")}
    people["Dora"] = await bridge.invite(conference, "Dora", "attendee")
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(AppSocket(bridge, conference))
        browsers = {}
        for name, hertz in (("Cleo", CLEO), ("Dora", DORA)):
            ask = ask_over_http(people[name].uri, people[name].token)
            peer = await stack.enter_async_context(BrowserPeer(ask))
            browsers[name] = peer.heard[await peer.join_plain(Tone(hertz, AMPLITUDE))]
        anna = phone(people["Anna"].stream_url, ANNA, L16_16K)
        bert = phone(people["Bert"].stream_url, BERT, ULAW_8K)
        for caller in (anna, bert):
            await stack.enter_async_context(caller)
        for person in people.values():
            await app.about(person.id, online=True)
        yield Meeting(bridge, conference, app, people, anna, bert, browsers["Cleo"], browsers["Dora"])


async def test_everybody_hears_all_others_at_their_level_and_nobody_themselves(meeting: Meeting) -> None:
    await asyncio.gather(
        hears(meeting.anna, BERT, CLEO, but_not=(ANNA, DORA)),
        hears(meeting.bert, ANNA, CLEO, but_not=(BERT, DORA)),
        hears(meeting.cleo, ANNA, BERT, but_not=(CLEO, DORA)),
        hears(meeting.dora, ANNA, BERT, CLEO, but_not=(DORA,)),
    )


async def test_the_far_side_of_a_phone_is_never_flooded(meeting: Meeting) -> None:
    before = meeting.anna.figures.played
    began = asyncio.get_running_loop().time()
    await asyncio.sleep(2)
    seconds = asyncio.get_running_loop().time() - began
    assert 46 <= (meeting.anna.figures.played - before) / seconds <= 54
    assert meeting.anna.playout.waiting_ms < 400
    assert meeting.anna.figures.wrong_format == meeting.anna.figures.not_understood == 0
    assert meeting.bert.figures.wrong_format == meeting.bert.figures.not_understood == 0


async def test_roles_decide_at_once_who_is_heard(meeting: Meeting) -> None:
    await meeting.role("Dora", "speaker")
    await meeting.role("Bert", "attendee")
    await asyncio.gather(
        hears(meeting.anna, CLEO, DORA, but_not=(BERT,)),
        hears(meeting.cleo, ANNA, DORA, but_not=(BERT,)),
        hears(meeting.bert, ANNA, CLEO, DORA, but_not=(BERT,)),
    )
    await meeting.role("Dora", "attendee")
    await meeting.role("Bert", "speaker")
    await hears(meeting.anna, BERT, CLEO, but_not=(DORA,))


async def test_the_operator_mutes_and_decides_who_hears_whom(meeting: Meeting) -> None:
    cleo_id = meeting.people["Cleo"].id
    await meeting.operate("Anna", muted=True)
    await meeting.operate("Bert", hears={cleo_id: 0.0, meeting.people["Dora"].id: 0.5})
    await asyncio.gather(
        hears(meeting.bert, but_not=(ANNA, CLEO)),
        hears(meeting.cleo, BERT, but_not=(ANNA,)),
        hears(meeting.anna, BERT, CLEO),
    )
    await until(lambda: hears_half(meeting.bert, DORA))
    await meeting.operate("Anna", muted=False)
    await meeting.operate("Bert", hears={cleo_id: None, meeting.people["Dora"].id: None})
    await hears(meeting.bert, ANNA, CLEO, but_not=(DORA,))


async def hears_half(ear: PlivoCaller, hertz: float) -> bool:
    return abs((await listen(ear, 0.8, 0.2)).level_db(hertz) + 6.0) < 1.5


async def test_what_is_said_of_a_phone_is_true_and_the_requester_comes_first(meeting: Meeting) -> None:
    for name in ("Anna", "Bert", "Cleo", "Dora"):
        look = await meeting.look(name)
        assert (look["online"], look["name"]) == (True, name)
        assert look["media"] == {"audio": True, "video": False}
        assert look["secondaryMedia"] == {"audio": False, "video": False}
    base = f"/{meeting.bridge.application}/{meeting.conference}"
    for person in meeting.people.values():
        listed = (await meeting.bridge.call("GET", f"{base}/participants", person.token)).json()
        assert listed[0]["id"] == person.id and len(listed) == 4
        detailed = (await meeting.bridge.call("GET", f"{base}/?detailed=true", person.token)).json()
        assert detailed["participants"][0]["id"] == person.id


async def test_keys_are_told_to_the_application(meeting: Meeting) -> None:
    after = len(meeting.app.came)
    await meeting.anna.press("5#")
    anna = meeting.people["Anna"].id
    digits = []
    for resource in ({"digit": "5"}, {"digit": "#"}):
        came = await meeting.app.wait(partial(has_resource, resource), after)
        digits.append((came["type"], came["location"]))
    assert digits == 2 * [("created", f"/participants/{anna}/dtmf")]


async def test_a_newer_socket_of_the_same_call_takes_over_and_nobody_is_told(meeting: Meeting) -> None:
    after = len(meeting.app.came)
    person = meeting.people["Anna"]
    old = meeting.anna
    newer = phone(person.stream_url, ANNA, call_id=old.call.call_id)
    await newer.dial()
    async with asyncio.timeout(5):
        end = await old.ended()
    assert (end.by_service, end.code) == (True, 1000)
    meeting.anna = newer
    await hears(newer, BERT, CLEO)
    await hears(meeting.cleo, ANNA, BERT)

    # The same after the connection was lost without a word.
    newer.drop()
    again = phone(person.stream_url, ANNA, call_id=old.call.call_id)
    await again.dial()
    meeting.anna = again
    await hears(again, BERT, CLEO)
    await hears(meeting.cleo, ANNA, BERT)

    path = f"/{person.application}/{person.conference}/participants/{person.id}"
    (await meeting.bridge.call("PATCH", path, person.token, json={"name": "Anna II"})).raise_for_status()
    await meeting.app.about(person.id, after, name="Anna II")
    told = [one for one in meeting.app.came[after:] if one["location"] == f"/participants/{person.id}"]
    assert [one["resource"]["name"] for one in told] == ["Anna II"], told
    assert (await meeting.look("Anna"))["online"] is True


async def test_who_hangs_up_is_offline_and_may_call_again(meeting: Meeting) -> None:
    after = len(meeting.app.came)
    await meeting.bert.hang_up()
    bert = meeting.people["Bert"]
    came = await meeting.app.about(bert.id, after, online=False)
    assert came["type"] == "updated" and came["resource"]["media"]["audio"] is False
    assert (await meeting.look("Bert"))["online"] is False
    await hears(meeting.cleo, but_not=(BERT,))
    meeting.bert = phone(bert.stream_url, BERT, ULAW_8K)
    await meeting.bert.dial()
    await meeting.app.about(bert.id, len(meeting.app.came), online=True)
    await hears(meeting.cleo, ANNA, BERT)


def has_resource(resource: object, one: Notification) -> bool:
    return bool(one.get("resource") == resource)


# --- calls that bring their own participant ---


async def people_by_name(bridge: RunningBridge, conference: str) -> dict[str, dict[str, object]]:
    return {str(one["name"]): one for one in (await bridge.participants(conference)).values()}


def signed(method: str, url: str, form: dict[str, str] | None = None, nonce: str = "1") -> dict[str, str]:
    """Headers by the vendor's own code."""
    base = construct_get_url(url, {}) if method == "GET" else construct_post_url(url, form or {})
    return {
        "X-Plivo-Signature-V3": get_signature_v3(PLIVO_AUTH_TOKEN, base, nonce).decode(),
        "X-Plivo-Signature-V3-Nonce": nonce,
    }


async def test_a_call_with_an_application_token_is_a_participant_for_as_long_as_it_lasts(
    bridge: RunningBridge,
) -> None:
    conference = await bridge.open_conference()
    url = bridge.stream_url(conference)
    async with AppSocket(bridge, conference) as app:
        async with phone(url, ANNA, L16_8K, headers={"name": "Greta"}):
            came = await app.wait(lambda one: one.get("resource", {}).get("online") is True)
            assert came["resource"]["name"] == "Greta"
            place = came["location"]
            await app.wait(lambda one: one.get("resource", {}).get("media", {}).get("audio") is True)
            assert list(await people_by_name(bridge, conference)) == ["Greta"]
        await app.wait(lambda one: one["type"] == "deleted" and one["location"] == place)
    assert await bridge.participants(conference) == {}


async def test_a_signed_stream_is_let_in_once_and_an_unsigned_never(bridge: RunningBridge) -> None:
    conference = await bridge.open_conference()
    path = f"/{bridge.application}/{conference}/plivo"
    headers = signed("GET", bridge.base + path, nonce="stream-1")
    caller = PlivoCaller(bridge.ws_base + path, tone(440, 1, 16_000).astype("int16"), http_headers=headers)
    async with caller:
        await until(lambda: is_online(bridge, conference, "Caller"))
        again = PlivoCaller(caller.url, caller.sound, http_headers=headers)
        with pytest.raises(CallFailed) as refused:
            await again.dial()
        assert refused.value.status == 401
    with pytest.raises(CallFailed) as refused:
        await phone(bridge.ws_base + path, ANNA).dial()
    assert refused.value.status == 401
    await until(lambda: is_empty(bridge, conference))


async def is_online(bridge: RunningBridge, conference: str, name: str) -> bool:
    return bool((await people_by_name(bridge, conference)).get(name, {}).get("online"))


async def is_empty(bridge: RunningBridge, conference: str) -> bool:
    return not await bridge.participants(conference)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_number_pointed_at_the_answer_url_streams_once(bridge: RunningBridge, method: str) -> None:
    conference = await bridge.open_conference()
    url = f"{bridge.base}/{bridge.application}/{conference}/plivo/answer"
    fields = {"From": "4531124567", "CallUUID": "11111111-2222-4333-8444-555555555555"}
    async with httpx.AsyncClient() as http:
        if method == "GET":
            url += "?" + urlencode(fields)
            headers = signed(method, url, nonce=method)
            answer = await http.get(url, headers=headers)
            forged = await http.get(
                url.replace("4531", "4532"), headers=headers | {"X-Plivo-Signature-V3-Nonce": "x"}
            )
        else:
            headers = signed(method, url, fields, nonce=method)
            answer = await http.post(url, data=fields, headers=headers)
            forged = await http.post(url, data=fields | {"From": "1"}, headers=headers)
    assert forged.status_code == 401
    assert answer.status_code == 200, answer.text
    stream = ET.fromstring(answer.text).find("Stream")
    assert stream is not None and stream.text is not None
    assert stream.attrib["bidirectional"] == stream.attrib["keepCallAlive"] == "true"
    assert stream.attrib["contentType"] == "audio/x-l16;rate=16000"
    assert bridge.token not in answer.text
    async with phone(stream.text, ANNA):
        await until(lambda: is_online(bridge, conference, "4531124567"))
        other = phone(stream.text, BERT)
        with pytest.raises(CallFailed):
            await refused_call(other)
        assert len(await bridge.participants(conference)) == 1
    await until(lambda: is_empty(bridge, conference))
    with pytest.raises(CallFailed):
        await refused_call(phone(stream.text, ANNA))


async def refused_call(caller: PlivoCaller) -> None:
    """Raises CallFailed whether the door is shut or the call is closed at `start`."""
    await caller.dial()
    async with asyncio.timeout(5):
        end = await caller.ended()
    await caller.hang_up()
    if end.by_service and end.code == 1008:
        raise CallFailed("closed")


async def test_both_tracks_of_a_call_are_two_participants_that_only_speak(bridge: RunningBridge) -> None:
    conference = await bridge.open_conference()
    listener = await bridge.invite(conference, "Listener")
    url = bridge.stream_url(conference)
    sounds = {
        track: tone(hertz, 1.0, 16_000, AMPLITUDE).astype("int16")
        for track, hertz in (("inbound", ANNA), ("outbound", BERT))
    }
    call = new_call(tracks=("inbound", "outbound"), headers={"from": "Caller A", "to": "Callee B"})
    async with BrowserPeer(ask_over_http(listener.uri, listener.token)) as peer:
        heard = peer.heard[await peer.join_plain(Tone(CLEO, AMPLITUDE))]
        async with PlivoCaller(url, sounds, call, loop_sound=True) as caller:
            await until(lambda: is_online(bridge, conference, "Caller A"))
            await until(lambda: is_online(bridge, conference, "Callee B"))
            await hears(heard, ANNA, BERT)
            assert caller.figures.played == 0
        await until(lambda: only_one(bridge, conference))


async def only_one(bridge: RunningBridge, conference: str) -> bool:
    return len(await bridge.participants(conference)) == 1
