from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest

from bridge.outputs import hls_shelf
from bridge.outputs.date_range import DateRange
from bridge.outputs.live_wire import Caption, CaptionSpec, HlsSpec, PartMade, PictureSpec
from tests.kit.hls_house import HlsHouse, Stand
from tests.kit.hls_reader import ReadPlaylist, attributes_of, faults, read
from tests.kit.live_room import BEGAN_MS

pytestmark = pytest.mark.unit

LOW = HlsSpec("fmp4", segment_s=2.0, part_s=0.5, captions=CaptionSpec(wait_s=0.5))
PLAIN = HlsSpec("ts", segment_s=2.0, window=4)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_players_find_their_way_from_the_master_playlist(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, HlsSpec("fmp4", picture=PictureSpec(160, 90), captions=CaptionSpec()))
    house.hear(8)
    status, text = await house.get("index.m3u8")
    assert status == 200
    variant = attributes_of(text.splitlines()[4].partition(":")[2])
    assert variant["RESOLUTION"] == "160x90" and variant["SUBTITLES"] == "subs"
    assert variant["CODECS"].startswith("avc1.") and variant["CODECS"].endswith(",mp4a.40.2")
    assert text.splitlines()[5] == "media.m3u8"
    playlist = await house.media()
    assert faults(playlist) == []
    for uri in (playlist.segments[0].uri, playlist.segments[0].map_uri):
        assert uri is not None
        answer = await house.shelf.answer("live", uri, {})
        assert answer.status == 200 and answer.body == (tmp_path / "live" / uri).read_bytes()


async def test_before_the_encoder_has_begun_players_are_told_to_come_back(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, PLAIN)
    for name in ("index.m3u8", "media.m3u8"):
        answer = await house.shelf.answer("live", name, {})
        assert answer.status == 404 and answer.headers["Retry-After"] == "1"


async def test_playlists_are_asked_for_again_and_files_never(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, PLAIN)
    house.hear(5)
    playlist = await house.shelf.answer("live", "media.m3u8", {})
    assert playlist.headers["Cache-Control"] == "public, max-age=1"
    assert playlist.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    segment = await house.shelf.answer("live", "s0.ts", {})
    assert segment.headers["Cache-Control"] == "public, max-age=3600, immutable"
    assert segment.headers["Content-Type"] == "video/mp2t"
    missing = await house.shelf.answer("live", "s99.ts", {})
    assert missing.status == 404 and missing.headers["Cache-Control"] == "no-store"
    for answer in (playlist, segment, missing):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_playlists_come_compressed_to_who_can_read_that(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, LOW)
    house.hear(12)
    plain = await house.shelf.answer("live", "media.m3u8", {})
    small = await house.shelf.answer("live", "media.m3u8", {}, gzip_accepted=True)
    assert gzip.decompress(small.body) == plain.body and len(small.body) < len(plain.body) / 2
    assert small.headers["Content-Encoding"] == "gzip" and plain.headers["Vary"] == "Accept-Encoding"


# --- waiting for what comes ---


async def test_a_reload_waits_for_its_part_and_comes_with_it(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, LOW)
    house.hear(4.3)
    playlist = await house.media()
    sequence, part = playlist.last_sequence + 1, len(playlist.open_parts)
    waiting = asyncio.create_task(house.media(_HLS_msn=str(sequence), _HLS_part=str(part)))
    await settle()
    assert not waiting.done() and house.stream.waiting == 1
    house.hear(0.5)
    newer = await waiting
    assert len(newer.open_parts) == part + 1
    assert faults(newer, playlist) == [] and house.stream.waiting == 0


async def test_a_reload_without_a_part_waits_for_the_whole_segment(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, LOW)
    house.hear(4.3)
    waiting = asyncio.create_task(house.media(_HLS_msn="2"))
    await settle()
    house.hear(0.5)
    await settle()
    assert not waiting.done()
    house.hear(1.5)
    assert (await waiting).last_sequence == 2


async def test_a_hinted_part_is_held_until_it_is_there(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, LOW)
    house.hear(4.3)
    hint = (await house.media()).hint
    assert hint is not None
    waiting = [asyncio.create_task(house.shelf.answer("live", hint, {})) for _ in range(3)]
    await settle()
    assert not any(task.done() for task in waiting)
    house.hear(0.5)
    for task in waiting:
        answer = await task
        assert answer.status == 200 and answer.body == (tmp_path / "live" / hint).read_bytes()


async def test_a_part_that_is_not_hinted_at_is_not_there(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, LOW)
    house.hear(4.3)
    for name in ("p9.0.m4s", "p2.9.m4s", "p2.m4s", "s2.m4s"):
        assert (await house.get(name))[0] == 404


async def test_a_player_that_follows_the_parts_sees_each_of_them_once(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, LOW)
    house.hear(3.0)
    seen: list[str] = []
    playlist: ReadPlaylist | None = None

    async def follow() -> None:
        nonlocal playlist
        while True:
            query: dict[str, str] = {}
            if playlist is not None:
                if playlist.ended:
                    return
                sequence = playlist.last_sequence + 1
                query = {"_HLS_msn": str(sequence), "_HLS_part": str(len(playlist.open_parts))}
                query["_HLS_skip"] = "v2"
            newer = await house.media(playlist, **query)
            assert faults(newer, playlist) == []
            uris = newer.part_uris()
            new = uris if not seen else uris[uris.index(seen[-1]) + 1 :]
            assert playlist is None or new or newer.ended, "an answer brings something"
            seen.extend(new)
            playlist = newer

    following = asyncio.create_task(follow())
    await settle()
    for _ in range(300):
        house.hear(0.1)
        await settle()
    house.end()
    async with asyncio.timeout(5):
        await following
    made = [part.file for part in house.studio.of(PartMade)]
    assert seen == made and len(made) > 60


async def test_the_end_of_a_stream_ends_all_waiting(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, LOW)
    house.hear(4.3)
    hint = (await house.media()).hint
    assert hint is not None
    waiting = asyncio.create_task(house.media(_HLS_msn="3", _HLS_part="0"))
    hinted = asyncio.create_task(house.shelf.answer("live", "p2.0.m4s", {}))
    await settle()
    house.end()
    assert (await waiting).ended
    assert (await hinted).status == 200, "what was left was still made"
    assert (await house.get(f"p{3}.0.m4s"))[0] == 404
    assert (await house.media(_HLS_msn="999")).ended


async def test_nobody_waits_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hls_shelf, "MAX_TARGETS", 0.01)
    house = HlsHouse(tmp_path, LOW)
    house.hear(4.3)
    answer = await house.shelf.answer("live", "media.m3u8", {"_HLS_msn": "3"})
    assert answer.status == 503 and answer.headers["Retry-After"] == "1"
    assert (await house.get((await house.media()).hint or ""))[0] == 503
    assert house.stream.waiting == 0


async def test_only_so_many_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hls_shelf, "MAX_WAITING", 10)
    house = HlsHouse(tmp_path, LOW)
    house.hear(4.3)
    waiting = [asyncio.create_task(house.media(_HLS_msn="2")) for _ in range(10)]
    await settle()
    assert (await house.get("media.m3u8", _HLS_msn="2"))[0] == 503
    assert (await house.get("media.m3u8"))[0] == 200, "who does not wait is answered"
    for task in waiting[:5]:
        task.cancel()
    await settle()
    assert house.stream.waiting == 5
    house.hear(2)
    for task in waiting[5:]:
        assert (await task).last_sequence == 2


# --- who may, and what may be asked ---


async def test_a_protected_stream_wants_its_token_everywhere(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, LOW, token="s3cret+&")
    house.hear(5)
    for path in ("index.m3u8", "media.m3u8", "s0.m4s", "p0.0.m4s", "h0.mp4", "c0.vtt", "nothing"):
        assert (await house.get(path))[0] == 403
        assert (await house.get(path, token="wrong"))[0] == 403
        assert (await house.get(f"t/wrong/{path}"))[0] == 403
    assert (await house.get("nothing", token="s3cret+&"))[0] == 404


async def test_a_token_in_the_query_is_carried_by_every_uri(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, LOW, token="s3cret+&")
    house.hear(5)
    status, master = await house.get("index.m3u8", token="s3cret+&")
    assert status == 200
    assert "\nmedia.m3u8?token=s3cret%2B%26\n" in master and "captions.m3u8?token=s3cret%2B%26" in master
    playlist = await house.media(token="s3cret+&")
    uris = [playlist.hint, playlist.segments[0].uri, playlist.segments[0].map_uri, *playlist.part_uris()]
    uris += [*playlist.reports]
    assert len(uris) > 8 and all(uri is not None and uri.endswith("?token=s3cret%2B%26") for uri in uris)
    answer = await house.shelf.answer("live", "media.m3u8", {"token": "s3cret+&"})
    assert answer.headers["Cache-Control"] == "private, no-cache"


async def test_a_token_in_the_path_is_carried_by_relative_uris(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, LOW, token="s3cret-_1")
    house.hear(5)
    status, text = await house.get("t/s3cret-_1/media.m3u8")
    assert status == 200 and "s3cret" not in text
    assert (await house.get(f"t/s3cret-_1/{read(text).segments[0].uri}"))[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "", ".", "..", "../secret", "..%2fsecret", "s0.m4s/", "/etc/passwd", "t//media.m3u8", ".s0.m4s",
        "published/media.m3u8", "s0.m4s\x00", "s0.m4s\n", "S0.M4S", "a" * 5_000,
        "t/" + "a" * 5_000 + "/s0.m4s",
        "media.m3u8/..", "sä.m4s",
    ],
)  # fmt: skip
async def test_only_names_of_the_streams_own_files_are_answered(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("secret")
    house = HlsHouse(tmp_path, LOW)
    house.hear(5)
    status, text = await house.get(path)
    assert status == 404 and "secret" not in text


@pytest.mark.parametrize(
    "query",
    [
        {"_HLS_part": "1"}, {"_HLS_msn": "-1"}, {"_HLS_msn": "1" * 100}, {"_HLS_msn": "nan"},
        {"_HLS_msn": "999999"}, {"_HLS_msn": "2", "_HLS_part": "9999"}, {"_HLS_msn": "5"},
    ],
)  # fmt: skip
async def test_hostile_directives_are_refused_at_once(tmp_path: Path, query: dict[str, str]) -> None:
    house = HlsHouse(tmp_path, LOW)
    house.hear(4.3)
    async with asyncio.timeout(1):
        assert (await house.get("media.m3u8", **query))[0] == 400


async def test_an_unknown_stream_is_not_there_and_a_removed_one_no_more(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, LOW)
    house.hear(4.3)
    assert (await house.shelf.answer("other", "index.m3u8", {})).status == 404
    waiting = asyncio.create_task(house.shelf.answer("live", "media.m3u8", {"_HLS_msn": "2"}))
    await settle()
    house.shelf.remove("live")
    answer = await waiting
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1"), "not that it is over"
    assert (await house.get("index.m3u8"))[0] == 404


async def test_one_that_goes_on_in_the_next_run_is_said_to_be_over_nowhere(tmp_path: Path) -> None:
    stand = Stand()
    house = HlsHouse(tmp_path, LOW, place=stand)
    for _ in range(6):
        house.hear(1)
        await asyncio.sleep(0.01)  # writing is a thread's work
    waiting = asyncio.create_task(house.shelf.answer("live", "media.m3u8", {"_HLS_msn": "3"}))
    await settle()
    house.live.interrupt()
    house.end()
    await house.live.finish(5)
    assert (await waiting).status == 503
    playlist = read(stand.stored["media.m3u8"].decode())
    assert not playlist.ended and len(playlist.segments) >= 2


async def test_a_crowd_reads_a_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = HlsHouse(tmp_path, PLAIN)
    house.hear(5)
    reads: list[Path] = []
    original = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: reads.append(path) or original(path))
    answers = await asyncio.gather(*(house.shelf.answer("live", "s0.ts", {}) for _ in range(50)))
    assert len(reads) == 1
    assert len({id(answer.body) for answer in answers}) == 1, "and shares its bytes"


async def test_files_in_memory_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = HlsHouse(tmp_path, HlsSpec("ts", segment_s=2.0, window=20))
    monkeypatch.setattr(house.shelf._files, "_most_bytes", 50_000)
    house.hear(30)
    for number in range(14):
        assert (await house.get(f"s{number}.ts"))[0] == 200
    assert 0 < house.shelf._files.bytes <= 50_000


async def test_what_slid_out_goes_from_the_disk(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, PLAIN)
    for _ in range(30):
        house.hear(2)
        await settle()
    await asyncio.sleep(0.05)  # deleting is a thread's work
    left = {path.name for path in (tmp_path / "live").iterdir()}
    playlist = await house.media()
    assert {segment.uri for segment in playlist.segments} <= left and len(left) <= 10
    assert (await house.get("s0.ts"))[0] == 404


# --- timed metadata and captions ---


async def test_timed_metadata_is_in_the_playlist_at_once(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, LOW)
    early = DateRange("early", BEGAN_MS + 500.0, 1.0, (("X-100MSLIVE-PAYLOAD", "e30="),))
    house.stream.mark(early)
    house.hear(4.3)
    waiting = asyncio.create_task(house.media(_HLS_msn="2", _HLS_part="1"))
    house.stream.mark(DateRange("late", house.now_ms(), 2.0))
    assert [*(await house.media()).date_ranges] == ["early", "late"]
    waiting.cancel()


async def test_captions_keep_in_step_with_the_sound(tmp_path: Path) -> None:
    house = HlsHouse(tmp_path, LOW)
    house.hear(3)
    house.studio.command(Caption(100, 150, "Hello", "Ann"))
    house.hear(20)
    media, (_, text) = await house.media(), await house.get("captions.m3u8")
    captions = read(text)
    assert faults(captions) == []
    assert captions.target == media.target and captions.control == media.control
    dates = {segment.sequence: segment.date_ms for segment in media.segments}
    shared = [segment for segment in captions.segments if segment.sequence in dates]
    assert len(shared) >= 5 and all(dates[s.sequence] == s.date_ms for s in shared)
    assert media.reports["captions.m3u8"]["LAST-MSN"] == str(captions.last_sequence)
    assert int(captions.reports["media.m3u8"]["LAST-MSN"]) >= media.last_sequence
    house.hear(0.1)


# --- how late it is ---


@pytest.mark.parametrize(("spec", "least", "most"), [(LOW, 30, 180), (PLAIN, 30, 180)])
async def test_the_delay_from_mouth_to_playlist_is_measured(
    tmp_path: Path, spec: HlsSpec, least: int, most: int
) -> None:
    house = HlsHouse(tmp_path, spec, late_ms=30.0)
    house.hear(20)
    figures = house.stream.figures()
    # The clock here stands still while it is coded: what is left is the chunk and the encoder's look-ahead.
    assert figures.delay_p50_ms is not None and figures.delay_p99_ms is not None
    assert least <= figures.delay_p50_ms <= figures.delay_p99_ms <= most
    assert figures.segments >= 9 and figures.bytes > 100_000
