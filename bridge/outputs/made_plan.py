"""What was made of a recording, written down beside it, and whether that is still what is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from bridge.core.ports import WantedFiles, WantedPicture
from bridge.outputs.codec_wishes import as_possible
from bridge.outputs.follow_wire import FollowPlan, PicturePlan, ProgramForm, SoundForm
from bridge.outputs.kept_file import write_whole
from bridge.outputs.record_reader import RecordReader

PLAN: Final = "plan.json"


class _Made(msgspec.Struct, frozen=True):
    plan: FollowPlan
    stretches: int
    """It has when all files were whole."""


def plan_for(
    directory: Path, wanted: WantedFiles, *, picture: PicturePlan, h264: bool, title: str
) -> FollowPlan:
    """How the files of the recording in that directory are to be made; `picture`: where nothing is wanted."""
    _, note = as_possible(wanted.codec)
    program: list[ProgramForm] = []
    alone: list[SoundForm] = []
    for name in dict.fromkeys(wanted.formats):
        match name:
            case "mp4":
                program.append("mp4")
                alone.append("m4a")
            case "wav" | "flac" | "ogg":
                program.append(name)
                alone.append(name)
            case "hls":
                program.append("hls-ts")
    return FollowPlan(
        str(directory.absolute()),
        tuple(program),
        tuple(alone) if wanted.participants else (),
        ("wav",) if "stereo" in wanted.formats else (),
        picture=_picture(wanted.picture, picture),
        sound=wanted.sound,
        channels=wanted.channels,
        heard=wanted.heard,
        seen=wanted.seen,
        h264=h264,
        title=title,
        bitrate=wanted.bitrate,
        segment_s=wanted.segment_s,
        follow=True,
        notes=(note,) if note else (),
    )


def _picture(wanted: WantedPicture | None, usual: PicturePlan) -> PicturePlan | None:
    if wanted is None:
        return None
    return PicturePlan(
        wanted.width or usual.width,
        wanted.height or usual.height,
        wanted.fps or usual.fps,
        wanted.bitrate or usual.bitrate,
        wanted.background or usual.background,
        wanted.layout,
    )


def is_made(directory: Path, plan: FollowPlan) -> bool:
    """Whether all of it was whole after the last stretch there is. Blocks.

    The title does not count: a conference that has another name by now, or is gone, makes no other recording.
    """
    try:
        made = msgspec.json.decode((directory / PLAN).read_bytes(), type=_Made)
    except (OSError, msgspec.DecodeError):
        return False
    same = msgspec.structs.replace(made.plan, title=plan.title) == plan
    return same and made.stretches == len(RecordReader(directory).stretches())


def write_made(directory: Path, plan: FollowPlan, stretches: int) -> None:
    """All of it is whole after so many stretches. Blocks; raises OSError."""
    write_whole(directory / PLAN, msgspec.json.encode(_Made(plan, stretches)))
