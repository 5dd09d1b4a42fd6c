from __future__ import annotations

import asyncio
import errno
import json
import stat
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from bridge.core.ports import OWN_STORAGE, GivenStorage
from bridge.errors import BadInput
from bridge.outputs import shelf_storage
from bridge.outputs.own_storages import OwnStorages, kept_storage
from bridge.outputs.put_away import is_away, put_away, safe_since
from bridge.outputs.shelf_storage import ShelfStorage
from bridge.outputs.storage import StorageFailed
from bridge.outputs.storage_open import Opening
from bridge.outputs.uploads import Uploads
from tests.kit.buckets import Bucket, until

pytestmark = pytest.mark.unit

ID = "recording-1"
GIVEN = GivenStorage("s3", "calls", "a/b", access_key="an-id", secret_key="a-very-secret-key")


class Place:
    """A recording on a disk, and what sends it; time passes only by `pass_time`."""

    def __init__(self, root: Path) -> None:
        self.root = root / "recordings"
        self.directory = self.root / ID
        (self.directory / "log").mkdir(parents=True)
        (self.directory / "log" / "000000.rec").write_bytes(b"log")
        self.queue = root / "uploads"
        self.bucket = Bucket()
        self.keep_s: float | None = None
        self.pause_s = 0.0
        self.time = 1_000.0
        self.sleepers: list[tuple[float, asyncio.Event]] = []

    async def start(self) -> None:
        self.uploads = Uploads(
            self.queue,
            {"main": self.bucket},
            now=lambda: self.time,
            sleep=lambda seconds: asyncio.sleep(0.01),
        )
        await self.uploads.load()
        self.storage = ShelfStorage(
            self.root,
            self.uploads,
            ("main",),
            keep_s=self.keep_s,
            pause_s=self.pause_s,
            now=lambda: self.time,
            sleep=self._sleep,
        )

    async def stop(self) -> None:
        await self.storage.close()
        await self.uploads.close()

    async def again(self) -> None:
        await self.stop()
        await self.start()

    def write(self, name: str, content: bytes) -> str:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".new.part")
        part.write_bytes(content)
        part.replace(path)
        return name

    def make(self, *names: str) -> list[str]:
        """Files, and the manifest that names them."""
        for name in names:
            self.write(f"files/{name}", f"content of {name}".encode())
        files = [{"name": f"files/{name}", "sha256": ""} for name in names]
        self.write("manifest.json", json.dumps({"files": files}).encode())
        return [*(f"files/{name}" for name in names), "manifest.json"]

    @property
    def keys(self) -> list[str]:
        """What arrived, in order."""
        return [key.removeprefix(f"{ID}/") for key, _ in self.bucket.arrived]

    async def all_sent(self, *names: str) -> None:
        self.storage.begin(ID, "")
        await self.storage.send(ID, self.make(*names))
        await self.storage.done(ID)

    async def pass_time(self, seconds: float) -> None:
        await settled()
        self.time += seconds
        due = [event for then, event in self.sleepers if then <= self.time]
        self.sleepers = [(then, event) for then, event in self.sleepers if then > self.time]
        for event in due:
            event.set()
        await settled()

    async def _sleep(self, seconds: float) -> None:
        event = asyncio.Event()
        self.sleepers.append((self.time + seconds, event))
        await event.wait()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0.005)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    await place.start()
    yield place
    await place.stop()


# --- what is sent, and when ---


async def test_segments_go_as_they_come_and_the_playlist_after_them(place: Place) -> None:
    place.storage.begin(ID, "")
    folder = "files/program-hls-ts"
    for number in range(3):
        place.write(f"{folder}/{number:06}.ts", bytes([number]))
        place.write(f"{folder}/{number + 1:06}.ts.part", b"grows")
        named = "".join(f"{one:06}.ts\n" for one in range(number + 1))
        place.write(f"{folder}/media.m3u8", f"#EXTM3U\n{named}".encode())
        place.write(f"{folder}/index.m3u8", b"#EXTM3U\nmedia.m3u8\n")
        for _ in range(3):
            place.storage.progressed(ID)
            await settled()
        await until(lambda: place.keys.count("program-hls-ts/media.m3u8") > number)  # noqa: B023 - at once
        await place.storage.done(ID)
    short = [key.removeprefix("program-hls-ts/") for key in place.keys]
    assert short == [
        "000000.ts", "media.m3u8", "index.m3u8", "000001.ts", "media.m3u8", "000002.ts", "media.m3u8",
    ]  # fmt: skip


async def test_a_segment_that_was_made_longer_goes_once_more(place: Place) -> None:
    place.storage.begin(ID, "")
    for content in (b"short", b"longer"):
        place.write("files/hls/0.ts", content)
        place.write("files/hls/media.m3u8", b"#EXTM3U\n#" + content + b"\n0.ts\n")
        place.storage.progressed(ID)
        await settled()
        await place.storage.done(ID)
    assert [content for key, content in place.bucket.arrived if key.endswith("0.ts")] == [b"short", b"longer"]


async def test_files_go_as_they_are_whole_and_none_goes_twice(place: Place) -> None:
    place.storage.begin(ID, "")
    names = place.make("a.wav", "program.mp4")
    place.storage.made(ID, "files/a.wav")
    await until(lambda: place.keys == ["a.wav"])
    await place.storage.done(ID)
    place.write("files/a.wav", b"content of a.wav")  # its maker died, and another one made it again
    await place.storage.send(ID, names)
    await place.storage.done(ID)
    assert place.keys[0] == "a.wav" and sorted(place.keys[1:]) == ["manifest.json", "program.mp4"]


async def test_after_a_restart_what_was_not_ordered_is(place: Place) -> None:
    place.storage.begin(ID, "")
    names = place.make("a.wav", "b.wav")
    place.write("files/c.wav.part", b"grows")
    await place.storage.send(ID, names[:1])
    await place.storage.done(ID)
    await place.again()
    place.storage.begin(ID, "main")
    await place.storage.send_all(ID)
    await place.storage.done(ID)
    assert sorted(place.keys) == ["a.wav", "b.wav", "manifest.json"]


async def test_a_full_disk_only_puts_off_what_is_to_be_sent(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, full = place.uploads.put, [True, True]

    async def fails(*given: str) -> None:
        if full and full.pop():
            raise OSError(errno.ENOSPC, "No space left on device")
        await put(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(place.uploads, "put", fails)
    place.storage.begin(ID, "")
    sending = asyncio.ensure_future(place.storage.send(ID, place.make("a.wav")))
    for _ in range(3):
        await place.pass_time(60)
    await sending
    await place.storage.done(ID)
    assert place.keys == ["a.wav", "manifest.json"]


async def test_one_whose_storage_is_not_configured_any_more_stays_and_never_counts_as_sent(
    place: Place,
) -> None:
    place.storage.begin(ID, "of-last-year")
    await place.storage.send(ID, place.make("a.wav"))
    assert not place.storage.is_sent(ID)
    waiting = asyncio.ensure_future(place.storage.done(ID))
    await settled()
    assert not waiting.done()
    waiting.cancel()


# --- how long it stays ---


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


# --- the end ---


async def test_nothing_is_left_of_one_that_is_forgotten_whatever_went_on(place: Place) -> None:
    for hangs in (False, True):
        if hangs:
            place.bucket.open.clear()
        place.storage.begin(ID, "")
        names = place.make("a.wav", "b.wav")
        place.storage.made(ID, names[0])
        sending = asyncio.ensure_future(place.storage.send(ID, names))
        await asyncio.sleep(0.005 if hangs else 0)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await place.storage.forget(ID)
        assert not place.storage.is_sent(ID)
        async with asyncio.timeout(5):  # what a thread was writing is taken back after it
            while list(place.queue.iterdir()):
                await settled()


async def test_what_nobody_knows_any_more_is_taken_back(place: Place) -> None:
    place.bucket.open.clear()
    place.storage.begin(ID, "")
    await place.storage.send(ID, place.make("a.wav"))
    await place.again()
    await place.storage.forget_others(["another"])
    assert list(place.queue.iterdir()) == []


# --- storages that requests name ---


Judge = Callable[[str, bool], Awaitable[None]]


def own_storages(root: Path, judge: Judge | None = None, apart: bool = True) -> OwnStorages:
    async def nothing_wrong(endpoint: str, named: bool) -> None:
        return None

    async def opening() -> Opening:
        return Opening(proxy="http://a:b@127.0.0.1:9", apart=apart)

    return OwnStorages(root, judge or nothing_wrong, opening)


async def test_the_keys_of_a_storage_lie_beside_its_recording_for_nobody_else_to_read(tmp_path: Path) -> None:
    own = own_storages(tmp_path)
    await own.keep(ID, GIVEN)
    [file] = (tmp_path / ID).iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert kept_storage(tmp_path / ID) == GIVEN
    again = own_storages(tmp_path)  # after a restart
    storage = await again.open(ID)
    assert (storage.place.bucket, storage.place.secret_key) == ("calls", GIVEN.secret_key)
    assert await again.open(ID) is storage
    again.forget(ID)
    assert await again.open(ID) is not storage


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"kind": "tape", "bucket": "a"}'])
async def test_keys_that_cannot_be_read_are_said_to_be_gone(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / ID).mkdir()
    if content is not None:
        (tmp_path / ID / "storage.json").write_bytes(content)
    with pytest.raises(StorageFailed, match="keys are not kept any more"):
        await own_storages(tmp_path).open(ID)


async def test_what_may_not_be_reached_is_refused_when_it_is_named_and_when_it_is_used(
    tmp_path: Path,
) -> None:
    allowed = True

    async def judge(endpoint: str, named: bool) -> None:
        assert (endpoint, named) == ("https://s3.us-east-1.amazonaws.com", False)
        if not allowed:
            raise BadInput("`storage.endpoint`: it is inside")

    own = own_storages(tmp_path, judge)
    await own.check(GIVEN)
    await own.keep(ID, GIVEN)
    allowed = False
    with pytest.raises(BadInput, match="inside"):
        await own.check(GIVEN)
    with pytest.raises(StorageFailed, match="it is inside"):
        await own_storages(tmp_path, judge).open(ID)


async def test_no_storage_of_a_requests_is_opened_without_a_gate(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="takes no storages"):
        await own_storages(tmp_path, apart=False).keep(ID, GIVEN)
    assert not (tmp_path / ID).exists()
    alone = ShelfStorage(tmp_path)
    with pytest.raises(BadInput, match="takes no storages"):
        await alone.check(GIVEN)
    with pytest.raises(BadInput, match="no storage main"):
        await alone.check("main")
    assert alone.name_for(OWN_STORAGE) == "" == alone.name_for("")
