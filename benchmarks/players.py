"""Players: CPU time per player and second of sound, in the server and in the decoder, and its memory.

    python benchmarks/players.py [--json FILE] [--quick]

In real time, on a real mixer; what the mixer takes with the same room and nobody playing is taken off the
server's share. Needs nginx with its RTMP module for the live stream, which has a picture beside its sound.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from measure import Row, options, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bridge.outputs.children import Child  # noqa: E402
from bridge.player_parts import GatedRemote, begin_demuxing  # noqa: E402
from bridge.runtime.http_out import HttpOut  # noqa: E402
from bridge.runtime.rtmp_play import RtmpPlayer  # noqa: E402
from bridge.runtime.tls_out import client_context  # noqa: E402
from tests.kit.media_site import flv_file, hls_files  # noqa: E402 - rooms with players are there
from tests.kit.players import PlayerHouse, coded, local_gate, player_house  # noqa: E402
from tests.kit.rtmp_server import rtmp_server  # noqa: E402
from tests.kit.tones import tone  # noqa: E402

PLAYERS = 8
UNIT = "ms/s"


def cpu_of(pid: int) -> float:
    used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> float:
    """MB that are its own."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


async def spent(house: PlayerHouse, seconds: float) -> float:
    """CPU seconds of this process for so many seconds of the room."""
    before = time.process_time()
    await house.go_in_time(round(seconds * 50))
    return time.process_time() - before


async def measure(what: str, seconds: float, directory: Path, source: dict[str, object]) -> Row:
    gate = local_gate()
    http = HttpOut(gate)
    remote = GatedRemote(http, RtmpPlayer(gate, client_context()))
    async with player_house(begin=begin_demuxing, remote=remote, directories=(directory,)) as house:
        await house.go_in_time(20)
        alone = await spent(house, seconds)
        legs = [await house.player(f"player {n}", **source) for n in range(PLAYERS)]
        await house.until(lambda: all(leg.state == "connected" for leg in legs), 20)
        await house.go_in_time(150)
        pids = [process.pid for leg in legs if isinstance(process := leg._demuxer._process, Child)]
        children = [cpu_of(pid) for pid in pids if pid]
        server = await spent(house, seconds) - alone
        decoders = sum(cpu_of(pid) for pid in pids if pid) - sum(children)
        memory = float(np.median([memory_of(pid) for pid in pids if pid]))
    await http.close()
    return {
        "source": what,
        f"server {UNIT}": server / PLAYERS / seconds * 1000,
        f"decoder {UNIT}": decoders / PLAYERS / seconds * 1000,
        "decoder's own MB": memory,
    }


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A web server in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1", "--protocol", "HTTP/1.1"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        yield f"http://127.0.0.1:{line.split(' port ')[1].split()[0]}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def publishing(file: Path, url: str) -> Iterator[None]:
    """FFmpeg, publishing a file again and again at its own pace."""
    command = ["ffmpeg", "-v", "error", "-re", "-stream_loop", "-1", "-i", str(file)]
    process = subprocess.Popen([*command, "-c", "copy", "-f", "flv", url], stdin=subprocess.DEVNULL)
    try:
        time.sleep(2)
        yield
    finally:
        process.kill()
        process.wait()


async def run(quick: bool) -> list[Row]:
    seconds = 2.0 if quick else 10.0
    rows = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        sound = tone(440, 40.0, 48_000, 8_000)
        sound += np.random.default_rng(1).normal(0, 500, len(sound)).astype(np.float32)
        (folder / "a.flac").write_bytes(coded(sound, "flac", "flac"))
        (folder / "a.mp3").write_bytes(coded(sound[: 44_100 * 40], "mp3", "libmp3lame", 44_100))
        flv_file(folder / "picture.flv", sound)
        hls_files(folder / "hls", sound, segment_s=4.0, hls_segment_type="fmp4")
        files = {
            "FLAC file": "a.flac",
            "MP3 file, 44.1 kHz": "a.mp3",
            "FLV file with a picture": "picture.flv",
        }
        for name, file in files.items():
            rows.append(await measure(name, seconds, folder, {"file": file, "loop": True}))
        with serving(folder / "hls") as base:
            source: dict[str, object] = {"url": f"{base}/index.m3u8", "loop": True}
            rows.append(await measure("HLS in fMP4", seconds, folder, source))
        with rtmp_server(folder / "nginx") as server, publishing(folder / "picture.flv", server.url("key")):
            rows.append(await measure("RTMP with a picture", seconds, folder, {"url": server.url("key")}))
    return rows


if __name__ == "__main__":
    chosen = options(__doc__, "two seconds of each")
    report(f"CPU of {PLAYERS} players, per player", asyncio.run(run(chosen.quick)), chosen.json)
