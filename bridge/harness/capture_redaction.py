"""Takes out of a capture what is nobody else's business, and leaves what it shows: who sounds when, and what
follows from it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from bridge.core.ports import AudioFormat, Encoding
from bridge.errors import ConfigError
from bridge.harness.capture_reading import read_records
from bridge.harness.disguise import Disguise
from bridge.harness.rules import broken_by
from bridge.legs.capture_file_wire import CaptureWriter
from bridge.legs.capture_wire import Ack, End, Frame, Head, Key, Media, Message, Note, Queued, Record
from bridge.legs.plivo_play_wire import read_from_service
from bridge.legs.plivo_wire import WireError

R = TypeVar("R", bound=msgspec.Struct)
Redacted = Literal["audio", "digits", "names"]
ALL: tuple[Redacted, ...] = ("audio", "digits", "names")
_BROKEN = {
    "not_json": b"{",
    "unknown_event": b'{"event":"unknown"}',
    "acknowledged_itself": b'{"event":"playedStream"}',
    "bad_base64": b'{"event":"playAudio","media":{"payload":"!"}}',
    "checkpoint_without_name": b'{"event":"checkpoint"}',
}
"""A message that breaks a rule, by the rule's name."""
_WRONG = b'{"event":"playAudio"}'
_NAMED = ("room", "participant", "of")


class Redaction:
    """Of one capture: `change` each record, head and end too."""

    def __init__(self, what: Collection[Redacted]) -> None:
        self._audio, self._digits, self._names = ("audio" in what, "digits" in what, "names" in what)
        self._what = tuple(one for one in ALL if one in what)
        self._disguise = Disguise()
        self._format = AudioFormat(Encoding.L16, 16_000)
        self._frame_format = self._format
        self._pseudonyms: dict[tuple[str, str], str] = {}

    def change(self, record: Record) -> Record:
        """The record as others may see it."""
        match record:
            case Head():
                return self._head(record)
            case Frame(payload=payload) if self._audio and payload:
                return _with(record, payload=self._disguise.cover(payload, self._frame_format))
            case Media(payload=payload) if self._audio and payload:
                return _with(record, payload=self._disguise.cover(payload, self._format))
            case Queued():
                return self._queued(record)
            case Message():
                return _with(record, message=self._message(record.message))
            case Key(digit=digit) if self._digits:
                return _with(record, digit="*" * len(digit))
            case Ack(name=str(name)) if self._names:
                return _with(record, name=self._called("mark", name))
            case Note() if self._names:
                return _with(record, text="left out" if record.failed else "")
            case End() if self._names:
                facts = {name: "" if isinstance(fact, str) else fact for name, fact in record.facts.items()}
                return _with(record, reason=record.reason.partition(":")[0], detail="", facts=facts)
            case _:
                return record

    def _head(self, head: Head) -> Head:
        self._format = head.audio_format
        linear = AudioFormat(Encoding.L16, head.rate_hz)
        self._frame_format = linear if head.place == "caller" else head.audio_format
        redacted = tuple(one for one in ALL if one in head.redacted or one in self._what)
        changed = _with(head, redacted=redacted)
        if not self._names:
            return changed
        about = {
            name: self._called("id", text) if name in _NAMED else text
            for name, text in head.about.items()
            if name != "scenario"
        }
        stream_id, call_id = (self._called("id", one) for one in (head.stream_id, head.call_id))
        return _with(changed, stream_id=stream_id, call_id=call_id, about=about)

    def _queued(self, record: Queued) -> Queued:
        if self._audio and record.payload:
            return _with(record, payload=self._disguise.cover(record.payload, self._format))
        if self._names and record.name is not None:
            return _with(record, name=self._called("mark", record.name))
        return record

    def _message(self, message: bytes) -> bytes:
        try:
            read_from_service(message)
        except WireError as why:
            # Nobody knows what is in it: another one that is as wrong stands in for it.
            return _BROKEN.get(broken_by(message, why), _WRONG)
        said: dict[str, Any] = msgspec.json.decode(message)
        kept: dict[str, Any] = {
            name: said[name] for name in ("event", "name", "streamId", "dtmf") if name in said
        }
        if "media" in said:  # on a stream that takes none
            kept["media"] = {"payload": ""} if self._audio else said["media"]
        if self._digits and "dtmf" in kept:
            kept["dtmf"] = "*" * len(str(kept["dtmf"]))
        if self._names:
            for name, kind in (("name", "mark"), ("streamId", "id")):
                if kept.get(name):
                    kept[name] = self._called(kind, str(kept[name]))
        return msgspec.json.encode(kept)

    def _called(self, kind: str, name: str) -> str:
        """The same for the same name."""
        if not name:
            return ""
        key = kind, name
        if key not in self._pseudonyms:
            number = 1 + sum(known == kind for known, _ in self._pseudonyms)
            self._pseudonyms[key] = f"{kind}-{number}"
        return self._pseudonyms[key]


def redact(path: Path, new: Path, what: Collection[Redacted]) -> None:
    """Write `path` anew, for others. Raises ConfigError, also when `new` exists, and BadCapture."""
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as wrong:
        raise ConfigError(f"cannot write {new}: {wrong.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(_redacted(path, what))
    except BaseException as wrong:
        new.unlink(missing_ok=True)
        if isinstance(wrong, OSError):
            raise ConfigError(f"cannot write {new}: {wrong.strerror}") from None
        raise


def _redacted(path: Path, what: Collection[Redacted]) -> Iterator[bytes]:
    redaction, writer = Redaction(what), CaptureWriter()
    for record in read_records(path):
        changed = redaction.change(record)
        match changed:
            case Head():
                yield writer.begin(changed)
            case End():
                yield writer.end(changed.at_ns, changed.reason, changed.detail, changed.facts)
            case _:
                yield writer.write(changed)


def _with(record: R, **changes: object) -> R:
    return msgspec.structs.replace(record, **changes)
