"""The conference SDKs' exchange with the real server: data channel, labels, notifications, recovery."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from bridge.core.ports import ULAW_8K
from bridge.harness.plivo_caller import PlivoCaller
from tests.kit.app_socket import AppSocket, Notification
from tests.kit.browser_peer import BrowserPeer, Tone, ask_over_http
from tests.kit.ears import AMPLITUDE, hears, listen, phone, until
from tests.kit.running_bridge import Invited, RunningBridge

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

CALLER, LEADER, GUEST, MUSIC = 440, 1000, 700, 1500
SDK_HEADERS = {
    "Content-Type": "application/json; charset=UTF-8",
    "Accept": "application/json",
    "Mind-SDK": "Mind Web SDK 5.11.0",
}


def sdk(person: Invited) -> BrowserPeer:
    return BrowserPeer(ask_over_http(person.uri, person.token))


async def sdk_call(person: Invited, method: str, path: str, body: object = None) -> httpx.Response:
    """A call as the SDKs make it: the conference's URI, then the path."""
    async with httpx.AsyncClient(timeout=10) as http:
        return await http.request(
            method,
            person.uri + path,
            content=None if body is None else json.dumps(body),
            headers=SDK_HEADERS | {"Authorization": f"Bearer {person.token}"},
        )


def is_message(text: str, said: str) -> bool:
    return text.startswith("{") and json.loads(text).get("resource", {}).get("text") == said


def says(text: str, one: Notification) -> bool:
    return bool(one.get("resource", {}).get("text") == text)


@dataclass
class Seminar:
    """A phone, a moderator and a speaker, both of them with an SDK."""

    bridge: RunningBridge
    conference: str
    app: AppSocket
    caller: PlivoCaller
    people: dict[str, Invited]
    leader: BrowserPeer
    guest: BrowserPeer
    leader_mid: str


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def seminar(bridge: RunningBridge) -> AsyncIterator[Seminar]:
    conference = await bridge.open_conference("Seminar")
    people = {
        "Caller": await bridge.invite(conference, "Caller"),
        "Leader": await bridge.invite(conference, "Leader", "moderator"),
        "Guest": await bridge.invite(conference, "Guest"),
    }
    url = people["Caller"].stream_url
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(AppSocket(bridge, conference))
        caller = await stack.enter_async_context(phone(url, CALLER, ULAW_8K))
        leader = await stack.enter_async_context(sdk(people["Leader"]))
        guest = await stack.enter_async_context(sdk(people["Guest"]))
        for peer, hertz in ((leader, LEADER), (guest, GUEST)):
            await peer.join_as_sdk()
            await peer.publish(Tone(hertz, AMPLITUDE))
        leader_mid = await leader.subscribe("conference")
        for person in people.values():
            await app.about(person.id, online=True, media={"audio": True, "video": False})
        yield Seminar(bridge, conference, app, caller, people, leader, guest, leader_mid)


async def test_an_offer_with_nothing_but_a_data_channel_is_answered_without_candidates_of_the_client(
    seminar: Seminar,
) -> None:
    offer, answer = seminar.leader.offers[0], seminar.leader.answers[0]
    assert offer.count("m=") == 1 and "a=candidate" not in offer
    assert answer.count("m=") == 1 and "a=candidate" in answer
    assert answer.count("\r\n") == answer.count("\n")


async def test_the_state_is_there_as_soon_as_the_channel_is_open(seminar: Seminar) -> None:
    leader = seminar.people["Leader"]
    state = (await sdk_call(leader, "GET", "/?detailed=true")).json()
    assert state["participants"][0]["id"] == leader.id
    assert state["recording"] == {"started": False}
    assert "streamings" not in state
    online = {one["name"] for one in state["participants"] if one["online"] and one["media"]["audio"]}
    assert online == {"Caller", "Leader", "Guest"}


async def test_the_conference_is_the_mix_without_the_listener(seminar: Seminar) -> None:
    await hears(seminar.leader.heard[seminar.leader_mid], CALLER, GUEST, but_not=(LEADER,))
    await hears(seminar.caller, LEADER, GUEST)


async def test_a_section_is_used_for_one_sound_after_another(seminar: Seminar) -> None:
    guest, people = seminar.guest, seminar.people
    mid = await guest.subscribe(f"{people['Caller'].id}#primary")
    await hears(guest.heard[mid], CALLER, but_not=(LEADER, GUEST))
    await guest.unsubscribe(mid)
    assert await guest.subscribe(f"{people['Leader'].id}#primary") == mid
    await hears(guest.heard[mid], LEADER, but_not=(CALLER,))
    await guest.unsubscribe(mid)
    assert await guest.subscribe(f"{people['Caller'].id}#primary") == mid
    await hears(guest.heard[mid], CALLER, but_not=(LEADER,))
    await guest.relabel(mid, "conference")
    await hears(guest.heard[mid], CALLER, LEADER, but_not=(GUEST,))
    await guest.unsubscribe(mid)


async def test_the_clock_of_a_section_never_runs_backwards(seminar: Seminar) -> None:
    guest, people = seminar.guest, seminar.people
    mid = await guest.subscribe(f"{people['Caller'].id}#primary")
    for label in (f"{people['Leader'].id}#primary", "conference", f"{people['Caller'].id}#primary"):
        await listen(guest.heard[mid], 0.3, 0)
        await guest.relabel(mid, label)
    await listen(guest.heard[mid], 0.3, 0)
    pts = guest.heard[mid].pts
    assert all(later > earlier for earlier, later in zip(pts, pts[1:], strict=False))
    await guest.unsubscribe(mid)


async def test_a_second_sound_is_in_the_mix_when_a_moderator_sends_it_only(seminar: Seminar) -> None:
    people = seminar.people
    await seminar.leader.publish(Tone(MUSIC, AMPLITUDE), "secondary")
    both = {"audio": True, "video": False}
    await seminar.app.about(people["Leader"].id, secondaryMedia=both)
    await hears(seminar.caller, LEADER, GUEST, MUSIC)
    await hears(seminar.leader.heard[seminar.leader_mid], but_not=(MUSIC,))
    mid = await seminar.guest.subscribe(f"{people['Leader'].id}#secondary")
    await hears(seminar.guest.heard[mid], MUSIC, but_not=(LEADER,))
    await seminar.guest.unsubscribe(mid)
    after = len(seminar.app.came)
    await seminar.leader.publish(None, "secondary")
    await seminar.app.about(people["Leader"].id, after, secondaryMedia={"audio": False, "video": False})

    await seminar.guest.publish(Tone(MUSIC, AMPLITUDE), "secondary")
    await seminar.app.about(people["Guest"].id, secondaryMedia=both)
    await hears(seminar.caller, LEADER, GUEST, but_not=(MUSIC,))
    mid = await seminar.leader.subscribe(f"{people['Guest'].id}#secondary")
    await hears(seminar.leader.heard[mid], MUSIC)
    await seminar.leader.unsubscribe(mid)
    await seminar.guest.publish(None, "secondary")


async def test_messages_reach_all_or_one_or_the_application(seminar: Seminar) -> None:
    leader, guest = seminar.people["Leader"], seminar.people["Guest"]

    async def say(sender: Invited, to: str, text: str) -> None:
        body = {"sendTo": to, "text": text, "persistent": False}
        (await sdk_call(sender, "POST", "/messages", body)).raise_for_status()

    await say(leader, seminar.conference, "to all")
    await say(leader, guest.id, "to the guest")
    await say(guest, seminar.bridge.application, "to the application")
    told = await seminar.guest.text(lambda text: is_message(text, "to the guest"))
    assert json.loads(told)["resource"]["sentBy"] == leader.id
    assert json.loads(told)["type"] == "created"
    await seminar.guest.text(lambda text: is_message(text, "to all"))
    app_texts = [
        (await seminar.app.wait(partial(says, said)))["location"] for said in ("to all", "to the application")
    ]
    assert all(place.startswith("/messages/") for place in app_texts)
    said = {"sendTo": guest.id, "text": "from the application"}
    path = f"/{seminar.bridge.application}/{seminar.conference}/messages"
    (await seminar.bridge.call("POST", path, json=said)).raise_for_status()
    told = await seminar.guest.text(lambda text: is_message(text, "from the application"))
    assert json.loads(told)["resource"]["sentBy"] == seminar.bridge.application
    for text in ("to all", "to the guest", "to the application", "from the application"):
        assert not any(is_message(one, text) for one in seminar.leader.texts), text
    assert not any(is_message(one, "to the application") for one in seminar.guest.texts)
    heard_of = [one.get("resource", {}).get("text") for one in seminar.app.came]
    assert "to the guest" not in heard_of and "from the application" not in heard_of


async def test_changes_are_echoed_and_told_to_the_others_only(seminar: Seminar) -> None:
    leader, guest = seminar.people["Leader"], seminar.people["Guest"]
    changed = await sdk_call(leader, "PATCH", "/", {"name": "Seminar, day two"})
    assert changed.json()["name"] == "Seminar, day two"
    told = json.loads(await seminar.guest.text(lambda text: "day two" in text))
    assert (told["type"], told["location"], told["resource"]["recording"]) == (
        "updated", "/", {"started": False},
    )  # fmt: skip
    renamed = await sdk_call(guest, "PATCH", f"/participants/{guest.id}", {"name": "Gustav"})
    assert renamed.json()["name"] == "Gustav"
    await seminar.leader.text(lambda text: "Gustav" in text)
    assert not any("day two" in text for text in seminar.leader.texts)
    assert not any("Gustav" in text for text in seminar.guest.texts)


async def test_reports_of_distortion_are_swallowed(seminar: Seminar) -> None:
    for text in ("1:conference#audio:1700000000000:3", "garbage", "", "x" * 5_000):
        seminar.guest.send_text(text)
    assert (await sdk_call(seminar.people["Guest"], "GET", "/")).status_code == 200
    assert seminar.guest.pc.connectionState == "connected"


async def test_a_newer_application_socket_replaces_the_older_with_4001(seminar: Seminar) -> None:
    conference = await seminar.bridge.open_conference()
    async with AppSocket(seminar.bridge, conference) as older, AppSocket(seminar.bridge, conference) as newer:
        assert await older.closed() == 4001
        assert newer.closed_with is None


async def test_an_expelled_participant_is_told_4001_and_a_deleted_conference_4000(
    bridge: RunningBridge,
) -> None:
    conference = await bridge.open_conference()
    stays, goes = await bridge.invite(conference, "Stays"), await bridge.invite(conference, "Goes")
    async with sdk(stays) as one, sdk(goes) as other:
        await one.join_as_sdk(subscribe=["conference"])
        await other.join_as_sdk(publish=Tone(GUEST, AMPLITUDE))
        await one.text(lambda text: goes.id in text and '"online":true' in text)
        path = f"/{bridge.application}/{conference}"
        (await bridge.call("DELETE", f"{path}/participants/{goes.id}")).raise_for_status()
        assert await other.text(lambda text: text == "4001") == "4001"
        await other.channel_closed()
        deleted = json.loads(await one.text(lambda text: '"deleted"' in text))
        assert deleted == {"type": "deleted", "location": f"/participants/{goes.id}"}
        (await bridge.call("DELETE", path)).raise_for_status()
        assert await one.text(lambda text: text == "4000") == "4000"
        await one.channel_closed()
        assert "4000" not in other.texts and "4001" not in one.texts
        assert (await sdk_call(stays, "GET", "/")).status_code in (401, 404)


async def test_a_conference_whose_time_is_up_ends_with_4000_for_everybody(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path, {"MEDIABRIDGE_LIMITS_CONFERENCE_HOURS": "0.001"}) as bridge:
        conference = await bridge.open_conference("Three seconds")
        guest, caller = await bridge.invite(conference, "Guest"), await bridge.invite(conference, "Caller")
        url = caller.stream_url
        async with AppSocket(bridge, conference) as app, sdk(guest) as peer, phone(url, CALLER) as call:
            await peer.join_as_sdk()
            await peer.text(lambda text: text == "4000", timeout=8)
            assert await app.closed() == 4000
            assert app.came[-1] == {"type": "deleted", "location": "/"}
            async with asyncio.timeout(5):
                assert (await call.ended()).code == 1000
        gone = await bridge.call("GET", f"/{bridge.application}/{conference}")
        assert gone.status_code == 404


async def test_after_a_kill_the_same_tokens_begin_a_new_session_that_hears_again(tmp_path: Path) -> None:
    bridge = RunningBridge(tmp_path, {"MEDIABRIDGE_DRAIN_SECONDS": "0"})
    async with bridge:
        conference = await bridge.open_conference("Survivor")
        guest, caller = await bridge.invite(conference, "Guest"), await bridge.invite(conference, "Caller")
        url = caller.stream_url
        async with sdk(guest) as peer, phone(url, CALLER) as call:
            (mid,) = await peer.join_as_sdk(publish=Tone(GUEST, AMPLITUDE), subscribe=["conference"])
            await hears(peer.heard[mid], CALLER)
            await bridge.kill()
            async with asyncio.timeout(5):
                assert (await call.ended()).by_service
        await bridge.start()
        state = (await sdk_call(guest, "GET", "/?detailed=true")).json()
        assert state["name"] == "Survivor"
        assert [(one["name"], one["online"]) for one in state["participants"]] == [
            ("Guest", False), ("Caller", False),
        ]  # fmt: skip
        async with sdk(guest) as peer, phone(url, CALLER) as call:
            (mid,) = await peer.join_as_sdk(publish=Tone(GUEST, AMPLITUDE), subscribe=["conference"])
            await until(lambda: online(bridge, guest))
            await hears(peer.heard[mid], CALLER)
            await hears(call, GUEST)
        assert "Traceback" not in bridge.log


async def online(bridge: RunningBridge, person: Invited) -> bool:
    return bool((await bridge.participants(person.conference))[person.id]["online"])
