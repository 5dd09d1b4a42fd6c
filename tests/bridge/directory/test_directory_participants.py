from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bridge.changes import (
    Change,
    ParticipantAdded,
    ParticipantChanged,
    ParticipantRemoved,
)
from bridge.core.ports import CloseReason
from bridge.errors import NoSuchParticipant
from bridge.people import Layout, Participant, Role
from tests.kit.directory_house import APP, BY, OFFER, DirectoryHouse

pytestmark = pytest.mark.unit


async def test_a_new_participant_has_the_conferences_layout_and_is_not_there(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann, token = await house.directory.add_participant(conference, by=BY, name="Ann")
    assert ann == Participant(
        ann.id, conference.id, APP, "Ann", 1.0, Role.SPEAKER, Layout.SELECTOR, "", online=False
    )
    assert len(token) == 100 and token.isalnum() and token.isascii()
    assert house.changes == [ParticipantAdded(ann.conference_id, BY, ann)]
    assert house.directory.participant_by_token(token) == ann


async def test_tokens_are_told_apart(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann, anns = await house.directory.add_participant(conference, by=BY)
    bob, bobs = await house.directory.add_participant(conference, by=BY)
    found = [house.directory.participant_by_token(token) for token in (anns, bobs, anns[:-1], "", "é\udc80")]
    assert found == [ann, bob, None, None, None]
    assert not house.directory.is_token_of_the_gone("x" * 100)


async def test_changes_are_told_with_before_and_after(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    house.changes.clear()
    changed = await house.directory.change_participant(
        ann, by=BY, name="Anne", priority=0.5, role=Role.PRESENTER, layout=Layout.MOSAIC, language="de"
    )
    assert changed == replace(
        ann, name="Anne", priority=0.5, role=Role.PRESENTER, layout=Layout.MOSAIC, language="de"
    )
    assert await house.directory.change_participant(ann, by=BY, name=None, priority=0.5) == changed
    assert house.changes == [ParticipantChanged(ann.conference_id, BY, ann, changed)]


async def test_two_changes_at_once_both_hold(stored_house: DirectoryHouse) -> None:
    conference = await stored_house.conference()
    ann = await stored_house.person(conference)
    await asyncio.gather(
        stored_house.directory.change_participant(ann, by=BY, name="Anne"),
        stored_house.directory.change_participant(ann, by=BY, priority=7.0),
    )
    now = stored_house.directory.participant(conference, ann.id)
    assert (now.name, now.priority) == ("Anne", 7.0)
    assert [person for person, _ in (await stored_house.store.load()).participants] == [now]


async def test_who_comes_online_during_a_change_stays_online(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    change = asyncio.create_task(house.directory.change_participant(ann, by=BY, name="Anne"))
    await asyncio.sleep(0)  # the change is on its way to the store
    house.board.up(conference.id, ann.id)
    assert (await change).online


async def test_removal_ends_the_leg_and_the_token(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann, token = await house.directory.add_participant(conference, by=BY)
    await house.directory.connect(ann, OFFER)
    house.board.up(conference.id, ann.id)
    there = house.directory.participant(conference, ann.id)
    house.changes.clear()
    await house.directory.remove_participant(ann, by=BY)
    assert house.board.ended == [(conference.id, ann.id, CloseReason.EXPELLED)]
    assert house.board.forgotten == [(conference.id, ann.id)]
    assert house.changes == [ParticipantRemoved(there.conference_id, BY, there)]
    assert house.directory.participant_by_token(token) is None
    with pytest.raises(NoSuchParticipant):
        await house.directory.remove_participant(ann, by=BY)


async def test_everybody_can_be_removed_at_once(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann, bob = await house.person(conference), await house.person(conference, "Bob")
    await house.directory.connect(bob, OFFER)
    await house.directory.remove_participants(conference, by=BY)
    assert house.directory.participants(conference) == []
    assert house.board.ended == [(conference.id, bob.id, CloseReason.EXPELLED)]
    assert [change.participant for change in house.changes[-2:]] == [ann, bob]  # type: ignore[union-attr]


async def test_names_lose_what_no_database_takes(house: DirectoryHouse) -> None:
    conference = await house.conference()
    assert (await house.person(conference, "A\0n\ud800n")).name == "An?n"


async def test_somebody_is_found_by_id_in_their_own_application_only(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    assert house.directory.find_participant(conference.application_id, ann.id) == ann
    assert house.directory.find_participant("another", ann.id) is None
    assert house.directory.find_participant(conference.application_id, "nobody") is None


async def test_a_listener_that_fails_does_not_stop_the_others(house: DirectoryHouse) -> None:
    def broken(change: Change) -> None:
        raise RuntimeError("no")

    house.directory.subscribe(broken)
    later: list[Change] = []
    house.directory.subscribe(later.append)
    await house.person(await house.conference())
    assert len(later) == 1
