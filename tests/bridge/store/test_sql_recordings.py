from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from bridge.records import KeptRecording
from bridge.store import SqlStore

pytestmark = pytest.mark.unit

FIRST = KeptRecording(
    "r-1", "c-1", "a-1", 1_700_000_000.5, 1, True, {"formats": ["mp4"], "participants": True}
)


async def test_recordings_come_back_as_they_were_last_kept(store: SqlStore) -> None:
    later = KeptRecording("r-2", "c-2", "a-1", 1_700_000_001.5)
    await store.recordings.keep_recording(later)
    await store.recordings.keep_recording(FIRST)
    stopped = replace(FIRST, wanted=False, stretches=2, wishes={})
    await store.recordings.keep_recording(stopped)
    assert await store.recordings.load_recordings() == [stopped, later]


async def test_a_recording_outlives_its_conference_until_it_is_forgotten(store: SqlStore) -> None:
    await store.recordings.keep_recording(FIRST)
    await store.remove_conference("c-1")
    assert await store.recordings.load_recordings() == [FIRST]
    await store.recordings.forget_recording("r-1")
    await store.recordings.forget_recording("r-1")
    assert await store.recordings.load_recordings() == []


async def test_a_conference_has_at_most_one(store: SqlStore) -> None:
    await store.recordings.keep_recording(FIRST)
    with pytest.raises(IntegrityError):
        await store.recordings.keep_recording(replace(FIRST, id="r-2"))


async def test_that_its_conference_expired_is_kept_in_the_stroke_that_removes_the_conference(
    store: SqlStore,
) -> None:
    other = replace(FIRST, id="r-2", conference_id="c-2", created_at=1_700_000_009.5)
    for recording in (FIRST, other):
        await store.recordings.keep_recording(recording)
    await store.remove_conference("c-1", expired_at=1_800_000_000.5)
    await store.remove_conference("c-2")
    expired = replace(FIRST, expired_at=1_800_000_000.5)
    assert await store.recordings.load_recordings() == [expired, other]
    await store.recordings.keep_recording(replace(expired, wanted=False))
    assert (await store.recordings.load_recordings())[0].expired_at == 1_800_000_000.5
