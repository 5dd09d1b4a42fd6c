"""How the recording and the streamings of a conference look to whoever runs the place."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal
from urllib.parse import urlsplit

from bridge.core.ports import OWN_STORAGE, OutputFile
from bridge.output_desk import OutputDesk
from bridge.output_status import (
    FilesStatus,
    FileStatus,
    OutputsStatus,
    RecordingState,
    RecordingStatus,
    StreamingStatus,
)
from bridge.people import Conference
from bridge.recordings import Recordings, wishes_of
from bridge.streamings import Streaming, Streamings

MAX_FILES = 500
PLAYLIST = "index.m3u8"
"""What a folder with one is played by."""
_CODECS = {"aac": "AAC", "he-aac": "AAC", "mp3": "MP3", "opus": "Opus"}


class OutputLooks:
    """`look` is cheap, `files` reads directories. `storages`: the names of those in the configuration."""

    def __init__(
        self,
        recordings: Recordings,
        streamings: Streamings,
        desk: OutputDesk,
        storages: Sequence[str] = (),
    ) -> None:
        self._recordings = recordings
        self._streamings = streamings
        self._desk = desk
        self._storages = tuple(storages)

    def look(self, conference: Conference) -> OutputsStatus:
        """How they go now."""
        streamings = [self._streaming(one) for one in self._streamings.all_of(conference)]
        return OutputsStatus(self._recording(conference.id), streamings, self._storages)

    async def files(self, conference: Conference) -> FilesStatus:
        """What there is of the conference's recording; nothing when it was never recorded."""
        recording = self._recordings.find(conference.id)
        if recording is None:
            return FilesStatus()
        return shown_files(await asyncio.to_thread(self._recordings.shelf.files, recording.id))

    # --- inside ---

    def _recording(self, conference_id: str) -> RecordingStatus | None:
        kept = self._recordings.find(conference_id)
        if kept is None:
            return None
        look, wishes = self._desk.look(kept.id), wishes_of(kept)
        state: RecordingState = "stopped" if look is None else look.state
        figures = look.figures if look is not None else {}
        return RecordingStatus(
            kept.id,
            state,
            kept.created_at,
            kept.stretches,
            wishes.formats,
            wishes.participants,
            self._place(wishes.storage),
            trouble=look.trouble if look is not None else "",
            changed_at=self._desk.changed_at(kept.id),
            making_trouble=self._recordings.shelf.trouble(kept.id),
            seconds=figures.get("seconds", 0.0),
            bytes=round(figures.get("bytes", 0)),
            lag_ms=round(figures.get("lag_ms", 0)),
            waiting_bytes=round(figures.get("waiting_bytes", 0)),
            holes=round(figures.get("holes", 0)),
            lost_seconds=figures.get("lost_seconds", 0.0),
        )

    def _place(self, storage: str) -> str:
        if storage == OWN_STORAGE:
            return "a storage of its own"
        return storage or (self._storages[0] if self._storages else "")

    def _streaming(self, one: Streaming) -> StreamingStatus:
        look, wishes = one.look, one.wishes
        address = urlsplit(one.url)
        hls = wishes.hls
        kind: Literal["rtmp", "rtmps", "hls"] = "rtmps" if address.scheme == "rtmps" else "rtmp"
        if hls is not None:
            kind = "hls"
        picture = wishes.picture
        sound = f"{_CODECS[wishes.audio.codec]} {wishes.audio.bitrate // 1000} kbit/s"
        return StreamingStatus(
            one.id,
            kind,
            address.netloc.rpartition("@")[2] if hls is None else "",
            one.url if hls is not None else "",
            look.state if look is not None else "ended",
            look.trouble if look is not None else "",
            self._desk.changed_at(one.id),
            sound + (", stereo" if wishes.audio.channels == 2 else ""),
            f"{picture.width}×{picture.height}, {picture.fps} fps" if picture is not None else "",
            container=hls.container if hls is not None else "",
            low_latency=hls is not None and hls.part_seconds is not None,
            whole=hls is not None and hls.whole,
            protected=hls is not None and hls.protected,
            figures=look.figures if look is not None else {},
        )


def shown_files(files: Iterable[OutputFile]) -> FilesStatus:
    """One line for each file, and one for each folder; the first `MAX_FILES` of them."""
    folders: dict[str, list[OutputFile]] = {}
    shown: list[FileStatus] = []
    for file in files:
        folder, slash, _ = file.name.partition("/")
        if slash:
            folders.setdefault(folder + slash, []).append(file)
        else:
            shown.append(_line(file.name, file.media_type, [file]))
    for folder, inside in folders.items():
        playlist = next((file for file in inside if file.name == folder + PLAYLIST), None)
        media_type = playlist.media_type if playlist is not None else ""
        shown.append(_line(folder, media_type, inside, playlist.name if playlist is not None else ""))
    shown.sort(key=lambda file: file.name)
    return FilesStatus(shown[:MAX_FILES], max(0, len(shown) - MAX_FILES))


def _line(name: str, media_type: str, files: Sequence[OutputFile], playlist: str = "") -> FileStatus:
    stages: Counter[str] = Counter()
    problem = ""
    for file in files:
        stage, _, why = file.state.partition(": ")
        if stage:
            stages[stage] += 1
        problem = problem or why
    size = sum(file.size for file in files)
    complete = all(file.complete for file in files)
    away = sum(not file.here for file in files)
    return FileStatus(name, media_type, size, complete, len(files), playlist, stages, problem, away)
