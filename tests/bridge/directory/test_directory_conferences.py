from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bridge.changes import (
    ConferenceChanged,
    ConferenceClosed,
)
from bridge.core.ports import CloseReason
from bridge.errors import NoSuchRoom
from bridge.people import Actor
from tests.kit.directory_house import APP, BY, OFFER, OTHER_APP, DirectoryHouse

pytestmark = pytest.mark.unit


async def test_a_conference_ends_a_day_after_it_was_opened(house: DirectoryHouse) -> None:
    conference = await house.conference()
    assert conference.ends_at - conference.created_at == 24 * 3600
    assert house.directory.conference(APP, conference.id) == conference
    assert house.board.rooms == {conference.id}


async def test_another_applications_conference_does_not_exist(house: DirectoryHouse) -> None:
    conference = await house.conference()
    with pytest.raises(NoSuchRoom):
        house.directory.conference(OTHER_APP, conference.id)
    assert house.directory.conferences(OTHER_APP) == []
    assert house.directory.find(conference.id) == conference


async def test_a_conference_may_be_given_its_id_once(house: DirectoryHouse) -> None:
    await house.directory.open_conference(APP, by=BY, conference_id="demo")
    with pytest.raises(ValueError, match="there is a conference"):
        await house.directory.open_conference(APP, by=BY, conference_id="demo")


async def test_closing_expels_everybody_and_deletes_everything(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann, token = await house.directory.add_participant(conference, by=BY, name="Ann")
    await house.directory.connect(ann, OFFER)
    house.changes.clear()
    await house.directory.close_conference(conference, by=BY)
    assert house.board.ended == [(conference.id, ann.id, CloseReason.ENDED)]
    assert house.changes == [ConferenceClosed(conference.id, BY, conference, expired=False)]
    assert house.directory.participant_by_token(token) is None
    assert house.directory.is_token_of_the_gone(token)
    for gone in (house.directory.participants, lambda c: house.directory.conference(APP, c.id)):
        with pytest.raises(NoSuchRoom):
            gone(conference)
    assert (await house.store.load()).conferences == ()
    with pytest.raises(NoSuchRoom):
        await house.directory.close_conference(conference, by=BY)


async def test_a_new_name_is_told_once(house: DirectoryHouse) -> None:
    conference = await house.conference()
    moderator = Actor.participant("m")
    renamed = await house.directory.change_conference(conference, by=moderator, name="Retro")
    assert renamed == replace(conference, name="Retro")
    await house.directory.change_conference(conference, by=moderator, name="Retro")
    await house.directory.change_conference(conference, by=moderator)
    assert house.changes == [ConferenceChanged(conference.id, moderator, conference, renamed)]


async def test_conferences_end_when_their_time_is_up(house: DirectoryHouse) -> None:
    early = await house.conference()
    house.now += 3600
    late = await house.conference()
    house.now = early.ends_at - 1
    assert await house.directory.end_expired() == pytest.approx(1.0)
    house.now = early.ends_at
    assert await house.directory.end_expired() == pytest.approx(3600)
    assert house.directory.conferences() == [late]
    assert house.changes == [ConferenceClosed(early.id, Actor.system(), early, expired=True)]


async def test_the_clock_ends_them_without_being_asked(house: DirectoryHouse) -> None:
    await house.again(conference_s=0.0)
    closed = asyncio.Event()
    house.directory.subscribe(lambda change: closed.set())
    await house.conference()
    async with asyncio.timeout(5):
        await closed.wait()
    assert house.directory.conferences() == []
