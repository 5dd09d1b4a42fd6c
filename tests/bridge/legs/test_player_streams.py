"""RTMP and HTTP-FLV as participants: live, dropped and back again, and what has an end."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.legs.player_settings import PlayerSettings
from bridge.switch_events import LegDown, LegInterruptedOn, LegResumed
from tests.kit.media_site import MediaSite, Page, flv_file, live_flv, media_site
from tests.kit.players import LOUD, PlayerHouse, coded, connected, ended, remote_house
from tests.kit.rtmp_server import rtmp_server
from tests.kit.rtmp_speaker import speaking
from tests.kit.tones import level_of, tone

pytestmark = pytest.mark.e2e

TONE_HZ = 700


@pytest.fixture
async def site() -> AsyncIterator[MediaSite]:
    async with media_site() as site:
        yield site


def mostly_at(sound: NDArray[np.int16], level: float) -> bool:
    """The tone is there; where this machine was busy, a piece of it may be made up."""
    pieces = [sound[at : at + 9_600] for at in range(0, len(sound) - 9_599, 9_600)]
    good = [level_of(piece, 48_000, TONE_HZ) == pytest.approx(level, rel=0.03) for piece in pieces]
    return sum(good) >= 0.8 * len(good)


async def until_heard(house: PlayerHouse, frequency_hz: int) -> None:
    """For most of a second without a break; on a busy machine, some of which is made up, it may take long."""

    def heard() -> bool:
        sound = house.program.since(-40)
        return level_of(sound, 48_000, frequency_hz) == pytest.approx(LOUD, rel=0.1)

    await house.until(heard, 60)


async def test_live_flv_is_heard_as_it_comes_whatever_came_at_once_in_the_beginning(
    site: MediaSite, tmp_path: Path
) -> None:
    flv = flv_file(tmp_path / "a.flv", tone(TONE_HZ, 20.0, 48_000, LOUD))
    site.pages["/live.flv"] = Page(pieces=live_flv(flv, burst_ms=3_000))
    async with remote_house() as house:
        leg = await house.player(url=site.url("/live.flv"))
        begin = await connected(house, leg)
        await house.go_in_time(300)
        assert mostly_at(house.program.since(begin + 100), LOUD)
        # What came at once is not made up for by a delay that stays.
        assert leg.look().figures["ahead_ms"] < 1_000


async def test_live_flv_that_drops_comes_back(site: MediaSite, tmp_path: Path) -> None:
    flv = flv_file(tmp_path / "a.flv", tone(TONE_HZ, 30.0, 48_000, LOUD))
    site.pages["/live.flv"] = Page(pieces=live_flv(flv))
    async with remote_house() as house:
        leg = await house.player(url=site.url("/live.flv"))
        await connected(house, leg)
        await house.go_in_time(50)
        page, site.pages["/live.flv"] = site.pages["/live.flv"], Page(status=503)
        site.drop()
        await house.until(lambda: leg.state == "interrupted")
        assert any(isinstance(event, LegInterruptedOn) for event in house.events)
        await house.go_in_time(60)
        assert np.abs(house.program.since(-10)).max() < 20
        site.pages["/live.flv"] = page
        await house.until(lambda: leg.state == "connected")
        assert LegResumed("room", "player") in house.events
        await until_heard(house, TONE_HZ)
        assert leg.look().figures["opened"] >= 3


@pytest.mark.parametrize("name", ["a.flv", "a.mp3"])
async def test_what_says_how_long_it_is_has_an_end_and_waits_for_us(
    site: MediaSite, tmp_path: Path, name: str
) -> None:
    sound = tone(TONE_HZ, 8.0, 48_000, LOUD)
    flv = flv_file(tmp_path / "a.flv", sound) if name == "a.flv" else coded(sound, "mp3", "libmp3lame")
    site.pages["/" + name] = Page(flv)
    async with remote_house() as house:
        leg = await house.player(url=site.url("/" + name), paused=True)
        begin = await connected(house, leg)
        await house.go_in_time(30)
        assert not house.program.sound.any()
        await house.change(url=site.url("/" + name))
        assert await ended(house, leg) == "played to its end"
        sounding = np.flatnonzero(np.abs(house.program.since(begin)) > 300)
        assert (sounding[-1] - sounding[0]) / 48_000 == pytest.approx(8.0, abs=0.1)
        assert site.asked == ["/" + name]


async def test_a_stream_that_is_no_media_is_given_up(site: MediaSite) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"<html>" * 1000

    site.pages["/page.html"] = Page(pieces=pieces)
    async with remote_house(settings=PlayerSettings(least_pause_s=0.05)) as house:
        await house.player(url=site.url("/page.html"))
        assert "no kind of media" in await ended(house)


async def test_rtmp_is_heard_soon_and_again_when_it_was_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with rtmp_server(tmp_path / "nginx") as server:
        url = server.url("secret-key-of-a-stream?token=hush")
        async with remote_house() as house:
            with speaking(server.url("secret-key-of-a-stream"), TONE_HZ):
                leg = await house.player(url=url)
                begin = await connected(house, leg)
                await house.go_in_time(200)
                assert mostly_at(house.program.since(begin + 100), LOUD)
                assert leg.look().figures["ahead_ms"] < 1_000
                server.stop()
                await house.until(lambda: leg.state == "interrupted")
                server.start_again()
            with speaking(server.url("secret-key-of-a-stream"), 900):
                await house.until(lambda: leg.state == "connected", 30)
                await until_heard(house, 900)
            # It falls silent without ending: its publisher is gone, the server is there.
            await house.until(lambda: leg.state == "interrupted", 30)
            assert not any(isinstance(event, LegDown) for event in house.events)
    assert "secret-key" not in caplog.text and "hush" not in caplog.text


async def test_an_rtmp_server_that_hangs_is_noticed(tmp_path: Path) -> None:
    with rtmp_server(tmp_path / "nginx") as server, speaking(server.url("key"), TONE_HZ):
        async with remote_house() as house:
            leg = await house.player(url=server.url("key"))
            await connected(house, leg)
            server.freeze()
            await house.until(lambda: leg.state == "interrupted")
            assert house.events[-1] == LegInterruptedOn("room", "player", "nothing comes")
            server.thaw()
            await house.until(lambda: leg.state == "connected", 20)


async def test_decoders_that_are_killed_are_replaced(site: MediaSite, tmp_path: Path) -> None:
    flv = flv_file(tmp_path / "a.flv", tone(TONE_HZ, 30.0, 48_000, LOUD))
    site.pages["/live.flv"] = Page(pieces=live_flv(flv))
    async with remote_house() as house:
        leg = await house.player(url=site.url("/live.flv"))
        await connected(house, leg)
        process = leg._demuxer._process
        assert process is not None
        process.kill()
        await house.until(lambda: leg.state == "interrupted")
        await house.until(lambda: leg.state == "connected")
        assert leg.look().figures["decoders_lost"] == 1
        assert leg._demuxer._process is not process
