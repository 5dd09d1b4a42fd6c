"""What is played may be meant to do harm: it costs a child at most, and ends the player that plays it."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from bridge.core.ports import PlayerSource
from bridge.legs.player_leg import PLAYED
from bridge.legs.player_settings import PlayerSettings
from bridge.outputs.children import Child
from bridge.player_parts import DEMUXER_LIMITS, begin_demuxing
from bridge.switch_events import LegDown
from tests.kit.media_site import flv_file, hls_files
from tests.kit.players import LOUD, PlayerHouse, coded, ended, player_house
from tests.kit.tones import tone

pytestmark = pytest.mark.wire


async def test_a_demuxers_child_can_open_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[3])  # where the job is
    told: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    child = Child(
        "tests.kit.child_jobs:shut_in",
        {},
        on_message=told.set_result,
        on_exit=lambda code: None,
        limits=DEMUXER_LIMITS,
    )
    os.environ["A_SECRET_OF_THE_SERVER"] = "hush"
    try:
        await child.start()
    finally:
        del os.environ["A_SECRET_OF_THE_SERVER"]
    async with asyncio.timeout(10):
        found = msgspec.msgpack.decode(await told)
    await child.stop(1.0)
    assert found.pop("environment").split() == ["LANG", "PATH", "PYTHONPATH"]
    assert not [name for name, what in found.items() if what.startswith("done")], found
    for name in ("file", "socket", "pair", "program", "written"):
        assert "Too many open files" in found[name], found


class Endless:
    """A supply that never ends: a beginning, and then the same again and again."""

    paced = True
    size = None

    def __init__(self, beginning: bytes, again: bytes, ends: bool = True) -> None:
        self._beginning = beginning
        self._again = again * (1 + 65_536 // len(again))
        self.ends = ends
        self.given = 0
        self._begun = False

    async def next_run(self) -> bool:
        begun, self._begun = self._begun, True
        return not begun

    async def read(self, at: int, count: int) -> bytes:
        given = self._beginning[:count]
        self._beginning = self._beginning[count:]
        given = given or self._again[:count]
        self.given += len(given)
        return given


@asynccontextmanager
async def endless_house(supply: Endless) -> AsyncIterator[PlayerHouse]:
    @asynccontextmanager
    async def opened(source: PlayerSource) -> AsyncIterator[Endless]:
        yield supply

    settings = PlayerSettings(spare_cpu_s=3.0)
    async with player_house(begin=begin_demuxing, open_supply=opened, settings=settings) as house:
        yield house


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


ENDLESS = {
    "boxes": (box(b"ftyp", b"isom" + bytes(4)), box(b"free", bytes(1000))),
    "small boxes": (box(b"ftyp", b"isom" + bytes(4)), box(b"free", b"")),
    "nested boxes": (box(b"ftyp", b"isom" + bytes(4)), b"\x7f\xff\xff\xffmoov" + b"\x7f\xff\xff\xfftrak"),
    "a tag": (b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f", b"\x00"),
    "tags": (b"", b"ID3\x04\x00\x00\x00\x00\x00\x10" + bytes(16)),
    "no frames of mp3": (b"\xff\xfb\x90\x64", bytes(64)),
    "ogg pages of nothing": (b"", b"OggS\x00\x02" + bytes(20) + b"\x01\x00"),
    "flv of pictures": (b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00", b"\x09\x00\x00\x00" + bytes(11)),
    "flv of data": (b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00", b"\x12\x00\x00\x00" + bytes(11)),
    "empty packets of a stream": (b"", b"G\x1f\xff\x10" + b"\xff" * 184),
    "flac blocks": (b"fLaC\x00\x00\x00\x22" + bytes(34), b"\x01\x00\x00\x04abcd"),
    "chunks": (b"RIFF\xff\xff\xff\xffWAVE", b"junk\x04\x00\x00\x00abcd"),
}


@pytest.mark.parametrize("name", ENDLESS)
async def test_headers_without_end_are_given_up(name: str) -> None:
    supply = Endless(*ENDLESS[name])
    async with endless_house(supply) as house:
        began = time.monotonic()
        await house.player(file="x")
        cause = await ended(house, within_s=30)
        assert cause != PLAYED
        assert supply.given <= 64 << 20
        assert time.monotonic() - began < 20


def originals(folder: Path) -> dict[str, bytes]:
    sound = tone(440, 0.5, 48_000, LOUD)
    files = {
        "a.wav": coded(sound, "wav", "pcm_s16le"),
        "b.mp3": coded(sound, "mp3", "libmp3lame"),
        "c.m4a": coded(sound, "mp4", "aac"),
        "d.ogg": coded(sound, "ogg", "libopus"),
        "e.flac": coded(sound, "flac", "flac"),
        "f.flv": flv_file(folder / "f.flv", sound),
        "g.ts": coded(sound, "mpegts", "aac"),
        "h.aac": coded(sound, "adts", "aac"),
    }
    hls_files(folder / "hls", sound, hls_segment_type="fmp4")
    parts = [(folder / "hls" / name).read_bytes() for name in ("index-init.mp4", "index0.m4s")]
    return {**files, "i.mp4": b"".join(parts)}


@pytest.mark.parametrize("seed", range(2))
async def test_broken_files_of_every_kind_end_and_the_server_goes_on(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    ends = []
    for name, whole in originals(tmp_path).items():
        for number in range(2):
            broken = bytearray(whole)
            for _ in range(chance.choice((1, 20, len(whole) // 20))):
                before = chance.choice((100, len(broken)))  # where most of what is told of it stands
                broken[chance.randrange(min(len(broken), before))] = chance.randrange(256)
            if chance.random() < 0.3:
                del broken[chance.randrange(len(broken)) :]
            (tmp_path / f"{number}-{name}").write_bytes(broken)
            ends.append(f"{number}-{name}")
    settings = PlayerSettings(spare_cpu_s=3.0)
    async with player_house(begin=begin_demuxing, directories=(tmp_path,), settings=settings) as house:
        for at in range(0, len(ends), 6):
            some = ends[at : at + 6]
            for name in some:
                await house.player(name, file=name)
            await house.until(lambda: len(downs(house)) == len(ends[: at + 6]), 40)  # noqa: B023
        assert {event.participant_id for event in downs(house)} == set(ends)
        assert not [event.cause for event in downs(house) if event.cause == "internal error"]
        # Not all harm is fatal.
        assert sum(event.cause == PLAYED for event in downs(house)) > 0


def cpu_of(process: Child) -> float:
    """Seconds of processor time it has used."""
    used = Path(f"/proc/{process.pid}/stat").read_text().split()
    return (int(used[13]) + int(used[14])) / os.sysconf("SC_CLK_TCK")


def downs(house: PlayerHouse) -> list[LegDown]:
    return [event for event in house.events if isinstance(event, LegDown)]


async def test_much_sound_in_few_bytes_is_decoded_as_it_is_played(tmp_path: Path) -> None:
    """Five minutes of silence in a few kilobytes."""
    (tmp_path / "bomb.flac").write_bytes(coded(np.zeros(300 * 48_000, np.int16), "flac", "flac"))
    assert (tmp_path / "bomb.flac").stat().st_size < 300_000
    async with player_house(begin=begin_demuxing, directories=(tmp_path,)) as house:
        leg = await house.player(file="bomb.flac")
        await house.until(lambda: leg.state == "connected")
        await house.go_in_time(20)
        process = leg._demuxer._process
        assert isinstance(process, Child)
        assert cpu_of(process) < 1.5
        assert leg.look().figures["heard_ms"] <= 3_000


async def test_memory_that_a_child_takes_is_bounded(tmp_path: Path) -> None:
    """A sample table with a billion entries, in a file that says it is as large."""
    table = (0).to_bytes(4) + (0).to_bytes(4) + (1 << 28).to_bytes(4)
    sizes = (12 + len(table) + (1 << 30)).to_bytes(4) + b"stsz" + table
    moov = b"\x7f\x00\x00\x00moov" + b"\x7e\x00\x00\x00trak" + b"\x7d\x00\x00\x00mdia"
    moov += b"\x7c\x00\x00\x00minf" + b"\x7b\x00\x00\x00stbl" + sizes
    supply = Endless(box(b"ftyp", b"isom" + bytes(4)) + moov, b"\x00\x00\x00\x01")
    async with endless_house(supply) as house:
        leg = await house.player(file="x")
        most = 0

        def over() -> bool:
            nonlocal most
            process = leg._demuxer._process
            if isinstance(process, Child) and process.pid is not None and process.alive:
                status = Path(f"/proc/{process.pid}/status").read_text()
                most = max([most, *(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)])
            return bool(downs(house))

        await house.until(over, 30)
        assert downs(house)[0].cause != PLAYED
        assert 0 < most < 1 << 20  # KiB


async def test_a_child_that_is_killed_ends_what_has_an_end(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(coded(tone(440, 60.0, 48_000, LOUD), "wav", "pcm_s16le"))
    async with player_house(begin=begin_demuxing, directories=(tmp_path,)) as house:
        leg = await house.player(file="a.wav")
        await house.until(lambda: leg.state == "connected")
        process = leg._demuxer._process
        assert process is not None
        process.kill()
        assert await ended(house) == "it was too much for the decoder"
