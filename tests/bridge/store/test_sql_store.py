from __future__ import annotations

import asyncio
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from bridge.errors import ConfigError
from bridge.people import Conference, Layout, Media, Message, Participant, Role
from bridge.records import GONE_TOKENS_KEPT, Kept
from bridge.store import SqlStore
from bridge.store.tables import gone_tokens, messages

pytestmark = pytest.mark.unit

CONFERENCE = Conference("c-1", "a-1", "Stand-up ☕", Layout.SELECTOR, 1_700_000_000.25, 1_700_086_400.25)
ANN = Participant(
    "p-1", "c-1", "a-1", "Ann", 2.5, Role.MODERATOR, Layout.MOSAIC, "de", muted=True, hears={"p-2": 0.25}
)
BOB = Participant("p-2", "c-1", "a-1", "Bob", 1.0, Role.ATTENDEE, Layout.SELECTOR, "", transient=True)
NOTE = Message("m-1", "c-1", "p-1", "c-1", 1_700_000_100.5, "hello\nthere 👋")


async def written(store: SqlStore) -> list[Message]:
    async with store._engine.connect() as connection:
        return [Message(**row._mapping) for row in await connection.execute(select(messages))]


async def filled(store: SqlStore) -> SqlStore:
    await store.add_conference(CONFERENCE)
    await store.add_participant(ANN, "hash-1")
    await store.add_participant(BOB, "hash-2")
    return store


async def test_everything_comes_back_in_the_order_of_invitation(store: SqlStore) -> None:
    await filled(store)
    await store.add_message(NOTE)
    kept = await store.load()
    assert kept == Kept((CONFERENCE,), ((ANN, "hash-1"), (BOB, "hash-2")), {"c-1": 1})
    assert await written(store) == [NOTE]


async def test_what_was_kept_outlives_the_connection(address: str, store: SqlStore) -> None:
    await filled(store)
    await store.close()
    again = await SqlStore.open(address)
    assert [participant.name for participant, _ in (await again.load()).participants] == ["Ann", "Bob"]
    await again.close()


async def test_who_is_online_is_not_kept(store: SqlStore) -> None:
    await store.add_conference(CONFERENCE)
    await store.add_participant(replace(ANN, online=True, leg_kind="webrtc", media=Media(True)), "hash-1")
    assert (await store.load()).participants == ((ANN, "hash-1"),)


async def test_changes_are_kept(store: SqlStore) -> None:
    await filled(store)
    renamed = replace(CONFERENCE, name="Retro")
    changed = replace(
        ANN,
        name="Anne",
        priority=0.0,
        role=Role.SPEAKER,
        layout=Layout.PRESENTING_MOSAIC,
        language="",
        muted=False,
        hears={},
    )
    await store.change_conference(renamed)
    await store.change_participant(changed)
    kept = await store.load()
    assert kept.conferences == (renamed,)
    assert kept.participants[0] == (changed, "hash-1")


async def test_a_conference_takes_its_people_and_messages_along(store: SqlStore) -> None:
    await filled(store)
    await store.add_message(NOTE)
    await store.add_conference(replace(CONFERENCE, id="c-2"))
    await store.remove_conference("c-1")
    kept = await store.load()
    assert [conference.id for conference in kept.conferences] == ["c-2"]
    assert kept.participants == ()
    assert kept.messages == {}
    assert await written(store) == []
    assert kept.gone_tokens == ("hash-1",)


async def test_many_are_removed_at_once(store: SqlStore) -> None:
    await filled(store)
    crowd = [replace(ANN, id=f"crowd-{n}") for n in range(1200)]
    for begin in range(0, len(crowd), 100):  # who asks waits 8 s for a connection, and no longer
        await asyncio.gather(*(store.add_participant(one, one.id) for one in crowd[begin : begin + 100]))
    await store.remove_participants(one.id for one in crowd)
    assert [participant.id for participant, _ in (await store.load()).participants] == ["p-1", "p-2"]


async def test_the_newest_tokens_of_the_gone_are_kept(store: SqlStore) -> None:
    await filled(store)
    for name in ("p-3", "p-4"):
        await store.add_participant(replace(ANN, id=name), f"hash-{name}")
    await store.remove_participants(["p-1", "p-2"])
    assert (await store.load()).gone_tokens == ("hash-1",)  # nobody was given a caller's token
    await store.remove_participants(["p-3"])
    async with store._engine.begin() as connection:
        newest = await connection.scalar(select(func.max(gone_tokens.c.place)))
        aged = update(gone_tokens).where(gone_tokens.c.token_hash == "hash-1")
        await connection.execute(aged.values(place=newest + 1 - GONE_TOKENS_KEPT))
    assert (await store.load()).gone_tokens == ("hash-1", "hash-p-3")
    await store.remove_conference("c-1")
    assert (await store.load()).gone_tokens == ("hash-p-3", "hash-p-4")


async def test_a_write_that_fails_leaves_nothing_behind_and_is_counted(store: SqlStore) -> None:
    await filled(store)
    with pytest.raises(IntegrityError) as wrong:
        await store.add_participant(replace(ANN, id="p-3", name="Secretive"), "hash-1")
    assert "Secretive" not in str(wrong.value)
    with pytest.raises(IntegrityError):
        await store.add_participant(replace(ANN, id="p-3", conference_id="nowhere"), "hash-3")
    assert len((await store.load()).participants) == 2
    assert (store.writes, store.write_errors) == (3, 2)


async def test_ping_answers_while_the_database_does(store: SqlStore) -> None:
    await store.ping()


async def test_the_sqlite_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "new" / "bridge.sqlite3"
    store = await SqlStore.open(f"sqlite:///{file}")
    await store.add_conference(CONFERENCE)
    assert {stat.S_IMODE(made.stat().st_mode) for made in file.parent.iterdir()} == {0o600}
    await store.close()


async def test_a_file_is_one_servers_at_a_time(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'bridge.sqlite3'}"
    first = await SqlStore.open(address)
    with pytest.raises(ConfigError, match="another server keeps its state"):
        await SqlStore.open(address)
    await first.close()
    await (await SqlStore.open(address)).close()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("nonsense", "not an address"),
        ("mysql://localhost/x", "only sqlite and postgresql"),
        ("sqlite://", "needs a file"),
        ("sqlite:////proc/nothing/x.sqlite3", "cannot keep the state"),
        ("postgresql://me:topsecret@127.0.0.1:9/x", r"me:\*\*\*@127\.0\.0\.1"),
    ],
)
async def test_an_address_that_cannot_be_used_is_named_without_its_password(address: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as wrong:
        await SqlStore.open(address)
    assert "topsecret" not in str(wrong.value)
