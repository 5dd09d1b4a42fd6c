"""HLS that goes on, as a participant: joined near its end, followed, and joined again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from bridge.switch_events import LegDown, LegInterruptedOn
from tests.kit.media_site import LivePlaylist, MediaSite, hls_files, media_site, segments_of
from tests.kit.players import LOUD, connected, remote_house
from tests.kit.tones import click_score, level_of, tone

pytestmark = pytest.mark.e2e

TONE_HZ = 700


@pytest.fixture
async def site() -> AsyncIterator[MediaSite]:
    async with media_site() as site:
        yield site


@pytest.mark.parametrize("fmp4", [False, True])
async def test_what_goes_on_is_joined_near_its_end_and_followed(
    site: MediaSite, tmp_path: Path, fmp4: bool
) -> None:
    options = {"hls_segment_type": "fmp4"} if fmp4 else {}
    hls_files(tmp_path / "hls", tone(TONE_HZ, 25.0, 48_000, LOUD), **options)
    site.folder(tmp_path / "hls")
    listed = segments_of((tmp_path / "hls" / "index.m3u8").read_text())
    live = LivePlaylist(listed, window=6, header="index-init.mp4" if fmp4 else "")
    site.pages["/live.m3u8"] = live.page
    async with remote_house() as house:
        leg = await house.player(url=site.url("/live.m3u8"))
        begin = await connected(house, leg)
        first = next(asked for asked in site.asked if asked.startswith("/index") and "init" not in asked)
        assert first == f"/{listed[3][1]}"  # three seconds before the end
        await house.go_in_time(450)
        sound = house.program.since(begin + 10).astype(np.float64)
        assert click_score(sound, 48_000, TONE_HZ) < 0.3
        assert leg.look().figures["underruns"] == 0
        live.stopped = True
        await house.until(lambda: leg.state == "interrupted", 15)
        assert LegInterruptedOn("room", "player", "nothing comes") in house.events
        live.stopped = False
        await house.until(lambda: leg.state == "connected", 15)
        assert not any(isinstance(event, LegDown) for event in house.events)


async def test_a_window_that_has_gone_on_is_joined_again_at_its_end(site: MediaSite, tmp_path: Path) -> None:
    hls_files(tmp_path / "hls", tone(TONE_HZ, 60.0, 48_000, LOUD))
    site.folder(tmp_path / "hls")
    live = LivePlaylist(segments_of((tmp_path / "hls" / "index.m3u8").read_text()), window=4)
    site.pages["/live.m3u8"] = live.page
    async with remote_house() as house:
        leg = await house.player(url=site.url("/live.m3u8"))
        await connected(house, leg)
        live._began -= 30  # half a minute passes for the server, and none for us
        await house.go_in_time(400)
        numbers = [int(asked[6:-3]) for asked in site.asked if asked.startswith("/index")]
        assert max(b - a for a, b in zip(numbers, numbers[1:], strict=False)) > 20
        assert numbers == sorted(set(numbers))
        assert level_of(house.program.since(-50), 48_000, TONE_HZ) == pytest.approx(LOUD, rel=0.05)
