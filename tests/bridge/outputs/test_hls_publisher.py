from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.outputs import hls_publisher
from bridge.outputs.live_wire import CaptionSpec, Closed, HlsSpec
from tests.kit.hls_house import HlsHouse, Stand
from tests.kit.hls_reader import ReadPlaylist, faults, read

pytestmark = pytest.mark.unit

LOW = HlsSpec("fmp4", segment_s=2.0, part_s=0.5, captions=CaptionSpec(wait_s=0.5))
PLAIN = HlsSpec("ts", segment_s=2.0, window=4)
WHOLE = HlsSpec("ts", segment_s=2.0, kind="event")


class Checked(Stand):
    """Looks at each playlist as it comes: nothing is named that is not there, but as a gap."""

    async def put(self, path: Path) -> None:
        await super().put(path)
        if path.suffix == ".m3u8" and path.name != "index.m3u8":
            playlist = shown(self, path.name)
            assert faults(playlist) == [] and playlist.part_target is None and not playlist.control
            named = [uri for s in playlist.segments if not s.gap for uri in (s.uri, s.map_uri) if uri]
            assert all(uri in self.stored for uri in named), "named and not there"


def shown(stand: Stand, name: str = "media.m3u8") -> ReadPlaylist:
    return read(stand.stored[name].decode())


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happened():  # noqa: ASYNC110 - files are written in threads
            await asyncio.sleep(0.001)


async def hear(house: HlsHouse, seconds: int) -> None:
    for _ in range(seconds):
        house.hear(1)
        await asyncio.sleep(0.01)  # writing is a thread's work


async def test_a_segment_is_named_on_the_storage_only_when_it_is_there(tmp_path: Path) -> None:
    stand = Checked()
    house = HlsHouse(tmp_path, LOW, place=stand)
    await hear(house, 12)
    house.end()
    await house.live.finish(20)
    final = shown(stand)
    assert final.ended and final.last_sequence == shown(stand, "captions.m3u8").last_sequence == 6
    assert "index.m3u8" in stand.stored and not [name for name in stand.order if name.startswith("p")]


async def test_a_storage_that_fails_for_a_while_gets_everything(tmp_path: Path) -> None:
    stand = Checked()
    stand.refuses = "input/output error"
    house = HlsHouse(tmp_path, PLAIN, place=stand)
    await hear(house, 6)
    assert stand.order == [] and any("storage" in trouble for trouble in house.troubles)
    assert (await house.media()).last_sequence >= 1, "its own viewers notice nothing"
    stand.refuses = ""
    house.end()
    await house.live.finish(20)
    segments = [name for name in stand.order if name.endswith(".ts")]
    assert len(segments) == len(set(segments)) >= 3
    assert set(segments) == {segment.file for segment in house.studio.segments("live")}
    assert house.troubles[-1] == "" and house.live.publisher is not None and house.live.publisher.missed == 0


async def test_only_so_many_files_are_on_their_way_at_a_time(tmp_path: Path) -> None:
    stand = Checked()
    stand.stuck = {f"s{number}.ts" for number in range(9)}
    house = HlsHouse(tmp_path, PLAIN, place=stand, try_s=60)
    await hear(house, 12)
    await until(lambda: stand.at_once == hls_publisher.AT_A_TIME)
    assert stand.most_at_once == hls_publisher.AT_A_TIME
    assert house.live.publisher is not None and house.live.publisher.waiting >= 5
    await house.live.publisher.cancel()


async def test_a_try_that_takes_too_long_is_shown_as_trouble_and_made_again(tmp_path: Path) -> None:
    stand = Checked()
    stand.stuck = {"s0.ts"}
    house = HlsHouse(tmp_path, WHOLE, place=stand, try_s=0.02)
    await hear(house, 5)
    await until(lambda: stand.tried.count("s0.ts") >= 3)
    assert house.live.trouble == "the storage does not take it: it did not answer in time"
    assert "s1.ts" in stand.stored, "others go on"
    assert "media.m3u8" not in stand.stored, "of what is kept whole nothing is left out"
    stand.stuck.clear()
    house.end()
    await house.live.finish(20)
    final = shown(stand)
    assert final.ended and not any(segment.gap for segment in final.segments)
    assert house.live.trouble == house.troubles[-1] == ""


async def test_a_file_that_hangs_while_others_arrive_is_a_gap_and_the_playlist_goes_on(
    tmp_path: Path,
) -> None:
    stand = Checked()
    stand.stuck = {"s1.ts"}
    house = HlsHouse(tmp_path, PLAIN, place=stand, try_s=60, late_s=0.05)
    await hear(house, 9)
    await until(lambda: "media.m3u8" in stand.stored and shown(stand).last_sequence >= 2)
    playlist = shown(stand)
    assert [segment.uri for segment in playlist.segments if segment.gap] == ["s1.ts"]
    assert house.live.publisher is not None and house.live.publisher.missed == 1
    house.end()
    await house.live.finish(20)
    assert shown(stand).ended and house.live.trouble == ""


async def test_a_header_that_is_not_there_leaves_no_segment_that_needs_it(tmp_path: Path) -> None:
    stand = Checked()
    stand.stuck = {"h0.mp4"}
    house = HlsHouse(tmp_path, HlsSpec("fmp4", segment_s=2.0, window=4), place=stand, try_s=0.02)
    await hear(house, 5)
    await until(lambda: "h0.mp4" in stand.tried)
    (tmp_path / "live" / "h0.mp4").unlink()
    stand.stuck.clear()
    house.end()
    await house.live.finish(20)
    assert [segment.gap for segment in shown(stand).segments] == [True] * 3
    assert not [name for name in stand.stored if name.endswith(".m4s")]


async def test_after_a_long_failure_playlists_are_written_once_and_not_for_each_segment(
    tmp_path: Path,
) -> None:
    stand = Checked()
    stand.refuses = "it answered 503"
    house = HlsHouse(tmp_path, WHOLE, place=stand)
    await hear(house, 30)
    stand.refuses = ""
    await until(lambda: "media.m3u8" in stand.stored and shown(stand).last_sequence >= 10)
    house.end()
    await house.live.finish(20)
    segments = [name for name in stand.order if name.endswith(".ts")]
    assert len(segments) >= 14 and stand.order.count("media.m3u8") < len(segments)


async def test_a_playlist_that_is_not_taken_is_tried_again_as_it_is_by_then(tmp_path: Path) -> None:
    stand = Checked()
    stand.stuck = {"media.m3u8"}
    house = HlsHouse(tmp_path, PLAIN, place=stand, try_s=0.02)
    await hear(house, 5)
    await until(lambda: stand.tried.count("media.m3u8") >= 2)
    assert house.live.publisher is not None and house.live.publisher.waiting == 0, "segments go on"
    assert house.live.trouble and stand.named == []
    stand.stuck.clear()
    house.end()
    await house.live.finish(20)
    assert shown(stand).ended


async def test_the_place_is_told_what_its_playlists_name_and_how_long_players_lag(tmp_path: Path) -> None:
    stand = Checked()
    house = HlsHouse(tmp_path, LOW, place=stand)
    await hear(house, 12)
    house.end()
    await house.live.finish(20)
    named, grace_s = stand.named[-1]
    assert {"h0.mp4", "s6.m4s", "c6.vtt"} <= named and "media.m3u8" not in named
    longest = sum(segment.duration for segment in shown(stand).segments)
    assert grace_s == pytest.approx(longest + 4 * 2, abs=2.5)


async def test_timed_metadata_is_in_the_storages_playlist_too(tmp_path: Path) -> None:
    stand = Checked()
    house = HlsHouse(tmp_path, PLAIN, place=stand)
    await hear(house, 3)
    house.shelf.mark("live", "a word", 5.0)
    await hear(house, 4)
    house.end()
    await house.live.finish(20)
    assert b"#EXT-X-DATERANGE" in stand.stored["media.m3u8"]


async def test_a_disk_that_takes_no_playlist_is_said_and_does_not_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = Checked()
    house = HlsHouse(tmp_path, PLAIN, place=stand)

    def full(folder: Path, name: str, text: str) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(hls_publisher, "_write", full)
        await hear(house, 4)
        await until(lambda: "No space" in house.live.trouble)
    house.end()
    await house.live.finish(20)
    assert shown(stand).ended and house.live.trouble == ""


async def test_what_nobody_foresaw_ends_the_publishing_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Stand):
        async def put(self, path: Path) -> None:
            raise RuntimeError("a fault")

    house = HlsHouse(tmp_path, PLAIN, place=Broken())
    await hear(house, 4)
    await until(lambda: "something broke" in house.live.trouble)
    assert "a fault" in caplog.text
    assert (await house.media()).last_sequence >= 0
    house.end()
    await house.live.finish(20)
    assert house.stream.ended


async def test_one_that_ends_before_it_began_is_through_at_once(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, PLAIN, place=Stand())
    assert house.live.publisher is not None
    house.live.publisher.told(Closed("live"))
    async with asyncio.timeout(5):
        await house.live.publisher.finished()
