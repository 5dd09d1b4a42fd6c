from __future__ import annotations

import asyncio

import pytest

from bridge.changes import (
    MessageSent,
)
from bridge.errors import NoSuchParticipant
from bridge.people import Actor
from tests.kit.directory_house import APP, BY, DirectoryHouse

pytestmark = pytest.mark.unit


async def test_messages_go_to_those_who_exist(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    by = Actor.participant(ann.id)
    for send_to in (conference.id, APP, ann.id):
        message = await house.directory.send_message(conference, by=by, send_to=send_to, text="hi")
        assert (message.sent_by, message.sent_to, message.sent_at) == (ann.id, send_to, house.now)
        assert house.changes[-1] == MessageSent(conference.id, by, message)
    with pytest.raises(NoSuchParticipant):
        await house.directory.send_message(conference, by=by, send_to="nobody", text="hi")


async def test_a_message_to_somebody_who_is_just_being_removed_reaches_nobody(house: DirectoryHouse) -> None:
    conference = await house.conference()
    ann, bob = await house.person(conference), await house.person(conference, "Bob")
    removal = asyncio.create_task(house.directory.remove_participant(bob, by=BY))
    await asyncio.sleep(0)  # it is on its way to the store
    with pytest.raises(NoSuchParticipant):
        await house.directory.send_message(
            conference, by=Actor.participant(ann.id), send_to=bob.id, text="for you alone"
        )
    await removal
    assert not any(isinstance(change, MessageSent) for change in house.changes)


async def test_only_persistent_messages_are_kept(house: DirectoryHouse) -> None:
    conference = await house.conference()
    await house.directory.send_message(conference, by=BY, send_to=APP, text="gone")
    kept = await house.directory.send_message(conference, by=BY, send_to=APP, text="stays", persistent=True)
    assert house.memory.messages == [kept]
    assert kept.sent_by == APP
