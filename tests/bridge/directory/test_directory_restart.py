from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import LimitReached
from bridge.people import Role
from tests.kit.directory_house import APP, BY, DirectoryHouse

pytestmark = pytest.mark.unit


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_a_restart_brings_everything_back_but_calls(stored_house: DirectoryHouse) -> None:
    conference = await stored_house.conference()
    ann, token = await stored_house.directory.add_participant(
        conference, by=BY, name="Ann", priority=2.0, role=Role.MODERATOR, language="fr"
    )
    caller = await stored_house.person(conference, transient=True)
    bob = await stored_house.person(conference, "Bob")
    ann = await stored_house.directory.change_participant(
        ann, by=BY, muted=True, hears={caller.id: 0.5, bob.id: 0.25}
    )
    stored_house.board.up(conference.id, ann.id)
    stored_house.board.up(conference.id, caller.id)
    directory = await stored_house.again()
    assert directory.conferences(APP) == [conference]
    ann = replace(ann, hears={bob.id: 0.25})
    assert directory.participants(conference) == [ann, bob]
    assert directory.participant_by_token(token) == ann
    assert stored_house.board.rooms == {conference.id}
    kept = [person.id for person, _ in (await stored_house.store.load()).participants]
    assert kept == [ann.id, bob.id]


async def test_tokens_of_those_who_were_removed_are_known_after_a_restart(
    stored_house: DirectoryHouse,
) -> None:
    conference, other = await stored_house.conference(), await stored_house.conference()
    ann, anns = await stored_house.directory.add_participant(conference, by=BY)
    _, bobs = await stored_house.directory.add_participant(other, by=BY)
    cem, cems = await stored_house.directory.add_participant(conference, by=BY, transient=True)
    await stored_house.directory.remove_participant(ann, by=BY)
    await stored_house.directory.remove_participant(cem, by=BY)
    await stored_house.directory.close_conference(other, by=BY)
    for _ in range(2):
        gone = stored_house.directory.is_token_of_the_gone
        assert [gone(token) for token in (anns, bobs, cems, "x" * 100)] == [True, True, False, False]
        await stored_house.again()


async def test_who_ran_out_of_time_while_the_server_was_down_ends_at_the_start(house: DirectoryHouse) -> None:
    conference = await house.conference()
    _, token = await house.directory.add_participant(conference, by=BY)
    house.now = conference.ends_at + 5
    await house.again()
    await house.directory.end_expired()
    assert house.directory.conferences() == []
    assert house.directory.is_token_of_the_gone(token)


async def test_limits_count_what_was_kept(house: DirectoryHouse) -> None:
    conference = await house.conference()
    await house.person(conference)
    await house.directory.send_message(conference, by=BY, send_to=APP, text="1", persistent=True)
    await house.again(conferences=1, participants=1, messages_per_conference=1)
    for full in (
        house.conference(),
        house.person(conference),
        house.directory.send_message(conference, by=BY, send_to=APP, text="2", persistent=True),
    ):
        with pytest.raises(LimitReached):
            await full


async def test_tokens_are_kept_as_hashes_only(stored_house: DirectoryHouse, tmp_path: Path) -> None:
    conference = await stored_house.conference()
    _, token = await stored_house.directory.add_participant(conference, by=BY)
    assert token not in repr(await stored_house.store.load())
    await stored_house.stop()
    assert token.encode() not in everything_in(tmp_path)
    await stored_house.start()
