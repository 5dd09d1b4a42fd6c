"""The manifest: all there is to know of a recording beside its files, as JSON. Pure.

Times in the files are called `at_ms` and the like, counted from their beginning; times of day `..._unix_ms`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from bridge.core.ports import EVERYBODY, PTIME_MS, Whom
from bridge.outputs.attendance import Attendee
from bridge.outputs.record import RATE_HZ, Begun
from bridge.outputs.record_time import RecordTime, Stretch

VERSION = 1


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of the recording as it lies on the disk."""

    name: str
    """Within the recording's directory."""
    of: str
    form: str
    media_type: str
    size: int
    sha256: str
    duration_ms: int | None = None
    codec: str | None = None
    """Of its sound."""
    channels: int | None = None
    has_picture: bool = False
    width: int | None = None
    height: int | None = None
    role: str = "recording"
    """`segment` and `header` for those that a playlist names, `thumbnail` and `preview` for stills."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a manifest is made of."""

    begun: Begun | None
    title: str
    time: RecordTime
    attendees: Sequence[Attendee]
    files: Sequence[FileEntry]
    notes: Sequence[str]
    versions: Mapping[str, str]
    over: bool
    """Whether the recording is over; otherwise more may follow in its log."""
    heard: Whom = EVERYBODY
    seen: Whom = EVERYBODY


def manifest(account: Account) -> bytes:
    """The same account always gives the same bytes."""
    time = account.time
    first, last = (time.stretches[0], time.stretches[-1]) if time.stretches else (None, None)
    told = {
        "version": VERSION,
        "recording": account.begun.recording if account.begun else None,
        "room": account.begun.room if account.begun else None,
        "title": account.title,
        "over": account.over,
        "began_unix_ms": first.began_ms if first else None,
        "ended_unix_ms": last.ended_ms if last else None,
        "duration_ms": time.duration_ms,
        "rate_hz": RATE_HZ,
        "tick_ms": PTIME_MS,
        "stretches": [_stretch(stretch) for stretch in time.stretches],
        "pauses": [
            {"at_ms": pause.at_ms, "from_unix_ms": pause.from_ms, "until_unix_ms": pause.until_ms}
            for pause in time.pauses()
        ],
        "holes": [
            {
                "at_ms": stretch.at_ms + hole.tick * PTIME_MS,
                "duration_ms": (hole.until - hole.tick) * PTIME_MS,
                "stretch": stretch.number,
                "why": hole.why,
            }
            for stretch in time.stretches
            for hole in stretch.holes
        ],
        # A time in the files within a piece is the piece's time of day and as much more.
        "time_map": [
            {"at_ms": s.at_ms, "duration_ms": s.duration_ms, "unix_ms": s.began_ms} for s in time.stretches
        ],
        "participants": [_attendee(attendee, time) for attendee in account.attendees],
        "heard": _whom(account.heard),
        "seen": _whom(account.seen),
        "files": [_file(entry) for entry in account.files],
        "notes": list(account.notes),
        "made_by": dict(account.versions),
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


def _whom(whom: Whom) -> dict[str, object] | None:
    """Of whom the files are; None: of everybody."""
    return None if whom.everybody else {"only": list(whom.only), "without": list(whom.without)}


def _stretch(stretch: Stretch) -> dict[str, object]:
    return {
        "number": stretch.number,
        "at_ms": stretch.at_ms,
        "duration_ms": stretch.duration_ms,
        "began_unix_ms": stretch.began_ms,
        "ended_unix_ms": stretch.ended_ms,
        "ended_by": stretch.why,
    }


def _attendee(attendee: Attendee, time: RecordTime) -> dict[str, object]:
    return {
        "id": attendee.participant,
        "name": attendee.names[-1] if attendee.names else "",
        "names": attendee.names,
        "has_sound": attendee.has_sound,
        "talked_ms": attendee.talked_ticks * PTIME_MS,
        "present": [
            {
                "from_ms": present.since * PTIME_MS,
                "until_ms": None if present.until is None else present.until * PTIME_MS,
                "from_unix_ms": _whole(time.wall_ms(present.since * PTIME_MS)),
            }
            for present in attendee.present
        ],
    }


def _whole(ms: float | None) -> int | None:
    return None if ms is None else round(ms)


def _file(entry: FileEntry) -> dict[str, object]:
    told = msgspec.to_builtins(entry)
    assert isinstance(told, dict)
    return {key: value for key, value in told.items() if value is not None}
