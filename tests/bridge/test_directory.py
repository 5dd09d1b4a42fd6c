from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.changes import (
    Change,
    ConferenceChanged,
    ConferenceClosed,
    DigitReceived,
    MessageSent,
    ParticipantAdded,
    ParticipantChanged,
    ParticipantRemoved,
)
from bridge.core.ports import CloseReason, WebRtcOffer
from bridge.directory import Directory, DirectorySettings
from bridge.errors import Draining, LimitReached, NoSuchParticipant, NoSuchRoom, Overloaded
from bridge.people import NO_MEDIA, Actor, Audience, Conference, Layout, Media, Participant, Role
from bridge.routing import Routing
from bridge.store import SqlStore
from tests.kit.records import MemoryRecords
from tests.kit.switchboards import FakeSwitchboard

pytestmark = pytest.mark.unit

APP, OTHER_APP = "app-1", "app-2"
BY = Actor.application(APP)
OFFER = WebRtcOffer("an offer")


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


class House:
    """A directory that can be started again, on a store in a folder or in memory; tests set `now`."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.memory = MemoryRecords()
        self.now = 1_700_000_000.0
        self.settings = DirectorySettings()
        self.changes: list[Change] = []

    async def start(self) -> Directory:
        self.store: SqlStore | MemoryRecords = self.memory
        if self.folder is not None:
            self.store = await SqlStore.open(f"sqlite:///{self.folder / 'state.sqlite3'}")
        self.board = FakeSwitchboard()
        self.directory = Directory(self.store, self.board, self.settings, now=lambda: self.now)
        self.directory.subscribe(self.changes.append)
        await self.directory.load()
        return self.directory

    async def stop(self) -> None:
        await self.directory.close()
        if isinstance(self.store, SqlStore):
            await self.store.close()

    async def again(self, **settings: float) -> Directory:
        await self.stop()
        self.settings = replace(self.settings, **settings)  # type: ignore[arg-type]
        self.changes.clear()
        return await self.start()

    async def conference(self, application_id: str = APP) -> Conference:
        return await self.directory.open_conference(
            application_id, by=Actor.application(application_id), name="Stand-up", layout=Layout.SELECTOR
        )

    async def person(self, conference: Conference, name: str = "Ann", **more: object) -> Participant:
        person, _ = await self.directory.add_participant(conference, by=BY, name=name, **more)  # type: ignore[arg-type]
        return person


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    await house.start()
    yield house
    await house.stop()


@pytest.fixture
async def stored_house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.start()
    yield house
    await house.stop()


# --- conferences ---


async def test_a_conference_ends_a_day_after_it_was_opened(house: House) -> None:
    conference = await house.conference()
    assert conference.ends_at - conference.created_at == 24 * 3600
    assert house.directory.conference(APP, conference.id) == conference
    assert house.board.rooms == {conference.id}


async def test_another_applications_conference_does_not_exist(house: House) -> None:
    conference = await house.conference()
    with pytest.raises(NoSuchRoom):
        house.directory.conference(OTHER_APP, conference.id)
    assert house.directory.conferences(OTHER_APP) == []
    assert house.directory.find(conference.id) == conference


async def test_a_conference_may_be_given_its_id_once(house: House) -> None:
    await house.directory.open_conference(APP, by=BY, conference_id="demo")
    with pytest.raises(ValueError, match="there is a conference"):
        await house.directory.open_conference(APP, by=BY, conference_id="demo")


async def test_closing_expels_everybody_and_deletes_everything(house: House) -> None:
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


async def test_a_new_name_is_told_once(house: House) -> None:
    conference = await house.conference()
    moderator = Actor.participant("m")
    renamed = await house.directory.change_conference(conference, by=moderator, name="Retro")
    assert renamed == replace(conference, name="Retro")
    await house.directory.change_conference(conference, by=moderator, name="Retro")
    await house.directory.change_conference(conference, by=moderator)
    assert house.changes == [ConferenceChanged(conference.id, moderator, conference, renamed)]


async def test_conferences_end_when_their_time_is_up(house: House) -> None:
    early = await house.conference()
    house.now += 3600
    late = await house.conference()
    house.now = early.ends_at - 1
    assert await house.directory.end_expired() == pytest.approx(1.0)
    house.now = early.ends_at
    assert await house.directory.end_expired() == pytest.approx(3600)
    assert house.directory.conferences() == [late]
    assert house.changes == [ConferenceClosed(early.id, Actor.system(), early, expired=True)]


async def test_the_clock_ends_them_without_being_asked(house: House) -> None:
    await house.again(conference_s=0.0)
    closed = asyncio.Event()
    house.directory.subscribe(lambda change: closed.set())
    await house.conference()
    async with asyncio.timeout(5):
        await closed.wait()
    assert house.directory.conferences() == []


# --- participants ---


async def test_a_new_participant_has_the_conferences_layout_and_is_not_there(house: House) -> None:
    conference = await house.conference()
    ann, token = await house.directory.add_participant(conference, by=BY, name="Ann")
    assert ann == Participant(
        ann.id, conference.id, APP, "Ann", 1.0, Role.SPEAKER, Layout.SELECTOR, "", online=False
    )
    assert len(token) == 100 and token.isalnum() and token.isascii()
    assert house.changes == [ParticipantAdded(ann.conference_id, BY, ann)]
    assert house.directory.participant_by_token(token) == ann


async def test_tokens_are_kept_as_hashes_only(stored_house: House, tmp_path: Path) -> None:
    conference = await stored_house.conference()
    _, token = await stored_house.directory.add_participant(conference, by=BY)
    assert token not in repr(await stored_house.store.load())
    await stored_house.stop()
    assert token.encode() not in everything_in(tmp_path)
    await stored_house.start()


async def test_tokens_are_told_apart(house: House) -> None:
    conference = await house.conference()
    ann, anns = await house.directory.add_participant(conference, by=BY)
    bob, bobs = await house.directory.add_participant(conference, by=BY)
    found = [house.directory.participant_by_token(token) for token in (anns, bobs, anns[:-1], "", "é\udc80")]
    assert found == [ann, bob, None, None, None]
    assert not house.directory.is_token_of_the_gone("x" * 100)


async def test_changes_are_told_with_before_and_after(house: House) -> None:
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


async def test_two_changes_at_once_both_hold(stored_house: House) -> None:
    conference = await stored_house.conference()
    ann = await stored_house.person(conference)
    await asyncio.gather(
        stored_house.directory.change_participant(ann, by=BY, name="Anne"),
        stored_house.directory.change_participant(ann, by=BY, priority=7.0),
    )
    now = stored_house.directory.participant(conference, ann.id)
    assert (now.name, now.priority) == ("Anne", 7.0)
    assert [person for person, _ in (await stored_house.store.load()).participants] == [now]


async def test_who_comes_online_during_a_change_stays_online(house: House) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    change = asyncio.create_task(house.directory.change_participant(ann, by=BY, name="Anne"))
    await asyncio.sleep(0)  # the change is on its way to the store
    house.board.up(conference.id, ann.id)
    assert (await change).online


async def test_removal_ends_the_leg_and_the_token(house: House) -> None:
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


async def test_everybody_can_be_removed_at_once(house: House) -> None:
    conference = await house.conference()
    ann, bob = await house.person(conference), await house.person(conference, "Bob")
    await house.directory.connect(bob, OFFER)
    await house.directory.remove_participants(conference, by=BY)
    assert house.directory.participants(conference) == []
    assert house.board.ended == [(conference.id, bob.id, CloseReason.EXPELLED)]
    assert [change.participant for change in house.changes[-2:]] == [ann, bob]  # type: ignore[union-attr]


async def test_names_lose_what_no_database_takes(house: House) -> None:
    conference = await house.conference()
    assert (await house.person(conference, "A\0n\ud800n")).name == "An?n"


# --- legs ---


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
    house: House, role: Role, primary: bool, secondary: bool
) -> None:
    conference = await house.conference()
    ann = await house.person(conference, role=role)
    await house.directory.connect(ann, OFFER)
    tags = frozenset((ann.id, role.value, "person"))
    assert house.board.routings[conference.id, ann.id] == Routing(primary, secondary, tags=tags)


async def test_role_mute_and_overrides_reroute_a_live_leg_at_once(house: House) -> None:
    conference = await house.conference()
    ann, bob = await house.person(conference), await house.person(conference, "Bob")
    await house.directory.connect(ann, OFFER)
    await house.directory.change_participant(ann, by=BY, role=Role.ATTENDEE, muted=True, hears={bob.id: 0.5})
    tags = frozenset((ann.id, "attendee", "person"))
    assert house.board.routings[conference.id, ann.id] == Routing(
        False, False, True, {bob.id: 0.5}, tags=tags
    )


async def test_whom_one_hears_in_a_way_of_their_own_is_forgotten_with_them(house: House) -> None:
    conference = await house.conference()
    ann, bob, cem = [await house.person(conference, name) for name in ("Ann", "Bob", "Cem")]
    hears = {bob.id: 0.5, cem.id: 0.25, "somebody else": 2.0}
    ann = await house.directory.change_participant(ann, by=BY, hears=hears)
    assert ann.hears == {bob.id: 0.5, cem.id: 0.25}
    await house.directory.remove_participant(bob, by=BY)
    assert house.directory.participant(conference, ann.id).hears == {cem.id: 0.25}
    await house.directory.change_participant(ann, by=BY, name="Anne")
    assert house.memory.participants[ann.id][0].hears == {cem.id: 0.25}


async def test_who_is_removed_during_a_change_is_not_heard_of_again(house: House) -> None:
    conference = await house.conference()
    ann, bob = await house.person(conference), await house.person(conference, "Bob")
    await asyncio.gather(
        house.directory.remove_participant(bob, by=BY),
        house.directory.change_participant(ann, by=BY, hears={bob.id: 0.0}, muted=True),
    )
    now = house.directory.participant(conference, ann.id)
    assert (now.hears, now.muted) == ({}, True)


async def test_a_bot_s_audience_goes_into_its_routing(house: House) -> None:
    conference = await house.conference()
    audience = Audience(hears=frozenset(["person"]), heard_by=frozenset(["moderator"]))
    bot, _ = await house.directory.add_participant(conference, by=BY, transient=True, service=audience)
    await house.directory.connect(bot, OFFER)
    routing = house.board.routings[conference.id, bot.id]
    assert (routing.hears_only, routing.heard_by) == (audience.hears, audience.heard_by)
    assert routing.tags == {bot.id, "speaker", "bot"}


async def test_somebody_is_found_by_id_in_their_own_application_only(house: House) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    assert house.directory.find_participant(conference.application_id, ann.id) == ann
    assert house.directory.find_participant("another", ann.id) is None
    assert house.directory.find_participant(conference.application_id, "nobody") is None


async def test_a_new_name_does_not_touch_the_mix(house: House) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    await house.directory.change_participant(ann, by=BY, name="Anne")
    assert house.board.routings == {}


async def test_a_change_during_connecting_is_not_lost(house: House) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    house.board.while_connecting = lambda: house.directory.change_participant(ann, by=BY, muted=True)
    await house.directory.connect(ann, OFFER)
    assert house.board.routings[conference.id, ann.id].muted


async def test_who_is_removed_while_connecting_gets_no_leg(house: House) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    house.board.while_connecting = lambda: house.directory.remove_participant(ann, by=BY)
    with pytest.raises(NoSuchParticipant):
        await house.directory.connect(ann, OFFER)
    assert house.board.connected == {}


async def test_what_the_switchboard_refuses_is_passed_on(house: House) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    house.board.errors = [Overloaded()]
    with pytest.raises(Overloaded):
        await house.directory.connect(ann, OFFER)


async def test_presence_and_media_follow_the_leg(house: House) -> None:
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


async def test_digits_are_passed_on_and_never_printed(house: House) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    house.board.press(conference.id, ann.id, "7")
    told = house.changes[-1]
    assert told == DigitReceived(conference.id, Actor.participant(ann.id), ann.id, "7")
    assert "'7'" not in repr(told)


async def test_events_of_strangers_are_ignored(house: House) -> None:
    house.board.up("nowhere", "nobody")
    assert house.changes == []


async def test_who_was_made_for_a_call_is_removed_when_it_ends(house: House) -> None:
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


async def test_disconnecting_leaves_the_participant_offline(house: House) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    await house.directory.connect(ann, OFFER)
    house.board.up(conference.id, ann.id)
    await house.directory.disconnect(ann, CloseReason.HANGUP)
    assert not house.directory.participant(conference, ann.id).online


async def test_a_listener_that_fails_does_not_stop_the_others(house: House) -> None:
    def broken(change: Change) -> None:
        raise RuntimeError("no")

    house.directory.subscribe(broken)
    later: list[Change] = []
    house.directory.subscribe(later.append)
    await house.person(await house.conference())
    assert len(later) == 1


# --- messages ---


async def test_messages_go_to_those_who_exist(house: House) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    by = Actor.participant(ann.id)
    for send_to in (conference.id, APP, ann.id):
        message = await house.directory.send_message(conference, by=by, send_to=send_to, text="hi")
        assert (message.sent_by, message.sent_to, message.sent_at) == (ann.id, send_to, house.now)
        assert house.changes[-1] == MessageSent(conference.id, by, message)
    with pytest.raises(NoSuchParticipant):
        await house.directory.send_message(conference, by=by, send_to="nobody", text="hi")


async def test_a_message_to_somebody_who_is_just_being_removed_reaches_nobody(house: House) -> None:
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


async def test_only_persistent_messages_are_kept(house: House) -> None:
    conference = await house.conference()
    await house.directory.send_message(conference, by=BY, send_to=APP, text="gone")
    kept = await house.directory.send_message(conference, by=BY, send_to=APP, text="stays", persistent=True)
    assert house.memory.messages == [kept]
    assert kept.sent_by == APP


# --- limits and draining ---


async def test_every_limit_holds_and_frees_its_place_again(house: House) -> None:
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


async def test_many_at_once_cannot_exceed_a_limit(house: House) -> None:
    await house.again(participants_per_conference=3)
    conference = await house.conference()
    results = await asyncio.gather(*(house.person(conference) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(result, LimitReached) for result in results) == 5
    assert len(house.directory.participants(conference)) == 3


async def test_a_place_is_free_again_when_the_store_fails(house: House) -> None:
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


async def test_what_could_not_be_kept_did_not_happen(house: House) -> None:
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


async def test_while_draining_nobody_new_is_taken_in(house: House) -> None:
    conference = await house.conference()
    ann = await house.person(conference)
    house.board.draining = True
    with pytest.raises(Draining):
        await house.conference()
    with pytest.raises(Draining):
        await house.person(conference)
    await house.directory.change_participant(ann, by=BY, name="Anne")
    await house.directory.remove_participant(ann, by=BY)


# --- restart ---


async def test_a_restart_brings_everything_back_but_calls(stored_house: House) -> None:
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


async def test_tokens_of_those_who_were_removed_are_known_after_a_restart(stored_house: House) -> None:
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


async def test_who_ran_out_of_time_while_the_server_was_down_ends_at_the_start(house: House) -> None:
    conference = await house.conference()
    _, token = await house.directory.add_participant(conference, by=BY)
    house.now = conference.ends_at + 5
    await house.again()
    await house.directory.end_expired()
    assert house.directory.conferences() == []
    assert house.directory.is_token_of_the_gone(token)


async def test_limits_count_what_was_kept(house: House) -> None:
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
