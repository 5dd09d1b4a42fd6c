"""All files of a recording, made of its blocks: program, participants, sides, stills, manifest.

Where some are heard only, the rest of the tracks is passed over: nothing is made of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from bridge.outputs.attendance import Attendance
from bridge.outputs.encoders import PictureSettings
from bridge.outputs.file_entries import FileReading
from bridge.outputs.follow_wire import FILES_FOLDER, MANIFEST, SO_FAR, FileSize, FollowPlan, PicturePlan
from bridge.outputs.kept_file import PART, write_whole
from bridge.outputs.manifest import Account, FileEntry, manifest
from bridge.outputs.picture import PicturePainter
from bridge.outputs.picture_feed import PictureFeed
from bridge.outputs.record import FRAME_SAMPLES, PROGRAM, Begun, Joined
from bridge.outputs.record_time import RecordTime
from bridge.outputs.sound_files import SIDES, WITH_PICTURE, MadeFile, SoundFiles, summed
from bridge.outputs.stills import Stills, preview, thumbnail
from bridge.outputs.weave import Block, Log, Weaver, woven

THUMBNAIL: Final = "thumbnail.jpg"
PREVIEW: Final = "preview.webp"
MOST_ALONE: Final = 300
"""So many participants have files of their own; each takes a few megabytes, and work until the end."""
NOT_ALONE: Final = f"only the first {MOST_ALONE} participants have files of their own"
NO_H264: Final = "H.264 is switched off: the files have no picture"
NOTHING_LEFT: Final = "H.264 is switched off: there are no files with a picture alone"

_SYNC_BLOCKS: Final = 30


class RecordingFiles:
    """The files in the making. Give it every block in order, then `finish`."""

    def __init__(self, plan: FollowPlan, breathe: Callable[[], None] = lambda: None) -> None:
        """`breathe` is called now and then in long pieces of work. Raises OSError."""
        self._plan = plan
        self._breathe = breathe
        self._directory = Path(plan.directory)
        self._folder = self._directory / FILES_FOLDER
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for stale in self._folder.glob(f"*{PART}"):
            stale.unlink()
        look = plan.picture or PicturePlan()
        self._painter = PicturePainter(_settings(look), None, look.background, look.layout)
        self._notes = list(plan.notes)
        self._pictures = self._picture_feed(look)
        self._stills = Stills(plan.title, plan.seen) if plan.stills else None
        self._attendance = Attendance()
        self._begun: Begun | None = None
        self._left = ""
        self._time = RecordTime()
        self._tick = 0
        self._sounds: dict[str, SoundFiles] = {}
        self._participants: dict[str, SoundFiles] = {}
        self._open()

    def _picture_feed(self, look: PicturePlan) -> PictureFeed | None:
        plan = self._plan
        if plan.picture is None or not any(form in WITH_PICTURE for form in plan.program):
            return None
        if not plan.h264:
            self._notes.append(NO_H264 if plan.sound else NOTHING_LEFT)
            return None
        even = look.bitrate is not None
        return PictureFeed(self._painter.settings, self._painter, plan.title, seen=plan.seen, even=even)

    def _open(self) -> None:
        plan, pictures = self._plan, self._pictures
        program = plan.program
        if not plan.sound and pictures is None:
            program = tuple(form for form in program if form not in WITH_PICTURE)
        if program:
            picture = pictures.encoder if pictures is not None else None
            self._sounds[PROGRAM] = SoundFiles(
                self._folder, PROGRAM, program, plan, channels=plan.channels, picture=picture
            )
        if plan.sides:
            self._sounds[SIDES] = SoundFiles(self._folder, SIDES, plan.sides, plan, channels=2)

    @property
    def tick(self) -> int:
        """How long the files are, in ticks."""
        return self._tick

    def put(self, block: Block, time: RecordTime) -> None:
        """The next block; `time` holds it already. Raises OSError."""
        self._time = time
        self._note(block)
        self._attendance.put(block)
        if self._stills is not None:
            self._stills.put(block)
        pictures = self._pictures.put(block) if self._pictures is not None else []
        for of, files in self._sounds.items():
            pcm = self._sides(block) if of == SIDES else self._program(block)
            files.put(pcm, block.samples, time, pictures if of == PROGRAM else ())
        for participant, own in self._participants.items():
            own.put(block.sound.get(participant), block.samples, time)
        self._tick = block.tick + block.ticks

    def sync(self) -> None:
        """What was put is on the disk. Raises OSError."""
        for files in self._all():
            files.sync()

    def finish(
        self, over: bool, whole: Callable[[str], None] = lambda name: None
    ) -> tuple[tuple[FileSize, ...], tuple[str, ...]]:
        """Everything is whole, and the manifest says so; gives the files and what is to be noted.

        `over`: the recording is; otherwise the manifest says that more may follow. `whole` is told of each
        file as it is. Raises OSError.
        """
        self._remove_outdated(but={made.path.name for made in self._made()})
        pictures = self._pictures.finish(self._tick) if self._pictures is not None else []
        for files in self._all():
            files.finish(pictures if files is self._sounds.get(PROGRAM) else ())
            for made in files.made:
                if made.path.is_file():
                    whole(made.path.relative_to(self._directory).as_posix())
            self._breathe()
        self._attendance.finish(self._tick)
        reading = FileReading(self._directory, self._breathe)
        entries = [entry for made in self._made() for entry in reading.entries(made, self._time.duration_ms)]
        entries += [reading.entry(path, PROGRAM, path.suffix[1:], path.stem) for path in self.draw_stills()]
        # In this order: what is left of the one would stand before the other.
        (self._directory / SO_FAR).unlink(missing_ok=True)
        write_whole(self._directory / MANIFEST, self._manifest(entries, over))
        return tuple(FileSize(entry.name, entry.size) for entry in entries), tuple(self._notes)

    def say_so_far(self) -> None:
        """Write down what is known while more is coming: times, holes, who is there. Raises OSError."""
        write_whole(self._directory / SO_FAR, self._manifest((), over=False), synced=False)

    def _manifest(self, entries: Sequence[FileEntry], over: bool) -> bytes:
        plan, versions = self._plan, {"mediabridge": metadata.version("mediabridge"), "pyav": av.__version__}
        return manifest(
            Account(
                self._begun,
                plan.title,
                self._time,
                self._attendance.attendees,
                entries,
                self._notes,
                versions,
                over,
                plan.heard,
                plan.seen,
            )
        )

    def draw_stills(self) -> list[Path]:
        """Thumbnail and preview of what there is so far; where they are. Raises OSError."""
        if self._stills is None:
            return []
        self._stills.finish(self._tick)
        drawn = {
            THUMBNAIL: thumbnail(self._stills.best(), self._painter),
            PREVIEW: preview(self._stills.choice(), self._painter),
        }
        for name, content in drawn.items():
            write_whole(self._folder / name, content)
        return [self._folder / name for name in drawn]

    def finish_copies(self) -> None:
        """In a forked process, after a sync: make everything whole as it is now, then exit.

        The other process goes on with the files in the making as if nothing had happened.
        """
        self._breathe = lambda: None
        for files in self._all():
            files.branch()
        self.finish(over=False)

    def go_on(self) -> None:
        """What was made whole in a pause, or by an earlier run, is outdated: what grows has more in it."""
        growing = {made.path.name for made in self._made() if made.path.is_dir()}
        self._remove_outdated(but=growing)

    def abandon(self) -> None:
        """They are not wanted; those that are finished stay."""
        for files in self._all():
            files.abandon()

    def _remove_outdated(self, but: set[str]) -> None:
        """Of what lies there by its name; an earlier plan may have had other files."""
        for path in self._folder.iterdir():
            if path.name.endswith(PART) or path.name in (THUMBNAIL, PREVIEW, *but):
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _note(self, block: Block) -> None:
        """Who is new gets files, which begin with silence up to here."""
        for tick, record in block.happened:
            if isinstance(record, Begun):
                self._begun = self._begun or record
                for files in self._sounds.values():
                    files.begin_stretch(tick * FRAME_SAMPLES)
            elif isinstance(record, Joined):
                self._meet(record.participant, block.tick)
        for track in block.sound:
            if track != PROGRAM:
                self._meet(track, block.tick)

    def _meet(self, participant: str, tick: int) -> None:
        if participant not in self._plan.heard:
            return
        self._left = self._left or participant
        if self._plan.participants and participant not in self._participants:
            if len(self._participants) >= MOST_ALONE:
                if NOT_ALONE not in self._notes:
                    self._notes.append(NOT_ALONE)
                return
            files = SoundFiles(self._folder, participant, self._plan.participants, self._plan, alone=True)
            files.skip(tick * FRAME_SAMPLES, self._time, self._breathe)
            self._participants[participant] = files

    def _program(self, block: Block) -> NDArray[np.int16] | None:
        """The room's mix; of some, their own tracks together: [samples]."""
        heard = self._plan.heard
        if heard.everybody:
            return block.sound.get(PROGRAM)
        return summed(pcm for track, pcm in block.sound.items() if track != PROGRAM and track in heard)

    def _sides(self, block: Block) -> NDArray[np.int16] | None:
        """One to the left, all others together to the right: [samples, 2]."""
        heard = self._plan.heard
        left = block.sound.get(self._left)
        right = summed(
            pcm for track, pcm in block.sound.items() if track not in (PROGRAM, self._left) and track in heard
        )
        if left is None and right is None:
            return None
        both = np.zeros((block.samples, 2), np.int16)
        if left is not None:
            both[:, 0] = left
        if right is not None:
            both[:, 1] = right
        return both

    def _made(self) -> list[MadeFile]:
        return [made for files in self._all() for made in files.made]

    def _all(self) -> list[SoundFiles]:
        return [*self._sounds.values(), *self._participants.values()]


def _settings(look: PicturePlan) -> PictureSettings:
    settings = PictureSettings(look.width, look.height, look.fps)
    return settings if look.bitrate is None else replace(settings, bitrate=look.bitrate)


def make_files(plan: FollowPlan, log: Log) -> tuple[tuple[FileSize, ...], tuple[str, ...]]:
    """All files of what a log has by now, in one go; gives them and what is to be noted.

    Raises OSError, BadLog.
    """
    files, weaver = RecordingFiles(plan), Weaver()
    try:
        for number, block in enumerate(woven(log, weaver), 1):
            files.put(block, weaver.time)
            if number % _SYNC_BLOCKS == 0:
                files.sync()
        return files.finish(over=True)
    finally:
        files.abandon()
