from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from bridge.people import Conference, Layout
from bridge.records import KeptStreaming
from bridge.store import SqlStore

pytestmark = pytest.mark.unit

CONFERENCE = Conference("c-1", "a-1", "", Layout.MOSAIC, 1.0, 2.0)
ONE = KeptStreaming("s-1", "c-1", "rtmp://x/y/key", {"audio": {"codec": "mp3"}})
TWO = KeptStreaming("s-2", "c-1", "")


async def test_streamings_come_back_in_the_order_of_creation(store: SqlStore) -> None:
    await store.add_conference(CONFERENCE)
    await store.streamings.add_streaming(TWO)
    await store.streamings.add_streaming(ONE)
    assert await store.streamings.load_streamings() == [TWO, ONE]
    await store.streamings.remove_streamings(["s-2", "never"])
    assert await store.streamings.load_streamings() == [ONE]


async def test_a_conference_takes_its_streamings_with_it(store: SqlStore) -> None:
    await store.add_conference(CONFERENCE)
    await store.streamings.add_streaming(ONE)
    await store.remove_conference("c-1")
    assert await store.streamings.load_streamings() == []
    with pytest.raises(IntegrityError):
        await store.streamings.add_streaming(ONE)


async def test_keys_are_never_printed(store: SqlStore) -> None:
    assert "key" not in repr(ONE).replace("KeptStreaming", "")
