from __future__ import annotations

import asyncio

import pytest

from bridge.errors import Draining, LimitReached
from tests.kit.directory_house import APP, BY, OFFER, OTHER_APP, DirectoryHouse

pytestmark = pytest.mark.unit


async def test_every_limit_holds_and_frees_its_place_again(house: DirectoryHouse) -> None:
    directory = await house.again(
        conferences_per_application=2,
        conferences=3,
        participants_per_conference=2,
        participants_per_application=3,
        participants=4,
    )
    first, second = await house.conference(), await house.conference()
    with pytest.raises(LimitReached, match="conferences_per_application = 2"):
        await house.conference()
    other = await house.conference(OTHER_APP)
    with pytest.raises(LimitReached, match="conferences = 3"):
        await house.conference(OTHER_APP)
    ann = await house.person(first)
    await house.person(first)
    with pytest.raises(LimitReached, match="participants_per_conference = 2"):
        await house.person(first)
    await house.person(second)
    with pytest.raises(LimitReached, match="participants_per_application = 3"):
        await house.person(second)
    await house.person(other)
    with pytest.raises(LimitReached, match="participants = 4"):
        await house.person(other)
    await directory.remove_participant(ann, by=BY)
    await house.person(first)
    await directory.close_conference(first, by=BY)
    third = await house.conference()
    await house.person(third)
    await house.person(third)


async def test_many_at_once_cannot_exceed_a_limit(house: DirectoryHouse) -> None:
    await house.again(participants_per_conference=3)
    conference = await house.conference()
    results = await asyncio.gather(*(house.person(conference) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(result, LimitReached) for result in results) == 5
    assert len(house.directory.participants(conference)) == 3


async def test_a_place_is_free_again_when_the_store_fails(house: DirectoryHouse) -> None:
    await house.again(conferences=1, participants=1, messages_per_conference=1)
    house.memory.broken = OSError("disk full")
    with pytest.raises(OSError, match="disk full"):
        await house.conference()
    assert house.directory.conferences() == []
    house.memory.broken = None
    conference = await house.conference()
    house.memory.broken = OSError("disk full")
    with pytest.raises(OSError, match="disk full"):
        await house.person(conference)
    with pytest.raises(OSError, match="disk full"):
        await house.directory.send_message(conference, by=BY, send_to=APP, text="0", persistent=True)
    house.memory.broken = None
    await house.person(conference)
    await house.directory.send_message(conference, by=BY, send_to=APP, text="1", persistent=True)
    with pytest.raises(LimitReached, match="messages_per_conference"):
        await house.directory.send_message(conference, by=BY, send_to=APP, text="2", persistent=True)


async def test_what_could_not_be_kept_did_not_happen(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann, token = await house.directory.add_participant(conference, by=BY)
    await house.directory.connect(ann, OFFER)
    house.changes.clear()
    house.memory.broken = OSError("disk full")
    for change in (
        house.directory.change_participant(ann, by=BY, muted=True),
        house.directory.change_conference(conference, by=BY, name="Retro"),
        house.directory.remove_participant(ann, by=BY),
        house.directory.remove_participants(conference, by=BY),
        house.directory.close_conference(conference, by=BY),
    ):
        with pytest.raises(OSError, match="disk full"):
            await change
    assert house.directory.conference(APP, conference.id) == conference
    assert house.directory.participant_by_token(token) == ann
    assert house.board.ended == [] and house.changes == []
    assert not house.board.routings[conference.id, ann.id].muted


async def test_while_draining_nobody_new_is_taken_in(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    house.board.draining = True
    with pytest.raises(Draining):
        await house.conference()
    with pytest.raises(Draining):
        await house.person(conference)
    await house.directory.change_participant(ann, by=BY, name="Anne")
    await house.directory.remove_participant(ann, by=BY)
