"""What recordings and live streams need of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av

from bridge.config.tree import Config
from bridge.doctor.finding import Finding, Verdict
from bridge.doctor.machine import free_bytes
from bridge.outputs.fonts import DIRECTORIES, FontShelf

SCRIPTS = {
    "Latin": "Å",
    "Cyrillic": "Ж",
    "Greek": "Ω",
    "Arabic": "م",
    "Hebrew": "ש",
    "Devanagari": "अ",
    "Thai": "ก",
    "Chinese": "会",
    "Japanese": "の",
    "Korean": "한",
}
"""One letter of each script that names are likely to be in."""
_GIBIBYTE = 1 << 30
_WANTED_BYTES = 10 * _GIBIBYTE
"""Somebody who talks takes 0.35 GB an hour, and their files as much again."""


def coders(config: Config) -> Iterator[Finding]:
    """Whether sound and pictures can be coded."""
    wanted = ["aac", "libopus", "libmp3lame", "flac", *(["libx264"] if config.recordings.h264 else [])]
    absent = [name for name in wanted if name not in av.codecs_available]
    if absent:
        advice = "install PyAV's own wheel: pip install -c constraints.txt av"
        if absent == ["libx264"]:
            advice += ", or set recordings.h264 = false"
        yield Finding(Verdict.FAIL, "coders", "there is no " + ", ".join(absent), advice)
    else:
        yield Finding(Verdict.OK, "coders", ", ".join(wanted))


def fonts(config: Config, directories: tuple[Path, ...] = DIRECTORIES) -> Iterator[Finding]:
    """Whether names can be drawn in pictures."""
    if not config.recordings.h264:
        return
    shelf = FontShelf(directories)
    absent = [script for script, letter in SCRIPTS.items() if shelf.face_for(letter) is None]
    if absent:
        advice = "apt-get install fonts-dejavu-core fonts-noto-core fonts-noto-cjk"
        text = "pictures cannot show names in " + ", ".join(absent)
        yield Finding(Verdict.WARN, "fonts", text, advice)
    else:
        yield Finding(Verdict.OK, "fonts", f"{len(shelf)} files, all of {len(SCRIPTS)} scripts")


def recordings_folder(config: Config) -> Iterator[Finding]:
    """Whether recordings can be kept."""
    folder = (config.recordings.directory or config.data_dir / "recordings").absolute()
    try:
        free = free_bytes(folder)
    except OSError as wrong:
        advice = "make it writable for this user, or set recordings.directory"
        yield Finding(Verdict.FAIL, "recordings", f"{wrong.filename}: {wrong.strerror}", advice)
        return
    text = f"{folder}: {free / _GIBIBYTE:.0f} GiB free"
    if free < _WANTED_BYTES:
        yield Finding(Verdict.WARN, "recordings", text, "make room: a voice takes about 0.7 GB an hour")
    else:
        yield Finding(Verdict.OK, "recordings", text)


def storages(config: Config) -> Iterator[Finding]:
    """Whether uploads have somewhere to go, as far as can be told from here."""
    if not config.storage:
        yield Finding(Verdict.OK, "storage", "none: recordings stay on this machine")
    for place in config.storage:
        if place.kind == "azure" and not place.access_key.reveal():
            advice = "set access_key to the storage account's name"
            yield Finding(Verdict.FAIL, f"storage {place.name}", "Azure needs an account", advice)
        elif not place.secret_key.reveal():
            text = f"{place.kind} without a key: the machine's own credentials are used"
            yield Finding(Verdict.WARN, f"storage {place.name}", text, "set secret_key if it has none")
        else:
            yield Finding(Verdict.OK, f"storage {place.name}", f"{place.kind}, {place.bucket}")
