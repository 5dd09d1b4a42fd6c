from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.outputs import published_streams
from bridge.outputs.published_streams import PublishedStream, PublishedStreams
from tests.kit.buckets import Bucket, until

pytestmark = pytest.mark.unit

GRACE_S = 20.0


class Pier:
    """Streams on their way to storages in memory; time passes by itself only where somebody sleeps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.main, self.spare = Bucket(), Bucket()
        self.time = 100.0
        self.pauses: list[float] = []
        self.may_sleep = asyncio.Event()
        self.may_sleep.set()
        self.start()

    def start(self) -> None:
        self.streams = PublishedStreams(
            self.folder / "published",
            {"main": self.main, "spare": self.spare},
            sleep=self._sleep,
            now=lambda: self.time,
        )

    async def kill(self) -> None:
        """Without a goodbye; the next one finds what is on the disk."""
        await self.streams.close()
        self.start()

    def open(self, stays: bool = False, storage: str = "main") -> PublishedStream:
        return self.streams.open(storage, "stream-1", stays)

    async def put(self, stream: PublishedStream, *names: str) -> None:
        for name in names:
            path = self.folder / name
            path.write_text(name)
            await stream.put(path)

    @property
    def lists(self) -> list[str]:
        folder = self.folder / "published"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def there(self, bucket: Bucket | None = None) -> list[str]:
        return [key.removeprefix("hls/stream-1/") for key in (bucket or self.main).there]

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self.may_sleep.wait()
        self.time += seconds
        await asyncio.sleep(0)


@pytest.fixture
async def pier(tmp_path: Path) -> AsyncIterator[Pier]:
    pier = Pier(tmp_path)
    yield pier
    await pier.streams.close()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0.005)


async def test_files_lie_below_the_streams_id_and_go_a_while_after_no_playlist_names_them(pier: Pier) -> None:
    stream = pier.open()
    await pier.put(stream, "h0.mp4", "s0.m4s", "s1.m4s", "media.m3u8", "s2.m4s")
    assert list(pier.main.there)[:2] == ["hls/stream-1/h0.mp4", "hls/stream-1/s0.m4s"]
    stream.shown({"h0.mp4", "s1.m4s"}, GRACE_S)
    pier.time += GRACE_S - 1
    stream.shown({"h0.mp4", "s1.m4s", "s2.m4s"}, GRACE_S)
    await settle()
    assert pier.main.removed == []
    pier.time += 1
    stream.shown({"h0.mp4", "s1.m4s", "s2.m4s"}, GRACE_S)
    await until(lambda: pier.main.removed == ["hls/stream-1/s0.m4s"])
    stream.shown({"h0.mp4", "s1.m4s", "s2.m4s"}, GRACE_S)
    await settle()
    assert pier.there() == ["h0.mp4", "s1.m4s", "media.m3u8", "s2.m4s"]


async def test_after_the_end_everything_goes_playlists_first_and_nothing_is_left_written_down(
    pier: Pier,
) -> None:
    stream = pier.open()
    await pier.put(stream, "s0.ts", "s1.ts", "media.m3u8", "index.m3u8")
    pier.may_sleep.clear()
    stream.over(60.0)
    stream.over(60.0)
    await settle()
    assert pier.pauses == [60.0] and pier.main.removed == []
    pier.may_sleep.set()
    await until(lambda: pier.lists == [])
    assert pier.there() == []
    assert pier.main.removed[:2] == ["hls/stream-1/media.m3u8", "hls/stream-1/index.m3u8"]


async def test_one_that_is_kept_whole_stays(pier: Pier) -> None:
    stream = pier.open(stays=True)
    await pier.put(stream, "s0.ts", "s1.ts", "media.m3u8")
    stream.shown({"s1.ts"}, 0.0)
    stream.over(0.0)
    await pier.kill()
    await pier.streams.clean([])
    await settle()
    assert pier.main.removed == [] and pier.lists == []


async def test_what_a_killed_server_left_of_a_stream_that_is_gone_goes_at_the_next_start(pier: Pier) -> None:
    await pier.put(pier.open(), "s0.ts", "media.m3u8")
    await pier.put(pier.open(storage="spare"), "s0.ts")
    (pier.folder / "published" / "x.part").touch()
    await pier.kill()
    await pier.streams.clean(["another"])
    await until(lambda: pier.lists == [])
    assert pier.there() == [] and pier.there(pier.spare) == []


async def test_a_file_that_was_cut_off_on_its_way_is_known_of(pier: Pier) -> None:
    stream = pier.open()
    pier.main.stuck.add("hls/stream-1/s0.ts")
    putting = asyncio.create_task(pier.put(stream, "s0.ts"))
    await until(lambda: pier.lists == ["stream-1.main.files"])
    await settle()
    putting.cancel()
    await asyncio.gather(putting, return_exceptions=True)
    pier.main.stuck.clear()
    await pier.kill()
    await pier.streams.clean([])
    await until(lambda: pier.main.removed == ["hls/stream-1/s0.ts"])


async def test_a_stream_that_goes_on_after_a_restart_takes_what_was_before_along_until_it_may_go(
    pier: Pier,
) -> None:
    await pier.put(pier.open(), "s0.ts", "s1.ts", "media.m3u8")
    await pier.kill()
    await pier.streams.clean(["stream-1"])
    stream = pier.open()
    await pier.put(stream, "s5.ts", "media.m3u8")
    await settle()
    assert pier.main.removed == []
    stream.shown({"s5.ts"}, GRACE_S)
    pier.time += GRACE_S
    stream.shown({"s5.ts"}, GRACE_S)
    await until(lambda: sorted(pier.there()) == ["media.m3u8", "s5.ts"])


async def test_a_storage_that_removes_nothing_is_asked_again_and_delays_no_other(
    pier: Pier, caplog: pytest.LogCaptureFixture
) -> None:
    stream, other = pier.open(), pier.open(storage="spare")
    await pier.put(stream, "s0.ts", "s1.ts")
    await pier.put(other, "s0.ts")
    pier.main.refuses = "main: access is denied"
    stream.over(0.0)
    other.over(0.0)
    await until(lambda: len(pier.pauses) >= 8 and pier.lists == ["stream-1.main.files"])
    assert caplog.text.count("main: access is denied") <= 2
    assert pier.there(pier.spare) == []
    pier.main.refuses = ""
    await until(lambda: pier.lists == [])
    assert pier.there() == []


async def test_a_storage_that_hangs_is_asked_again(pier: Pier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_streams, "REMOVE_WITHIN_S", 0.01)
    stream = pier.open()
    await pier.put(stream, "s0.ts")
    pier.main.stuck.add("hls/stream-1/s0.ts")
    stream.over(0.0)
    await until(lambda: len(pier.pauses) >= 3)
    pier.main.stuck.clear()
    await until(lambda: pier.lists == [])


async def test_files_at_a_storage_that_is_not_configured_any_more_are_said_and_kept_in_mind(
    pier: Pier, caplog: pytest.LogCaptureFixture
) -> None:
    await pier.put(pier.open(), "s0.ts")
    with pytest.raises(KeyError):
        pier.open(storage="elsewhere")
    streams = PublishedStreams(pier.folder / "published", {"spare": pier.spare})
    await streams.clean([])
    await streams.close()
    assert "storage main: it is not configured" in caplog.text
    assert pier.lists == ["stream-1.main.files"]


async def test_nothing_is_sent_that_cannot_be_written_down(
    pier: Pier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    stream = pier.open()
    with monkeypatch.context() as patched:
        patched.setattr(published_streams, "write_list", full)
        with pytest.raises(OSError, match="No space"):
            await pier.put(stream, "s0.ts")
    assert pier.main.arrived == []
    await pier.put(stream, "s0.ts")
    assert pier.there() == ["s0.ts"]


async def test_a_refusal_is_told_as_the_storage_says_it(pier: Pier) -> None:
    pier.main.refuses = "main: it answered 503"
    with pytest.raises(OSError, match="main: it answered 503"):
        await pier.put(pier.open(), "s0.ts")
    with pytest.raises(FileNotFoundError):
        pier.main.refuses = ""
        await pier.open().put(pier.folder / "never.ts")
