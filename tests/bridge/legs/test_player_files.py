"""Files of every kind as participants: decoded by a real child, heard in the program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge.player_parts import begin_demuxing
from tests.kit.players import LOUD, coded, connected, player_house
from tests.kit.tones import find_tones, level_of, tone

pytestmark = pytest.mark.wire


@pytest.mark.parametrize(
    ("name", "container", "codec", "rate_hz"),
    [
        ("a.wav", "wav", "pcm_s16le", 44_100),
        ("b.mp3", "mp3", "libmp3lame", 44_100),
        ("c.m4a", "mp4", "aac", 48_000),
        ("d.ogg", "ogg", "flac", 44_100),
        ("e.flac", "flac", "flac", 48_000),
        ("f.opus", "ogg", "libopus", 48_000),
        ("g.flv", "flv", "aac", 44_100),
        ("h.ts", "mpegts", "aac", 48_000),
        ("i.aac", "adts", "aac", 48_000),
    ],
)
async def test_a_file_is_heard(tmp_path: Path, name: str, container: str, codec: str, rate_hz: int) -> None:
    (tmp_path / name).write_bytes(coded(tone(440, 2.0, rate_hz, LOUD), container, codec, rate_hz))
    async with player_house(begin=begin_demuxing, directories=(tmp_path,)) as house:
        leg = await house.player(file=name)
        begin = await connected(house, leg)
        await house.go_fast(60, leg)
        heard = house.program.since(begin + 10)
        assert list(find_tones(heard, 48_000))[0] == pytest.approx(440, abs=2)
        assert level_of(heard, 48_000, 440) == pytest.approx(LOUD, rel=0.06)  # MP3's encoder takes 5 % off
        assert len(np.unique(heard)) > 100
