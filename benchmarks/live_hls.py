"""Live HLS: CPU by kind and number of outputs, and how long from the mouth to the playlist.

    python benchmarks/live_hls.py [--json FILE] [--quick]

CPU: the encoder's work for a minute of conference, in per cent of one core in real time. Two people speak in
turns, so that the picture changes every few seconds. Delay: a process as in the server, sound in real time.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import numpy as np
from measure import Row, options, report
from numpy.typing import NDArray

from bridge.outputs.hls_shelf import HlsShelf
from bridge.outputs.hls_stream import HlsStream
from bridge.outputs.live_codings import Painter, settings_of
from bridge.outputs.live_encoder import LiveEncoder
from bridge.outputs.live_hls import LiveHls
from bridge.outputs.live_room import LiveRoom
from bridge.outputs.live_wire import AddHls, HlsSpec, Passed, PictureSpec, SoundSpec
from bridge.outputs.picture import PicturePainter
from bridge.outputs.record import FRAME_SAMPLES, PROGRAM, RATE_HZ, Begun, Joined, Record, Sound, Talked

CHUNK_TICKS = 5
CPU = "% of a core"

SPECS = {
    "HLS, sound (TS)": HlsSpec("ts", segment_s=6.0),
    "LL-HLS, sound": HlsSpec("fmp4", segment_s=4.0, part_s=0.3),
    "HLS, 360p, 10 pictures/s (TS)": HlsSpec("ts", picture=PictureSpec(), segment_s=6.0),
    "LL-HLS, 360p, 10 pictures/s": HlsSpec(picture=PictureSpec(), segment_s=4.0, part_s=0.3),
    "LL-HLS, 720p, 25 pictures/s": HlsSpec(
        picture=PictureSpec(1280, 720, 25, 1_500_000), segment_s=4.0, part_s=0.32
    ),
}


def speech(samples: int) -> NDArray[np.int16]:
    """Noise that swells and ebbs as syllables do."""
    random = np.random.default_rng(1)
    noise = np.convolve(random.standard_normal(samples), np.ones(24) / 24, "same")
    swell = np.abs(np.sin(2 * np.pi * 2.1 * np.arange(samples) / RATE_HZ))
    return np.asarray(20_000 * noise * swell, np.int16)


def chunk(tick: int, pcm: NDArray[np.int16], began_ms: int) -> list[Record]:
    """What an encoder is told of the ticks from `tick` on."""
    at = tick * FRAME_SAMPLES % len(pcm)
    records: list[Record] = [Sound(PROGRAM, tick, pcm[at : at + CHUNK_TICKS * FRAME_SAMPLES].tobytes())]
    if tick % 200 == 0:
        talks = ("ann", "bob") if tick % 400 == 0 else ("bob", "ann")
        records[:0] = [Talked(tick, talks[0], True), Talked(tick, talks[1], False)]
    if tick == 0:
        records[:0] = [Begun("b", "room", 0, began_ms), Joined(0, "ann", "Ann"), Joined(0, "bob", "Bob")]
    return records


def cpu(specs: list[HlsSpec], seconds: float, pcm: NDArray[np.int16]) -> tuple[float, float]:
    """Per cent of one core, and MB written an hour."""

    def painter(spec: PictureSpec) -> Painter:
        return PicturePainter(settings_of(spec))

    with tempfile.TemporaryDirectory() as made:
        room = LiveRoom(painter, lambda event: None)
        for number, spec in enumerate(specs):
            folder = Path(made) / str(number)
            folder.mkdir()
            room.command(AddHls(str(number), spec, str(folder)))
        began = time.process_time()
        for tick in range(0, round(seconds * 50), CHUNK_TICKS):
            room.command(Passed(tick, tick + CHUNK_TICKS, chunk(tick, pcm, 0)))
        spent = time.process_time() - began
        size = sum(file.stat().st_size for file in Path(made).rglob("*") if file.is_file())
    return 100 * spent / seconds, size / 1e6 * 3_600 / seconds


def now_ms() -> float:
    return time.time() * 1_000


async def delay(spec: HlsSpec, seconds: float, pcm: NDArray[np.int16]) -> Row:
    """From when a part's (or segment's) last sample sounded until it was in the playlist."""
    with tempfile.TemporaryDirectory() as made:
        encoder = LiveEncoder("room", "Live")
        await encoder.start()
        stream = HlsStream(spec, now_ms)
        encoder.add("out", LiveHls("out", stream, Path(made), HlsShelf()))
        loop = asyncio.get_running_loop()
        began, began_ms = loop.time(), round(now_ms())
        for tick in range(0, round(seconds * 50), CHUNK_TICKS):
            await asyncio.sleep(began + (tick + CHUNK_TICKS) * 0.02 - loop.time())
            encoder.passed(tick, tick + CHUNK_TICKS, chunk(tick, pcm, began_ms))
        figures = stream.figures()
        await encoder.stop()
    # What is in a part or segment has waited for its end, too: its beginning for all of it.
    length_ms = 1_000 * (spec.part_s or spec.segment_s)
    return {
        "p50 ms": figures.delay_p50_ms,
        "p99 ms": figures.delay_p99_ms,
        "its first sample, p50 ms": (figures.delay_p50_ms or 0) + length_ms,
    }


def main() -> None:
    arguments = options(__doc__, "ten seconds of conference")
    seconds = 10.0 if arguments.quick else 60.0
    pcm = speech(60 * RATE_HZ)
    rows: list[Row] = []
    for what, spec in SPECS.items():
        alone = 0.0
        for outputs in (1, 10):
            figure, size = cpu([spec] * outputs, seconds, pcm)
            alone = alone or figure
            rows.append(
                {"outputs": f"{outputs} x {what}", CPU: figure, "times one": figure / alone, "MB/h": size}
            )
    for bitrate in (64_000, 128_000):
        mixed = [HlsSpec("ts", SoundSpec(bitrate=bitrate)) for bitrate in (64_000, bitrate)]
        figure, size = cpu(mixed, seconds, pcm)
        settings = "the same setting" if bitrate == 64_000 else "two settings"
        rows.append({"outputs": f"2 x HLS, sound (TS), {settings}", CPU: figure, "MB/h": size})
    for what in ("HLS, sound (TS)", "LL-HLS, sound", "LL-HLS, 360p, 10 pictures/s"):
        measured = asyncio.run(delay(SPECS[what], 15 if arguments.quick else 45, pcm))
        rows.append({"outputs": f"delay of {what}", **measured})
    report("Live HLS", rows, arguments.json)


if __name__ == "__main__":
    main()
