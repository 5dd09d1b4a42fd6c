"""All files of a recording, made of its blocks: program, participants, sides, stills, manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from bridge.outputs.attendance import Attendance
from bridge.outputs.encoders import PictureSettings
from bridge.outputs.follow_wire import FILES_FOLDER, MANIFEST, FileSize, FollowPlan, PicturePlan
from bridge.outputs.hls_folder import HEADER, MASTER
from bridge.outputs.kept_file import PART, write_whole
from bridge.outputs.manifest import Account, FileEntry, manifest
from bridge.outputs.picture import PicturePainter
from bridge.outputs.picture_feed import PictureFeed
from bridge.outputs.record import FRAME_SAMPLES, PROGRAM, Begun, Joined
from bridge.outputs.record_time import RecordTime
from bridge.outputs.shelf_files import media_type_of
from bridge.outputs.sound_files import SIDES, WITH_PICTURE, MadeFile, SoundFiles, stem_of
from bridge.outputs.stills import Stills, preview, thumbnail
from bridge.outputs.weave import Block, Log, Weaver, woven

THUMBNAIL: Final = "thumbnail.jpg"
PREVIEW: Final = "preview.webp"
MOST_ALONE: Final = 300
"""So many participants have files of their own; each takes a few megabytes, and work until the end."""
NOT_ALONE: Final = f"only the first {MOST_ALONE} participants have files of their own"
NO_H264: Final = "H.264 is switched off: the files have no picture"

_SYNC_BLOCKS: Final = 30
_PIECE: Final = 1 << 22


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
        settings = PictureSettings(look.width, look.height, look.fps)
        self._painter = PicturePainter(settings)
        wants_picture = plan.picture is not None and any(form in WITH_PICTURE for form in plan.program)
        self._notes = list(plan.notes)
        if wants_picture and not plan.h264:
            self._notes.append(NO_H264)
        self._pictures: PictureFeed | None = None
        if wants_picture and plan.h264:
            self._pictures = PictureFeed(settings, self._painter, plan.title)
        self._stills = Stills(plan.title) if plan.stills else None
        self._attendance = Attendance()
        self._begun: Begun | None = None
        self._left = plan.left
        self._time = RecordTime()
        self._tick = 0
        encoder = self._pictures.encoder if self._pictures else None
        self._sounds: dict[str, SoundFiles] = {}
        self._participants: dict[str, SoundFiles] = {}
        if plan.program:
            self._sounds[PROGRAM] = SoundFiles(self._folder, PROGRAM, plan.program, plan, picture=encoder)
        if plan.sides:
            self._sounds[SIDES] = SoundFiles(self._folder, SIDES, plan.sides, plan)

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
            pcm = self._sides(block) if of == SIDES else block.sound.get(of)
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
        pictures = self._pictures.finish(self._tick) if self._pictures is not None else []
        for files in self._all():
            files.finish(pictures if files is self._sounds.get(PROGRAM) else ())
            for made in files.made:
                if made.path.is_file():
                    whole(self._named(made.path))
            self._breathe()
        self._attendance.finish(self._tick)
        entries = [entry for made in self._made() for entry in self._entries(made)]
        entries += [self._entry(path, PROGRAM, path.suffix[1:], path.stem) for path in self.draw_stills()]
        account = Account(
            self._begun,
            self._plan.title,
            self._time,
            self._attendance.attendees,
            entries,
            self._notes,
            {"mediabridge": metadata.version("mediabridge"), "pyav": av.__version__},
            over,
        )
        write_whole(self._directory / MANIFEST, manifest(account))
        return tuple(FileSize(entry.name, entry.size) for entry in entries), tuple(self._notes)

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
        for made in self._made():
            if made.path.is_file():
                made.path.unlink()

    def abandon(self) -> None:
        """They are not wanted; those that are finished stay."""
        for files in self._all():
            files.abandon()

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
        self._left = self._left or participant
        if self._plan.participants and participant not in self._participants:
            if len(self._participants) >= MOST_ALONE:
                if NOT_ALONE not in self._notes:
                    self._notes.append(NOT_ALONE)
                return
            stem = stem_of(participant)
            files = SoundFiles(self._folder, participant, self._plan.participants, self._plan, stem=stem)
            files.skip(tick * FRAME_SAMPLES, self._time, self._breathe)
            self._participants[participant] = files

    def _sides(self, block: Block) -> NDArray[np.int16] | None:
        """One to the left, the sum of all others to the right: [samples, 2]."""
        left = block.sound.get(self._left)
        others = [pcm for track, pcm in block.sound.items() if track not in (PROGRAM, self._left)]
        if left is None and not others:
            return None
        both = np.zeros((block.samples, 2), np.int16)
        if left is not None:
            both[:, 0] = left
        if len(others) == 1:
            both[:, 1] = others[0]
        elif others:
            both[:, 1] = np.clip(np.sum(others, axis=0, dtype=np.int32), -32_768, 32_767)
        return both

    def _made(self) -> list[MadeFile]:
        return [made for files in self._all() for made in files.made]

    def _all(self) -> list[SoundFiles]:
        return [*self._sounds.values(), *self._participants.values()]

    def _named(self, path: Path) -> str:
        return path.relative_to(self._directory).as_posix()

    def _entries(self, made: MadeFile) -> Iterator[FileEntry]:
        paths = sorted(made.path.iterdir()) if made.path.is_dir() else [made.path]
        for path in paths:
            role = "recording" if path == made.path or path.name == MASTER else "segment"
            if path.name == HEADER:
                role = "header"
            elif path.suffix == ".m3u8" and path.name != MASTER:
                role = "playlist"
            main = role == "recording"
            yield self._entry(
                path,
                made.of,
                made.form,
                role,
                duration_ms=self._time.duration_ms if main else None,
                codec=made.codec if main else None,
                channels=made.channels if main else None,
                has_picture=made.has_picture,
            )

    def _entry(self, path: Path, of: str, form: str, role: str, **more: object) -> FileEntry:
        kind = media_type_of(path.name)
        if path.suffix in (".mp4", ".m4s") and not more.get("has_picture"):
            kind = kind.replace("video/", "audio/")
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                size += len(piece)
                self._breathe()
        return FileEntry(
            self._named(path),
            of,
            form,
            kind,
            size,
            digest.hexdigest(),
            role=role,
            **more,  # type: ignore[arg-type]
        )


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
