"""What a service says to a Plivo call: `playAudio` and the rest, JSON text ↔ values. Pure.

Source: Plivo, "Audio streaming reference"; plivo-stream-sdk; "The Stream element: checkpoint event".
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable

import msgspec

from bridge.core.ports import AudioFormat
from bridge.legs.plivo_format import format_name, read_format
from bridge.legs.plivo_wire import NotUnderstood, read_base64


class PlayAudioWriter:
    """Writes `playAudio` messages of one format, from a template: all but the payload stays the same."""

    __slots__ = ("_before", "_after")

    def __init__(self, audio_format: AudioFormat) -> None:
        name = format_name(audio_format)
        self._before = (
            f'{{"event":"playAudio","media":{{"contentType":"{name}",'
            f'"sampleRate":{audio_format.rate_hz},"payload":"'
        ).encode()
        self._after = b'"}}'

    def write(self, frame: bytes) -> bytes:
        """The message that plays `frame` (wire audio of any length)."""
        return self._before + b2a_base64(frame, newline=False) + self._after


def write_checkpoint(stream_id: str, name: str) -> bytes:
    """Asks for `playedStream` with that name once everything sent before has been played."""
    return msgspec.json.encode({"event": "checkpoint", "streamId": stream_id, "name": name})


def write_clear_audio(stream_id: str) -> bytes:
    """Empties the call's queue; `clearedAudio` follows, pending checkpoints are dropped."""
    return msgspec.json.encode({"event": "clearAudio", "streamId": stream_id})


def write_send_dtmf(digits: str) -> bytes:
    """Plays keys to the caller."""
    return msgspec.json.encode({"event": "sendDTMF", "dtmf": digits})


# --- the other side of the same ---


class PlayMedia(msgspec.Struct, frozen=True):
    """The inside of `playAudio`."""

    payload: bytes
    content_type: str | None = msgspec.field(default=None, name="contentType")
    sample_rate: int | str | float | None = msgspec.field(default=None, name="sampleRate")

    def audio_format(self, usual: AudioFormat) -> AudioFormat | None:
        """The format it says, `usual` where it says none, None when it is not supported."""
        if self.content_type is None and self.sample_rate is None:
            return usual
        return read_format(self.content_type or format_name(usual), self.sample_rate or usual.rate_hz)


class PlayAudio(msgspec.Struct, frozen=True, tag_field="event", tag="playAudio"):
    """Audio for the caller."""

    media: PlayMedia


class Checkpoint(msgspec.Struct, frozen=True, tag_field="event", tag="checkpoint"):
    """`playedStream` is wanted once everything before it has been played."""

    name: str


class ClearAudio(msgspec.Struct, frozen=True, tag_field="event", tag="clearAudio"):
    """The queue is to be emptied."""


class SendDigits(msgspec.Struct, frozen=True, tag_field="event", tag="sendDTMF"):
    """Keys for the caller."""

    dtmf: str

    def __repr__(self) -> str:
        return "SendDigits(***)"


class UnknownEvent(NotUnderstood):
    """An object with an event nobody knows: harmless."""


FromService = PlayAudio | Checkpoint | ClearAudio | SendDigits

_decode: Callable[[bytes | str], FromService] = msgspec.json.Decoder(FromService).decode


def read_from_service(message: bytes | str) -> FromService:
    """The value of one message. Raises NotUnderstood, UnknownEvent or BadBase64."""
    try:
        return _decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        decoded = msgspec.json.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotUnderstood("not JSON") from None
    return _read(decoded)


def _read(message: object) -> FromService:
    """Usual events in unusual shapes: base64 in lines or without padding, numbers for text."""
    match message:
        case {"event": "playAudio", "media": {"payload": str(text), **rest}}:
            content_type, rate = rest.get("contentType"), rest.get("sampleRate")
            if isinstance(content_type, str | None) and isinstance(rate, int | float | str | None):
                return PlayAudio(PlayMedia(read_base64(text), content_type, rate))
        case {"event": "checkpoint", "name": int(name)}:
            return Checkpoint(str(name))
        case {"event": "sendDTMF", "dtmf": int(digits)}:
            return SendDigits(str(digits))
        case {"event": str(event)} if event not in ("playAudio", "checkpoint", "clearAudio", "sendDTMF"):
            raise UnknownEvent("an event nobody knows")
    raise NotUnderstood("not one of the shapes known")
