"""HLS as a participant: real children, a real web server, and the egress gate before every address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from bridge.egress.gate import EgressGate, EgressSettings
from bridge.legs.hls_media_wire import MediaPlaylist
from bridge.legs.player_hls import HlsSupply
from bridge.legs.player_hls_media import HlsMedia
from bridge.legs.player_settings import PlayerSettings
from tests.kit.media_site import MediaSite, Page, hls_files, media_site
from tests.kit.players import (
    LOUD,
    NoRemote,
    PlayerHouse,
    connected,
    ended,
    heard_through,
    local_gate,
    remote_house,
)
from tests.kit.tones import level_of, tone

pytestmark = pytest.mark.wire

TONE_HZ = 700


@pytest.fixture
async def site() -> AsyncIterator[MediaSite]:
    async with media_site() as site:
        yield site


async def refusal(house: PlayerHouse, site: MediaSite, path: str) -> str:
    await house.player(url=site.url(path))
    return await ended(house)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hls_segment_type": "fmp4"},
        {"hls_flags": "single_file", "hls_segment_filename": ""},
    ],
    ids=["ts", "fmp4", "ranges"],
)
async def test_a_stream_with_an_end_is_heard_from_beginning_to_end_without_a_seam(
    site: MediaSite, tmp_path: Path, options: dict[str, str]
) -> None:
    hls_files(tmp_path / "hls", tone(TONE_HZ, 4.0, 48_000, LOUD), **{k: v for k, v in options.items() if v})
    site.folder(tmp_path / "hls")
    async with remote_house() as house:
        heard = await heard_through(house, site.url("/index.m3u8"), TONE_HZ)
        sounding = np.flatnonzero(np.abs(heard) > 300)
        assert (sounding[-1] - sounding[0]) / 48_000 == pytest.approx(4.0, abs=0.06)
        if "hls_flags" in options:
            assert sum("bytes=" in asked for asked in site.asked) >= 4


async def test_of_several_renditions_the_one_of_sound_alone_is_taken(site: MediaSite, tmp_path: Path) -> None:
    for name, frequency in (("video", 500), ("sound", 700), ("low", 900)):
        hls_files(tmp_path / name, tone(frequency, 3.0, 48_000, LOUD))
        site.folder(tmp_path / name, f"/{name}")
    site.pages["/master.m3u8"] = Page(
        b"#EXTM3U\n"
        b'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",DEFAULT=YES,URI="sound/index.m3u8?token=t,u"\n'
        b'#EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="a"\nvideo/index.m3u8\n'
        b'#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS="avc1.4d401f,mp4a.40.2"\nlow/index.m3u8\n'
    )
    site.redirect("/moved.m3u8", "/master.m3u8")
    async with remote_house() as house:
        leg = await house.player(url=site.url("/moved.m3u8"))
        begin = await connected(house, leg)
        await house.go_fast(50, leg)
        assert level_of(house.program.since(begin + 10), 48_000, 700) == pytest.approx(LOUD, rel=0.05)
        assert not [asked for asked in site.asked if "video" in asked or "low" in asked]


async def test_discontinuities_and_numbers_that_begin_anew_are_followed(
    site: MediaSite, tmp_path: Path
) -> None:
    hls_files(tmp_path / "ts", tone(500, 3.0, 48_000, LOUD))
    hls_files(tmp_path / "mp4", tone(900, 3.0, 48_000, LOUD), hls_segment_type="fmp4")
    site.folder(tmp_path / "ts", "/ts")
    site.folder(tmp_path / "mp4", "/mp4")
    site.pages["/index.m3u8"] = Page(
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
        b"#EXTINF:1,\nts/index0.ts\n#EXTINF:1,\nts/index1.ts\n"
        b'#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="mp4/index-init.mp4"\n#EXTINF:1,\nmp4/index0.m4s\n'
        b"#EXTINF:1,\nmp4/index1.m4s\n#EXT-X-ENDLIST\n"
    )
    async with remote_house() as house:
        leg = await house.player(url=site.url("/index.m3u8"))
        begin = await connected(house, leg)
        assert await ended(house, leg) == "played to its end"
        sound = house.program.since(begin)
        assert level_of(sound[24_000:72_000], 48_000, 500) == pytest.approx(LOUD, rel=0.05)
        assert level_of(sound[120_000:168_000], 48_000, 900) == pytest.approx(LOUD, rel=0.05)


async def test_a_stream_with_an_end_can_be_a_loop_and_paused(site: MediaSite, tmp_path: Path) -> None:
    hls_files(tmp_path / "hls", tone(TONE_HZ, 2.0, 48_000, LOUD))
    site.folder(tmp_path / "hls")
    async with remote_house() as house:
        url = site.url("/index.m3u8")
        leg = await house.player(url=url, loop=True)
        begin = await connected(house, leg)
        await house.go_fast(250, leg)
        heard = house.program.since(begin + 5)
        silent = np.abs(heard.reshape(-1, 960)).max(axis=1) < 300
        assert silent.sum() <= 6  # AAC's own silence at the beginning, twice
        await house.change(url=url, loop=True, paused=True)
        await house.go_in_time(30)
        asked = len(site.asked)
        await house.go_fast(100, leg)
        assert np.abs(house.program.since(-100)).max() == 0
        assert len(site.asked) == asked


@pytest.mark.parametrize(
    ("playlist", "why"),
    [
        (b"#EXTINF:1,\nfile:///etc/passwd\n", "must begin with http:// or https://"),
        (b"#EXTINF:1,\nrtmp://127.0.0.1/live/key\n", "must begin with http:// or https://"),
        (b"#EXTINF:1,\ndata:audio/mpeg;base64,AAAA\n", "must begin with http:// or https://"),
        (b"#EXTINF:1,\nhttp://169.254.169.254/latest/meta-data\n", "169.254.169.254"),
        (b"#EXTINF:1,\nhttp://metadata.google.internal/x.ts\n", "metadata"),
        (b"#EXTINF:1,\nhttp://user:password@127.0.0.1/x.ts\n", "credentials"),
        (b'#EXT-X-MAP:URI="http://169.254.169.254/i"\n#EXTINF:1,\na.ts\n', "169.254.169.254"),
        (b"#EXTINF:1,\nredirected.ts\n", "169.254.169.254"),
        (b"#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://169.254.169.254/p.m3u8\n", "169.254.169.254"),
        (b"#EXT-X-STREAM-INF:BANDWIDTH=1\nevil.m3u8\n", "playlists of their own"),
        (
            b'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"\n#EXTINF:1,\na.ts\n',
            "encrypted by SAMPLE-AES",
        ),
        (b'#EXT-X-KEY:METHOD=AES-128,URI="k",KEYFORMAT="x"\n#EXTINF:1,\na.ts\n', "by means of others"),
        (b'#EXT-X-KEY:METHOD=AES-128,URI="file:///etc/passwd"\n#EXTINF:1,\ntext.ts\n', "must begin with"),
        (b'#EXT-X-KEY:METHOD=AES-128,URI="http://169.254.169.254/k"\n#EXTINF:1,\ntext.ts\n', "169.254"),
        (b'#EXT-X-KEY:METHOD=AES-128,URI="big.ts"\n#EXTINF:1,\ntext.ts\n', "more than 16 bytes"),
        (b'#EXT-X-KEY:METHOD=AES-128,URI="short"\n#EXTINF:1,\ntext.ts\n', "has not 16 bytes"),
        (b'#EXT-X-KEY:METHOD=AES-128,URI="key"\n#EXTINF:1,\ntext.ts\n', "not encrypted by the key"),
        (b"#EXTINF:-1,\na.ts\n", "duration that cannot be"),
        (b"#EXTINF:1,\nbig.ts\n", "more than 2000000 bytes"),
        (b"", "nothing to hear"),
        (b"#EXTINF:1,\ntext.ts\n", "no kind of media"),
        (b"#EXTINF:1,\nwords.m3u8\n", "no kind of media"),
    ],
)
async def test_what_a_playlist_may_not_name_is_not_reached(
    site: MediaSite, playlist: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    site.pages["/evil.m3u8"] = Page(b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n" + playlist + b"#EXT-X-ENDLIST\n")
    site.redirect("/redirected.ts", "http://169.254.169.254/latest?secret=1")
    site.pages["/big.ts"] = Page(bytes(3_000_000))
    site.pages["/short"], site.pages["/key"] = Page(b"secret"), Page(b"secret-secret-16")
    site.pages["/text.ts"] = Page(b"root:x:0:0:root:/root:/bin/sh\n" * 40)
    site.pages["/words.m3u8"] = Page(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    settings = PlayerSettings(first_attempts=1, segment_bytes=2_000_000)
    async with remote_house(settings=settings) as house:
        assert why in await refusal(house, site, "/evil.m3u8")
    assert "secret" not in caplog.text and "password" not in caplog.text
    assert not house.program.sound.any()


async def test_a_playlist_without_end_is_not_read_to_its_end(site: MediaSite) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"#EXTM3U\n"
        while True:
            yield b"#EXTINF:1,\na.ts\n" * 1000
            await asyncio.sleep(0)

    site.pages["/endless.m3u8"] = Page(pieces=pieces)
    async with remote_house(settings=PlayerSettings(first_attempts=1)) as house:
        assert "larger than" in await refusal(house, site, "/endless.m3u8")


async def test_a_name_that_means_another_address_for_a_segment_is_refused(
    site: MediaSite, tmp_path: Path
) -> None:
    hls_files(tmp_path / "hls", tone(TONE_HZ, 2.0, 48_000, LOUD))
    site.folder(tmp_path / "hls")
    playlist = (tmp_path / "hls" / "index.m3u8").read_text()
    moved = playlist.replace("index1.ts", f"http://inner.example:{site.port}/index1.ts")
    site.pages["/index.m3u8"] = Page(moved.encode())
    async with remote_house(local_gate(**{"inner.example": "169.254.169.254"})) as house:
        await house.player(url=site.url("/index.m3u8", "media.example"))
        assert "an address of inner.example is link-local" in await ended(house)
        assert "/index0.ts" in site.asked and "/index1.ts" not in site.asked


async def test_private_addresses_are_not_reached_unless_allowed(site: MediaSite) -> None:
    async def look_up(host: str) -> list[str]:
        return ["127.0.0.1"]

    async with remote_house(EgressGate(EgressSettings(), look_up)) as house:
        await house.player(url=site.url("/index.m3u8", "media.example"))
        assert "an address of media.example is" in await ended(house)
        assert site.asked == []


async def test_a_segment_that_is_missing_for_a_while_is_asked_for_again(
    site: MediaSite, tmp_path: Path
) -> None:
    hls_files(tmp_path / "hls", tone(TONE_HZ, 4.0, 48_000, LOUD))
    site.folder(tmp_path / "hls")
    there = site.pages["/index2.ts"]
    failures = iter([Page(status=500), Page(status=503)])
    assert isinstance(there, Page)
    site.pages["/index2.ts"] = lambda: next(failures, there)
    async with remote_house() as house:
        await heard_through(house, site.url("/index.m3u8"), TONE_HZ)
        assert site.asked.count("/index2.ts") == 3


async def test_what_nobody_thought_of_reaches_whoever_reads() -> None:
    class Broken(HlsMedia):
        async def segments(self) -> AsyncGenerator[tuple[bytes, bool], None]:
            yield b"G", True
            raise RuntimeError("what?")

    playlist = MediaPlaylist(1.0, 0, (), True, 3.0)
    supply = HlsSupply(Broken(NoRemote(), "http://x/y", playlist, PlayerSettings()))
    fetching = asyncio.ensure_future(supply.fetch())
    assert await supply.next_run() and await supply.read(0, 10) == b"G"
    with pytest.raises(RuntimeError, match="what"):
        await supply.read(0, 10)
    await fetching
