"""What a Plivo call says to a service: JSON text ↔ values. Pure; liberal in reading, exact in writing.

How broken input is answered (the link counts what it drops, by the error's `figure`):

| input | answer |
|---|---|
| not JSON, not an object, no event, a field of the wrong type | dropped: `NotUnderstood` |
| payload that is not base64 | dropped: `BadBase64` |
| L16 of an odd number of bytes | dropped: `OddLength` (raised by `check_payload`) |
| an event nobody knows | `Unknown`, dropped |
| media before `start`, or of a track that `start` does not name | dropped by the link |
| a second `start` | dropped; closed with 1008 when its format differs from the first one's |
| `start` without a format, or with one that is not supported | closed: `BadStart`, 1003 |
| a message above the limit | closed with 1009 by the carrier |
| nothing but broken messages | closed with 1007 by the link |

Source: Plivo, "Audio streaming reference"; plivo-stream-sdk for Python, Node and Java.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from bridge.core.ports import AudioFormat, CallStart, Encoding
from bridge.errors import BadInput
from bridge.legs.plivo_format import read_format
from bridge.legs.plivo_headers import read_extra_headers

INBOUND = "inbound"
"""What the caller says."""
OUTBOUND = "outbound"
"""What the caller hears."""
TRACKS = (INBOUND, OUTBOUND)
DIGITS = frozenset("0123456789*#ABCD")


class WireError(BadInput):
    """A message that cannot be used. Its text never holds any of it."""

    figure: ClassVar[str] = "malformed"
    """The counter it belongs to."""
    close_code: ClassVar[int | None] = None
    """What to close the socket with; None when the message is merely dropped."""


class NotUnderstood(WireError):
    """Not JSON, or not one of the shapes known."""


class BadBase64(WireError):
    """The payload is not base64."""

    figure = "bad_base64"


class OddLength(WireError):
    """L16 audio with half a sample in it."""

    figure = "odd_length"


class MediaBeforeStart(WireError):
    """Audio of a call that has not said yet what it is."""

    figure = "before_start"


class BadStart(WireError):
    """A `start` the bridge cannot work with."""

    figure = "bad_start"
    close_code = 1003


# --- values, which are also what msgspec decodes into (fields nobody needs are not named) ---


class MediaBody(msgspec.Struct, frozen=True):
    """The inside of `media`."""

    payload: bytes
    track: str = ""
    """Empty where the message does not say."""


class Media(msgspec.Struct, frozen=True, tag_field="event", tag="media"):
    """Audio."""

    media: MediaBody


class Played(msgspec.Struct, frozen=True, tag_field="event", tag="playedStream"):
    """Everything queued before the checkpoint `name` has been played."""

    name: str


class Cleared(msgspec.Struct, frozen=True, tag_field="event", tag="clearedAudio"):
    """The far side's queue was emptied."""


class Start(msgspec.Struct, frozen=True):
    """The call begins."""

    start: CallStart


class Digits(msgspec.Struct, frozen=True):
    """Keys the caller pressed, normally one."""

    digits: str

    def __repr__(self) -> str:
        return "Digits(***)"


class Stopped(msgspec.Struct, frozen=True):
    """The stream ends (sent by some versions only; the socket's close is what counts)."""


class Unknown(msgspec.Struct, frozen=True):
    """An event that means nothing to the bridge: `playFailed`, `error`, and whatever comes later."""

    event: str


FromCall = Media | Played | Cleared | Start | Digits | Stopped | Unknown

_decode_usual: Callable[[bytes], Media | Played | Cleared] = msgspec.json.Decoder(
    Media | Played | Cleared
).decode


def read_from_call(message: bytes) -> FromCall:
    """The value of one message. Raises WireError."""
    try:
        return _decode_usual(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        decoded = msgspec.json.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotUnderstood("not JSON") from None
    if not isinstance(decoded, dict):
        raise NotUnderstood("not an object")
    return _read(decoded)


def check_payload(payload: bytes, audio_format: AudioFormat) -> None:
    """Raises OddLength when `payload` is not a whole number of samples."""
    if len(payload) & 1 and audio_format.encoding is Encoding.L16:
        raise OddLength("L16 audio of an odd length")


def _read(message: dict[str, Any]) -> FromCall:
    """The rare events, and usual ones in unusual shapes."""
    match message:
        case {"event": "start"}:
            return Start(_read_start(message))
        case {"event": "media", "media": {"payload": str(text), **rest}}:
            return Media(MediaBody(read_base64(text), str(rest.get("track") or "")))
        case {"event": "dtmf", "dtmf": {"digit": str() | int() as digit}}:
            digits = str(digit).upper()
            if digits and DIGITS.issuperset(digits) and len(digits) <= 32:
                return Digits(digits)
        case {"event": "playedStream", "name": str() | int() as name}:
            return Played(str(name))
        case {"event": "stop"}:
            return Stopped()
        case {"event": str(event)} if event not in ("media", "dtmf", "playedStream"):
            return Unknown(event)
    raise NotUnderstood("not one of the shapes known")


def read_base64(text: str) -> bytes:
    """Base64 with its padding or without, in one line or several. Raises BadBase64."""
    joined = "".join(text.split())
    try:
        return binascii.a2b_base64(joined + "=" * (-len(joined) % 4), strict_mode=True)
    except (binascii.Error, ValueError):
        raise BadBase64("the payload is not base64") from None


def _read_start(message: dict[str, Any]) -> CallStart:
    start = message.get("start")
    if not isinstance(start, dict):
        raise BadStart("start holds nothing")
    media_format = start.get("mediaFormat")
    if not isinstance(media_format, dict):
        raise BadStart("start names no media format")
    audio_format = read_format(media_format.get("encoding"), media_format.get("sampleRate"))
    if audio_format is None:
        raise BadStart("the media format is not supported")
    # Documents of other dates have the stream's id beside `start`, not in it.
    stream_id = _text(start.get("streamId")) or _text(message.get("streamId"))
    return CallStart(
        call_id=_text(start.get("callId")) or stream_id,
        stream_id=stream_id,
        account_id=_text(start.get("accountId")),
        tracks=_read_tracks(start.get("tracks")),
        audio_format=audio_format,
        headers=read_extra_headers(message.get("extra_headers") or start.get("extra_headers")),
    )


def _read_tracks(written: object) -> tuple[str, ...]:
    named = TRACKS if written == "both" else written if isinstance(written, list) else [written]
    return tuple(track for track in TRACKS if track in named) or (INBOUND,)


def _text(value: object) -> str:
    return str(value)[:200] if isinstance(value, str | int) else ""
