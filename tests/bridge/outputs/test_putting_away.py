"""How long a recording's files stay on the disk once they are in a storage."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.outputs import shelf_storage
from bridge.outputs.put_away import is_away, put_away, safe_since
from tests.kit.buckets import until
from tests.kit.shelf_place import ID, Place, settled

pytestmark = pytest.mark.unit


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    await place.start()
    yield place
    await place.stop()


async def test_files_stay_until_they_are_safe_and_their_time_is_over(place: Place) -> None:
    place.keep_s = 3600
    await place.again()
    place.bucket.refuses = "main: it answered 503"
    place.storage.begin(ID, "")
    await place.storage.send(ID, place.make("a.wav"))
    place.storage.rest(ID)
    await place.pass_time(10_000)
    assert not is_away(place.directory)
    place.bucket.refuses = ""
    await place.storage.done(ID)
    await place.pass_time(3_599)
    assert not is_away(place.directory)
    await place.pass_time(2)
    await until(lambda: is_away(place.directory))
    assert not (place.directory / "files").exists()
    assert (place.directory / "manifest.json").exists()
    [file] = place.storage.away_files(ID)
    assert (file.name, file.here, file.size, file.state) == ("a.wav", False, 16, "uploaded")
    away = place.storage.away_file(ID, "a.wav")
    assert away is not None and place.storage.away_file(ID, "b.wav") is None
    assert await away.link() == f"https://bucket.test/{ID}/a.wav"
    assert b"".join([piece async for piece in away.pieces(2, 7)]) == b"ntent"
    assert not await place.storage.take_back(ID)


async def test_a_pause_is_not_taken_for_the_end(place: Place) -> None:
    place.keep_s, place.pause_s = 0, 600
    await place.again()
    await place.all_sent("a.wav")
    place.storage.rest(ID)
    await place.pass_time(599)
    assert await place.storage.take_back(ID)
    place.storage.rest(ID)
    await place.pass_time(599)
    assert not is_away(place.directory)
    await place.pass_time(2)
    await until(lambda: is_away(place.directory))


async def test_without_a_time_they_stay(place: Place) -> None:
    await place.all_sent("a.wav")
    place.storage.rest(ID)
    await place.pass_time(1e9)
    assert (place.directory / "files" / "a.wav").exists()
    assert place.storage.away_files(ID) == [] and place.storage.away_file(ID, "a.wav") is None


async def test_what_goes_on_is_not_put_away(place: Place) -> None:
    place.keep_s = 10
    await place.again()
    await place.all_sent("a.wav")
    place.storage.rest(ID)
    await place.pass_time(9)
    assert await place.storage.take_back(ID)
    await place.pass_time(100)
    assert not is_away(place.directory)
    place.storage.begin(ID, "")
    place.storage.rest(ID)
    await place.pass_time(100)
    await until(lambda: is_away(place.directory))


async def test_whoever_wants_to_go_on_while_it_is_being_put_away_waits_and_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go, begun = threading.Event(), threading.Event()

    def slowly(directory: Path) -> None:
        begun.set()
        may_go.wait(5)
        put_away(directory)

    monkeypatch.setattr(shelf_storage, "put_away", slowly)
    place.keep_s = 0
    await place.again()
    await place.all_sent("a.wav")
    place.storage.rest(ID)
    await place.pass_time(1)
    await until(begun.is_set)
    taking = asyncio.ensure_future(place.storage.take_back(ID))
    await settled()
    assert not taking.done()
    may_go.set()
    assert not await taking


async def test_what_is_not_all_in_its_storage_stays(place: Place) -> None:
    place.keep_s = 0
    await place.again()
    names = place.make("a.wav", "b.wav")
    place.storage.begin(ID, "")
    await place.storage.send(ID, [names[0], names[2]])
    await place.storage.done(ID)
    place.storage.rest(ID)
    await place.pass_time(100)
    assert (place.directory / "files" / "a.wav").exists()
    assert safe_since(place.directory, place.uploads.arrived(ID)) is None


def test_putting_away_can_be_cut_off_anywhere(tmp_path: Path) -> None:
    """As after each of its steps: the log is whole, or not there."""
    for step in ("none", "files", "renamed", "part"):
        directory = tmp_path / step
        for name in ("files", "log"):
            (directory / name).mkdir(parents=True)
            for number in range(3):
                (directory / name / f"{number:06}.rec").write_bytes(b"x")
        (directory / "manifest.json").write_bytes(b"{}")
        if step != "none":
            for file in (directory / "files").iterdir():
                file.unlink()
        if step in ("renamed", "part"):
            (directory / "log").rename(directory / "log.away")
        if step == "part":
            (directory / "log.away" / "000000.rec").unlink()
        assert is_away(directory) == (step in ("renamed", "part"))
        if not is_away(directory):
            assert len(list((directory / "log").iterdir())) == 3
        put_away(directory)
        assert is_away(directory)
        assert sorted(path.name for path in directory.iterdir()) == ["manifest.json"]
        put_away(directory)
