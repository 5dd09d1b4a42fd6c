"""What can be seen of a conference's recording and streamings, without their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bridge.core.ports import OutputState

RecordingState = Literal["starting", "running", "troubled", "ending", "ended", "stopped"]


@dataclass(frozen=True, slots=True)
class RecordingStatus:
    """A recording as people see it. `seconds` and what follows are of the stretch that goes on."""

    id: str
    state: RecordingState
    begun_at: float
    """When it was begun for the first time, Unix seconds."""
    stretches: int
    """How many times it was begun."""
    formats: Sequence[str]
    participants: bool
    """Each participant gets files of their own."""
    storage: str
    """Where finished files are sent, in words; empty: nowhere."""
    trouble: str = ""
    """Why nothing can be written now; what is said waits, and is lost when that takes too long."""
    changed_at: float | None = None
    """When it began, or its trouble did; None while it is stopped."""
    making_trouble: str = ""
    """What keeps its files from being made; it is tried again."""
    seconds: float = 0.0
    bytes: int = 0
    lag_ms: int = 0
    """Between what was said and what is safe on the disk."""
    waiting_bytes: int = 0
    holes: int = 0
    lost_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class StreamingStatus:
    """A streaming as people see it."""

    id: str
    kind: Literal["rtmp", "rtmps", "hls"]
    host: str
    """Where it goes, with its port if it has one; the rest of the address may be a key. Empty: HLS."""
    address: str
    """Of HLS: where it can be seen, without a token."""
    state: OutputState
    trouble: str
    changed_at: float | None
    """When it began, or its trouble began or ended; Unix seconds."""
    sound: str
    picture: str
    """As people read them; an empty picture: there is none."""
    container: str = ""
    low_latency: bool = False
    whole: bool = False
    protected: bool = False
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutputsStatus:
    """What is kept and given out of a conference."""

    recording: RecordingStatus | None = None
    """None: it was never recorded."""
    streamings: Sequence[StreamingStatus] = ()
    storages: Sequence[str] = ()
    """Names of the storages that a recording can be sent to."""


@dataclass(frozen=True, slots=True)
class FileStatus:
    """A file of a recording, or a folder with the many that a playlist names."""

    name: str
    """A folder's ends with a slash."""
    media_type: str
    size: int
    complete: bool
    files: int = 1
    playlist: str = ""
    """Of a folder: the name of the file to begin with."""
    uploads: Mapping[str, int] = field(default_factory=dict)
    """How many of its files are `waiting`, `uploading`, `failing`, `uploaded`, `missing`; empty: it stays."""
    problem: str = ""
    """Why an upload failed."""
    away: int = 0
    """How many of its files are in their storage only."""


@dataclass(frozen=True, slots=True)
class FilesStatus:
    """The files of a recording."""

    files: Sequence[FileStatus] = ()
    left_out: int = 0
    """Files there are besides, when there are too many to be looked at."""
