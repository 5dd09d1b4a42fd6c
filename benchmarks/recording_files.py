"""Files of a recording: CPU seconds for an hour of conference, by format, from the log to the manifest.

    python benchmarks/recording_files.py [--json FILE] [--quick]

Participants speak in turns of some seconds. `muted`: who does not speak sends silence, as a muted browser
does; `noisy`: everybody's room is heard all the time. Figures are scaled from five minutes to an hour.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from measure import Row, options, report
from numpy.typing import NDArray

from bridge.outputs.follow_wire import FollowPlan
from bridge.outputs.record import FRAME_SAMPLES, RATE_HZ, Begun, Ended, Joined, Record, Sound, Talked
from bridge.outputs.record_log import frame, opening, pack
from bridge.outputs.record_reader import RecordReader, log_path
from bridge.outputs.recording_files import make_files

CHUNK_TICKS = 5
TURN_S = 4.0
UNIT = "CPU s/h"


def voice(samples: int, seed: int) -> NDArray[np.float32]:
    """Something like vowels: a gliding pitch with formants, swelling and ebbing, at int16 scale."""
    at = np.arange(samples) / RATE_HZ
    pitch = 110 + 15 * seed + 30 * np.sin(2 * np.pi * 1.3 * at)
    turn = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    sound = np.zeros(samples)
    for harmonic in range(1, 20):
        formants = sum(np.exp(-(((harmonic * pitch - middle) / 200) ** 2)) for middle in (500, 1_500, 2_500))
        sound += (formants + 0.05) / harmonic**0.5 * np.sin(harmonic * turn)
    sound += 0.03 * np.random.default_rng(seed).standard_normal(samples)
    return np.asarray(2_500 * sound * np.abs(np.sin(2 * np.pi * 2.1 * at)), np.float32)


def conference(directory: Path, participants: int, minutes: float, noisy: bool) -> None:
    """The log of a conference in which one after the other speaks."""
    ticks = round(minutes * 3_000)
    turn = round(TURN_S * 50)
    voices = [voice(turn * FRAME_SAMPLES, seed) for seed in range(participants)]
    noise = np.random.default_rng(99).normal(0, 12, turn * FRAME_SAMPLES).astype(np.float32)
    path = log_path(directory, 0)
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.write(opening(b"conferen"))
        sequence = 0
        for start in range(0, ticks, turn):
            speaker = start // turn % participants
            tracks = {f"p{n}": noise for n in range(participants)} if noisy else {}
            tracks[f"p{speaker}"] = voices[speaker]
            tracks["program"] = np.sum(list(tracks.values()), axis=0)
            pcm = {track: np.rint(sound).astype("<i2") for track, sound in tracks.items()}
            for tick in range(start, min(start + turn, ticks), CHUNK_TICKS):
                records: list[Record] = []
                if tick == 0:
                    records.append(Begun("bench", "room", 0, 1_700_000_000_000))
                    records += [Joined(0, f"p{n}", f"Participant {n}") for n in range(participants)]
                if tick == start:
                    before = (speaker - 1) % participants
                    records += [Talked(tick, f"p{before}", False), Talked(tick, f"p{speaker}", True)]
                at = slice((tick - start) * FRAME_SAMPLES, (tick - start + CHUNK_TICKS) * FRAME_SAMPLES)
                records += [Sound(track, tick, sound[at].tobytes()) for track, sound in pcm.items()]
                sequence += 1
                file.write(frame(sequence, tick, tick + CHUNK_TICKS, pack(records)))
        file.write(frame(sequence + 1, ticks, ticks, pack([Ended(ticks, "stopped")])))


def plans(directory: Path) -> Iterator[tuple[str, FollowPlan]]:
    at = str(directory)
    yield "nothing but the log", FollowPlan(at, (), stills=False)
    yield "JPEG and WebP", FollowPlan(at, ())
    yield "program MP4 with picture", FollowPlan(at, ("mp4",), stills=False)
    yield "program MP4, sound only", FollowPlan(at, ("mp4",), picture=None, stills=False)
    yield "program HLS with picture", FollowPlan(at, ("hls-ts",), stills=False)
    yield "program MP4 and both HLS", FollowPlan(at, ("mp4", "hls-ts", "hls-fmp4"), stills=False)
    for form in ("wav", "flac", "m4a", "ogg", "mp3"):
        yield f"program and all participants, {form}", FollowPlan(at, (form,), (form,), stills=False)  # type: ignore[arg-type]
    yield "stereo WAV", FollowPlan(at, (), (), ("wav",), stills=False)


def main() -> None:
    arguments = options(__doc__, "half a minute of conference")
    participants, minutes = 5, 0.5 if arguments.quick else 5.0
    rows: list[Row] = []
    for noisy in (False, True):
        with tempfile.TemporaryDirectory() as made:
            directory = Path(made)
            conference(directory, participants, minutes, noisy)
            for what, plan in plans(directory):
                began, wall = time.process_time(), time.perf_counter()
                make_files(plan, RecordReader(directory))
                spent, took = time.process_time() - began, time.perf_counter() - wall
                size = sum(file.stat().st_size for file in (directory / "files").rglob("*") if file.is_file())
                rows.append(
                    {
                        "load": f"{participants} participants, {'noisy' if noisy else 'muted'}",
                        "files": what,
                        UNIT: spent * 60 / minutes,
                        "times real time": minutes * 60 / took,
                        "MB/h": size / 1e6 * 60 / minutes,
                    }
                )
                shutil.rmtree(directory / "files")
    report("Files of a recording", rows, arguments.json)


if __name__ == "__main__":
    main()
