from __future__ import annotations

import asyncio

import pytest

from bridge.changes import (
    DigitReceived,
    ParticipantChanged,
    ParticipantRemoved,
)
from bridge.core.ports import CloseReason
from bridge.errors import NoSuchParticipant, Overloaded
from bridge.people import NO_MEDIA, Actor, Audience, Media, Role
from bridge.routing import Routing
from tests.kit.directory_house import BY, OFFER, DirectoryHouse

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("role", "primary", "secondary"),
    [
        (Role.MODERATOR, True, True),
        (Role.PRESENTER, True, True),
        (Role.SPEAKER, True, False),
        (Role.ATTENDEE, False, False),
    ],
)
async def test_the_role_decides_what_enters_the_mix(
    house: DirectoryHouse, role: Role, primary: bool, secondary: bool
) -> None:
    conference = await house.conference()
    ann = await house.person(conference, role=role)
    await house.directory.connect(ann, OFFER)
    tags = frozenset((ann.id, role.value, "person"))
    assert house.board.routings[conference.id, ann.id] == Routing(primary, secondary, tags=tags)


async def test_role_mute_and_overrides_reroute_a_live_leg_at_once(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann, bob = await house.person(conference), await house.person(conference, "Bob")
    await house.directory.connect(ann, OFFER)
    await house.directory.change_participant(ann, by=BY, role=Role.ATTENDEE, muted=True, hears={bob.id: 0.5})
    tags = frozenset((ann.id, "attendee", "person"))
    assert house.board.routings[conference.id, ann.id] == Routing(
        False, False, True, {bob.id: 0.5}, tags=tags
    )


async def test_whom_one_hears_in_a_way_of_their_own_is_forgotten_with_them(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann, bob, cem = [await house.person(conference, name) for name in ("Ann", "Bob", "Cem")]
    hears = {bob.id: 0.5, cem.id: 0.25, "somebody else": 2.0}
    ann = await house.directory.change_participant(ann, by=BY, hears=hears)
    assert ann.hears == {bob.id: 0.5, cem.id: 0.25}
    await house.directory.remove_participant(bob, by=BY)
    assert house.directory.participant(conference, ann.id).hears == {cem.id: 0.25}
    await house.directory.change_participant(ann, by=BY, name="Anne")
    assert house.memory.participants[ann.id][0].hears == {cem.id: 0.25}


async def test_who_is_removed_during_a_change_is_not_heard_of_again(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann, bob = await house.person(conference), await house.person(conference, "Bob")
    await asyncio.gather(
        house.directory.remove_participant(bob, by=BY),
        house.directory.change_participant(ann, by=BY, hears={bob.id: 0.0}, muted=True),
    )
    now = house.directory.participant(conference, ann.id)
    assert (now.hears, now.muted) == ({}, True)


async def test_a_bot_s_audience_goes_into_its_routing(house: DirectoryHouse) -> None:
    conference = await house.conference()
    audience = Audience(hears=frozenset(["person"]), heard_by=frozenset(["moderator"]))
    bot, _ = await house.directory.add_participant(conference, by=BY, transient=True, service=audience)
    await house.directory.connect(bot, OFFER)
    routing = house.board.routings[conference.id, bot.id]
    assert (routing.hears_only, routing.heard_by) == (audience.hears, audience.heard_by)
    assert routing.tags == {bot.id, "speaker", "bot"}


async def test_a_new_name_does_not_touch_the_mix(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    await house.directory.change_participant(ann, by=BY, name="Anne")
    assert house.board.routings == {}


async def test_a_change_during_connecting_is_not_lost(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    house.board.while_connecting = lambda: house.directory.change_participant(ann, by=BY, muted=True)
    await house.directory.connect(ann, OFFER)
    assert house.board.routings[conference.id, ann.id].muted


async def test_who_is_removed_while_connecting_gets_no_leg(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    house.board.while_connecting = lambda: house.directory.remove_participant(ann, by=BY)
    with pytest.raises(NoSuchParticipant):
        await house.directory.connect(ann, OFFER)
    assert house.board.connected == {}


async def test_what_the_switchboard_refuses_is_passed_on(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    house.board.errors = [Overloaded()]
    with pytest.raises(Overloaded):
        await house.directory.connect(ann, OFFER)


async def test_presence_and_media_follow_the_leg(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    room, board = conference.id, house.board
    house.changes.clear()
    board.up(room, ann.id, "plivo")
    board.sending(room, ann.id)
    board.sending(room, ann.id, name="secondary")
    board.sending(room, ann.id, False)
    board.down(room, ann.id)
    told = [
        (change.after.online, change.after.leg_kind, change.after.media, change.after.secondary_media)
        for change in house.changes
        if isinstance(change, ParticipantChanged)
    ]
    assert told == [
        (True, "plivo", NO_MEDIA, NO_MEDIA),
        (True, "plivo", Media(True), NO_MEDIA),
        (True, "plivo", Media(True), Media(True)),
        (True, "plivo", NO_MEDIA, Media(True)),
        (False, None, NO_MEDIA, NO_MEDIA),
    ]
    assert all(change.by == Actor.participant(ann.id) for change in house.changes)
    await house.directory.close()  # whoever was to be removed is gone by now
    assert house.directory.participant(conference, ann.id) == ann


async def test_digits_are_passed_on_and_never_printed(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    house.board.press(conference.id, ann.id, "7")
    told = house.changes[-1]
    assert told == DigitReceived(conference.id, Actor.participant(ann.id), ann.id, "7")
    assert "'7'" not in repr(told)


async def test_events_of_strangers_are_ignored(house: DirectoryHouse) -> None:
    house.board.up("nowhere", "nobody")
    assert house.changes == []


async def test_who_was_made_for_a_call_is_removed_when_it_ends(house: DirectoryHouse) -> None:
    conference = await house.conference()
    caller = await house.person(conference, "+15550100", transient=True)
    house.board.up(conference.id, caller.id, "plivo")
    removed = asyncio.Event()
    house.directory.subscribe(
        lambda change: removed.set() if isinstance(change, ParticipantRemoved) else None
    )
    house.board.down(conference.id, caller.id)
    async with asyncio.timeout(5):
        await removed.wait()
    assert house.directory.participants(conference) == []
    assert house.changes[-1].by == Actor.system()
    assert (await house.store.load()).participants == ()


async def test_disconnecting_leaves_the_participant_offline(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    await house.directory.connect(ann, OFFER)
    house.board.up(conference.id, ann.id)
    await house.directory.disconnect(ann, CloseReason.HANGUP)
    assert not house.directory.participant(conference, ann.id).online
