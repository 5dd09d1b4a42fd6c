"""Real files of recordings for the page's tests and pictures, and an HLS stream made of one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bridge.outputs.follow_wire import FollowPlan, PicturePlan, ProgramForm, SoundForm
from bridge.outputs.record import FRAME_SAMPLES, RATE_HZ, Joined, Left, Lost, Record, Talked
from bridge.outputs.recording_files import make_files
from tests.kit.logged import MemoryLog, sound
from tests.kit.shelves import MemoryShelf
from tests.kit.tones import speech_like

BEGAN_MS = 1_790_000_000_000
PAUSE_MS = 754_000
TICKS_PER_S = 50
FIRST_S, SECOND_S = 8, 6
HOLE_S = (3.0, 4.2)
"""In the first stretch."""


def spoken(seconds: float, seed: int) -> np.ndarray:
    """Something like speech, int16 of whole ticks."""
    said = speech_like(seconds, RATE_HZ, seed).astype(np.int16)
    return said[: len(said) // FRAME_SAMPLES * FRAME_SAMPLES]


def make_recording(
    folder: Path,
    people: Sequence[tuple[str, str]] = (("ann", "Ann"), ("bob", "Bob")),
    program: Sequence[ProgramForm] = ("mp4",),
    participants: Sequence[SoundForm] = (),
    *,
    resumed: bool = True,
) -> Path:
    """Two stretches with a pause between, and a hole in the first; the second of `people` comes late."""
    first: list[Record] = []
    second: list[Record] = []
    hole = (round(HOLE_S[0] * TICKS_PER_S), round(HOLE_S[1] * TICKS_PER_S))
    for number, (person, name) in enumerate(people):
        since = 2 * number * TICKS_PER_S
        first += [Joined(since, person, name), Talked(since + 5, person, True)]
        second.append(Joined(0, person, name))
        if since < hole[0]:
            first += sound(person, since, spoken((hole[0] - since) / TICKS_PER_S, number))
    first += sound("program", 0, spoken(HOLE_S[0], 7)) + [Lost(hole[0], hole[1], "the disk was full")]
    first += sound("program", hole[1], spoken(FIRST_S - HOLE_S[1], 8))
    if len(people) > 1:
        second.append(Left(3 * TICKS_PER_S, people[1][0]))
    second += sound("program", 0, spoken(SECOND_S, 9)) + sound(people[0][0], 0, spoken(SECOND_S, 10))
    log = MemoryLog().stretch(BEGAN_MS, FIRST_S * TICKS_PER_S, first)
    if resumed:
        log.stretch(BEGAN_MS + 1000 * FIRST_S + PAUSE_MS, SECOND_S * TICKS_PER_S, second)
    folder.mkdir(exist_ok=True)
    plan = FollowPlan(
        str(folder),
        tuple(program),
        tuple(participants),
        picture=PicturePlan(320, 180, 5),
        title="Weekly call",
    )
    make_files(plan, log)
    return folder


def put_on(
    shelf: MemoryShelf, recording_id: str, folder: Path, states: Mapping[str, str] | None = None, **more: Any
) -> None:
    """All files below `folder`; `states`: how their uploads go, by name, or by the end of it."""
    shelf.stock.pop(recording_id, None)
    files = folder / "files"
    media_types = {
        one["name"]: one["media_type"] for one in json.loads((folder / "manifest.json").read_text())["files"]
    }
    for path in sorted(one for one in files.rglob("*") if one.is_file()):
        name = path.relative_to(files).as_posix()
        state = next((said for end, said in (states or {}).items() if name.endswith(end)), "")
        shelf.put(recording_id, path, media_types[f"files/{name}"], name=name, state=state, **more)
    shelf.manifests[recording_id] = (folder / "manifest.json").read_bytes()


@dataclass(frozen=True, slots=True)
class Given:
    """What `bridge.web.hls` wants of an answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Cache-Control": "no-store"})


@dataclass
class StagedHls:
    """In place of the shelf of live streams: folders by stream id; a token stands in the path."""

    folders: dict[str, Path] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def answer(
        self, stream_id: str, path: str, query: Mapping[str, str], *, gzip_accepted: bool = False
    ) -> Given:
        self.asked.append(path)
        folder, token = self.folders.get(stream_id), self.tokens.get(stream_id)
        if folder is None:
            return Given(404)
        if token is not None:
            shown, _, path = path.partition("/")
            if shown != token:
                return Given(403)
        file = folder / path
        return Given(200, file.read_bytes()) if file.is_file() else Given(404)
