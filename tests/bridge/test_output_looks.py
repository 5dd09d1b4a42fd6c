from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.core.ports import GivenStorage, OutputFile, OutputLook
from bridge.directory import Directory
from bridge.output_looks import MAX_FILES, shown_files
from bridge.output_status import FileStatus, RecordingStatus, StreamingStatus
from bridge.people import Actor, Conference
from bridge.recordings import RecordingWishes
from bridge.streamings import HlsWishes, PictureWishes, SoundWishes, StreamingWishes
from tests.kit.notes import Rooms
from tests.kit.outputs import NotedOutputs
from tests.kit.records import MemoryRecords

pytestmark = pytest.mark.unit

BY = Actor.application("app")
KEY = "rtmps://live.example:1936/app/a-secret-key?token=s3cr3t"


class House:
    conference: Conference

    def __init__(self) -> None:
        self.rooms = Rooms()
        self.directory = Directory(MemoryRecords(), self.rooms)
        self.outputs = NotedOutputs(self.directory, self.rooms)
        self.at = 1000.0
        self.outputs.desk._now = lambda: self.at

    def recording(self) -> RecordingStatus:
        recording = self.outputs.looks.look(self.conference).recording
        assert recording is not None
        return recording

    async def streaming(self, url: str = "", **wishes: Any) -> StreamingStatus:
        await self.outputs.streamings.create(self.conference, url, StreamingWishes(**wishes))
        return self.outputs.looks.look(self.conference).streamings[-1]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    await house.directory.load()
    house.conference = await house.directory.open_conference("app", by=BY, name="Quiz")
    yield house
    await house.outputs.close()
    await house.directory.close()


async def test_what_was_never_recorded_or_streamed_looks_empty(house: House) -> None:
    look = house.outputs.looks.look(house.conference)
    assert (look.recording, list(look.streamings), look.storages) == (None, [], ("bucket",))
    assert list((await house.outputs.looks.files(house.conference)).files) == []


async def test_a_recording_shows_what_is_written_and_what_was_asked_for(house: House) -> None:
    wishes = RecordingWishes(("mp4", "wav"), True, "bucket")
    await house.outputs.recordings.start(house.conference, by=BY, wishes=wishes)
    figures = {"seconds": 61.5, "bytes": 4096.0, "lag_ms": 480.0, "waiting_bytes": 7.0, "holes": 2.0,
               "lost_seconds": 1.4}  # fmt: skip
    house.outputs.show(OutputLook("recording", "running", figures=figures))
    seen = house.recording()
    assert (seen.state, seen.stretches, seen.trouble, seen.changed_at) == ("running", 1, "", 1000.0)
    assert (seen.formats, seen.participants, seen.storage) == (("mp4", "wav"), True, "bucket")
    assert (seen.seconds, seen.bytes, seen.lag_ms, seen.waiting_bytes) == (61.5, 4096, 480, 7)
    assert (seen.holes, seen.lost_seconds) == (2, 1.4)


async def test_a_recording_goes_to_the_first_storage_or_its_own(house: House) -> None:
    await house.outputs.recordings.start(house.conference, by=BY)
    assert house.recording().storage == "bucket"
    other = await house.directory.open_conference("app", by=BY)
    given = GivenStorage("s3", "theirs")
    await house.outputs.recordings.start(other, by=BY, storage=given)
    recording = house.outputs.looks.look(other).recording
    assert recording is not None and recording.storage == "a storage of its own"


async def test_trouble_is_shown_with_the_time_it_began(house: House) -> None:
    await house.outputs.recordings.start(house.conference, by=BY)
    for house.at, text in ((1060.0, "the disk is full"), (1070.0, "the disk is still full")):
        house.outputs.show(OutputLook("recording", "troubled", text))
        house.outputs.trouble(text)
    seen = house.recording()
    assert (seen.state, seen.trouble, seen.changed_at) == ("troubled", "the disk is still full", 1060.0)
    house.at = 1080.0
    house.outputs.trouble("")
    assert house.recording().changed_at == 1080.0
    house.outputs.shelf.troubles[seen.id] = "the process that makes the files ended"
    assert house.recording().making_trouble == "the process that makes the files ended"


async def test_a_stopped_recording_has_no_figures_of_a_stretch(house: House) -> None:
    await house.outputs.recordings.start(house.conference, by=BY)
    await house.outputs.recordings.stop(house.conference, by=BY)
    seen = house.recording()
    assert (seen.state, seen.stretches, seen.changed_at, seen.bytes) == ("stopped", 1, None, 0)


async def test_of_where_a_streaming_goes_only_the_host_is_shown(house: House) -> None:
    sound, picture = SoundWishes("mp3", 96_000, 2), PictureWishes(1280, 720, 25)
    seen = await house.streaming(KEY, audio=sound, picture=picture)
    assert (seen.kind, seen.host, seen.address) == ("rtmps", "live.example:1936", "")
    assert (seen.sound, seen.picture) == ("MP3 96 kbit/s, stereo", "1280×720, 25 fps")
    assert (seen.state, seen.trouble, seen.changed_at) == ("running", "", 1000.0)
    assert "secret" not in repr(seen) and "s3cr3t" not in repr(seen)


async def test_hls_shows_where_it_is_seen_but_never_its_token(house: House) -> None:
    hls = HlsWishes(part_seconds=0.5, whole=True, protected=True)
    seen = await house.streaming(picture=None, hls=hls)
    assert (seen.kind, seen.host, seen.picture) == ("hls", "", "")
    assert seen.address == f"http://bridge/hls/{seen.id}/index.m3u8"
    assert (seen.container, seen.low_latency, seen.whole, seen.protected) == ("fmp4", True, True, True)
    plain = await house.streaming(hls=HlsWishes("ts"))
    assert (plain.container, plain.low_latency, plain.whole, plain.protected) == ("ts", False, False, False)


async def test_files_are_those_of_the_shelf(house: House, tmp_path: Path) -> None:
    recording = await house.outputs.recordings.start(house.conference, by=BY)
    (tmp_path / "program.mp4").write_bytes(b"12345")
    house.outputs.shelf.put(
        recording.id, tmp_path / "program.mp4", "video/mp4", state="failing: HTTP 403", complete=False
    )
    (seen,) = (await house.outputs.looks.files(house.conference)).files
    assert seen == FileStatus(
        "program.mp4", "video/mp4", 5, False, uploads={"failing": 1}, problem="HTTP 403"
    )


def test_a_folder_is_one_line_with_all_that_is_in_it() -> None:
    playlist = OutputFile(
        "p-hls-ts/index.m3u8", Path(), "application/vnd.apple.mpegurl", True, 10, "uploaded"
    )
    segments = [OutputFile(f"p-hls-ts/{n}.ts", Path(), "video/mp2t", n < 3, 100, "waiting") for n in range(4)]
    alone = OutputFile("a.wav", Path(), "audio/wav", True, 7)
    gone = OutputFile("b.wav", Path(), "audio/wav", True, 8, "uploaded", here=False)
    seen = shown_files([*segments, playlist, alone, gone])
    assert seen.files == [
        FileStatus("a.wav", "audio/wav", 7, True),
        FileStatus("b.wav", "audio/wav", 8, True, uploads={"uploaded": 1}, away=1),
        FileStatus(
            "p-hls-ts/", playlist.media_type, 410, False, 5, playlist.name, {"waiting": 4, "uploaded": 1}
        ),
    ]


def test_files_beyond_what_can_be_looked_at_are_counted() -> None:
    one = OutputFile("0000.wav", Path(), "audio/wav", True, 7)
    seen = shown_files([replace(one, name=f"{n:04}.wav") for n in range(MAX_FILES + 3)])
    assert (len(seen.files), seen.left_out) == (MAX_FILES, 3)
