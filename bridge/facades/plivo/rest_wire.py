"""What is asked of the stream API, read: parameters in, values out. Pure.

| extension of ours | what it does |
|---|---|
| `name` | what the service is called in the conference, and `Name` in callbacks |
| `hears`, `heard_by` | participant ids, roles, `person`, `bot`; as a list or with commas; empty: nobody |
| `audio_track=participants` | on a conference, receive-only: one socket for each participant |
| `bots` | with it: for bots, too |
| `hangup_on_close` | on a participant: when the service closes or fails, they are hung up |
| `redial` | receive-only: dial again while the participant lives, and send what was held |
| `say_stop` | end with a `stop` message |
| `capture` | keep everything said on the stream in a file (docs/captures.md) |

Unknown parameters are ignored, as newer SDKs send some; names are read without regard to case and `_`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from bridge.core.ports import L16_8K, L16_16K, ULAW_8K, AudioFormat
from bridge.errors import BadInput
from bridge.facades.plivo.names import MAX_HEADER_BYTES, clean
from bridge.facades.plivo.parameter_wire import choice_of, flag_of, is_url, plain, tags_of, text_of

Track = Literal["inbound", "outbound", "both", "participants"]
TRACKS = ("inbound", "outbound", "both", "participants")
FORMATS: Mapping[str, AudioFormat] = {
    "audio/x-l16;rate=8000": L16_8K,
    "audio/x-l16;rate=16000": L16_16K,
    "audio/x-mulaw;rate=8000": ULAW_8K,
}
DEFAULT_FORMAT = "audio/x-l16;rate=8000"
DEFAULT_TIMEOUT_S = 86_400
MAX_TIMEOUT_S = 2**31 - 1
MAX_FIELDS = 200
MAX_PAGE = 20
NO_CAPTURES = "capture is not possible here: the server's captures.directory is not set"

_WHOLE = re.compile(r"[0-9]{1,10}")
_PAIR = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*=\s*([^=]*?)\s*")


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A stream as it was asked for."""

    service_url: str = field(repr=False)
    bidirectional: bool = False
    audio_track: Track = "inbound"
    content_type: str = DEFAULT_FORMAT
    timeout_s: int = DEFAULT_TIMEOUT_S
    status_url: str = field(default="", repr=False)
    status_method: Literal["GET", "POST"] = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Decoded; keys as sent."""
    name: str = ""
    hears: frozenset[str] | None = None
    heard_by: frozenset[str] | None = None
    hangup_on_close: bool = False
    redial: bool = False
    say_stop: bool = False
    bots: bool = False
    capture: bool = False

    @property
    def audio_format(self) -> AudioFormat:
        """What `content_type` stands for."""
        return FORMATS[self.content_type]

    @property
    def host(self) -> str:
        """The service's, for people to read."""
        return urlsplit(self.service_url).hostname or ""

    @property
    def title(self) -> str:
        """What the service is called."""
        return self.name or clean(self.host)


@dataclass(frozen=True, slots=True)
class StreamDefaults:
    """What holds where a request does not say."""

    redial: bool = False
    """Of receive-only streams."""
    say_stop: bool = False
    captures: bool = False
    """Whether streams can be captured here at all."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list."""

    limit: int = MAX_PAGE
    offset: int = 0


def read_body(body: bytes, content_type: str) -> dict[str, object]:
    """The parameters of a request, whether JSON or a form; none for an empty body. Raises BadInput."""
    kind = content_type.partition(";")[0].strip().lower()
    if not body.strip():
        return {}
    if kind == "application/x-www-form-urlencoded":
        return _read_form(body)
    try:
        decoded = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        if kind in ("", "text/plain"):
            return _read_form(body)
        raise BadInput("the body is not JSON that can be read") from None
    if not isinstance(decoded, dict):
        raise BadInput("the body must be a JSON object")
    return {str(name): value for name, value in decoded.items()}


def _read_form(body: bytes) -> dict[str, object]:
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise BadInput("the body is not a form that can be read") from None
    return dict(fields)


def read_stream(
    given: Mapping[str, object], *, whole_conference: bool, defaults: StreamDefaults = StreamDefaults()
) -> StreamRequest:
    """Raises BadInput, in words for whoever wrote the request."""
    asked = {plain(name): value for name, value in given.items() if value is not None}
    bidirectional = flag_of(asked, "bidirectional")
    track = choice_of(asked, "audio_track", TRACKS, "inbound")
    status_url, status_method = _status(asked)
    request = StreamRequest(
        service_url=_service_url(asked),
        bidirectional=bidirectional,
        audio_track=cast(Track, track),
        content_type=choice_of(asked, "content_type", tuple(FORMATS), DEFAULT_FORMAT),
        timeout_s=_timeout(asked),
        status_url=status_url,
        status_method=status_method,
        headers=read_headers(asked.get("extraheaders")),
        name=clean(text_of(asked, "name")),
        hears=tags_of(asked, "hears"),
        heard_by=tags_of(asked, "heard_by"),
        hangup_on_close=flag_of(asked, "hangup_on_close"),
        redial=flag_of(asked, "redial", defaults.redial and not bidirectional),
        say_stop=flag_of(asked, "say_stop", defaults.say_stop),
        bots=flag_of(asked, "bots"),
        capture=flag_of(asked, "capture"),
    )
    _check_together(request, whole_conference=whole_conference)
    if request.capture and not defaults.captures:
        raise BadInput(NO_CAPTURES)
    return request


def read_capture(written: str, *, possible: bool) -> bool:
    """What `capture` says in an address. Raises BadInput, also where there is no place for captures."""
    wanted = flag_of({"capture": written}, "capture")
    if wanted and not possible:
        raise BadInput(NO_CAPTURES)
    return wanted


def read_page(query: Mapping[str, str]) -> Page:
    """`limit` (1 to 20) and `offset`. Raises BadInput."""
    limit, offset = query.get("limit", str(MAX_PAGE)), query.get("offset", "0")
    if not _WHOLE.fullmatch(limit) or not 1 <= int(limit) <= MAX_PAGE:
        raise BadInput(f"limit must be a whole number from 1 to {MAX_PAGE}")
    if not _WHOLE.fullmatch(offset):
        raise BadInput("offset must be a whole number")
    return Page(int(limit), int(offset))


def read_headers(given: object) -> dict[str, str]:
    """`extra_headers`: `key=value` pairs with `,` or `;` between, or a JSON object. Raises BadInput."""
    if given is None or given == "" or given == "{}":
        return {}
    if isinstance(given, Mapping):
        given = ",".join(f"{key}={value}" for key, value in given.items())
    if not isinstance(given, str):
        raise BadInput("extra_headers must be key=value pairs with commas between")
    if len(given.encode("utf-8", "replace")) > MAX_HEADER_BYTES:
        raise BadInput(f"extra_headers must not have more than {MAX_HEADER_BYTES} bytes")
    pairs = [_PAIR.fullmatch(pair) for pair in re.split("[,;]", given) if pair.strip()]
    if not pairs or None in pairs:
        raise BadInput("extra_headers must be key=value pairs with commas between")
    return {pair[1]: unquote(pair[2]) for pair in pairs if pair is not None}


def _check_together(request: StreamRequest, *, whole_conference: bool) -> None:
    if request.bidirectional and request.audio_track in ("outbound", "both"):
        raise BadInput(
            "forbidden combination: audio_track cannot be outbound or both when bidirectional is true"
        )
    if request.bidirectional and request.audio_track == "participants":
        raise BadInput("forbidden combination: audio_track=participants is receive-only")
    if request.bidirectional and request.redial:
        raise BadInput("forbidden combination: redial is for receive-only streams")
    if whole_conference and request.audio_track in ("outbound", "both"):
        raise BadInput("audio_track of a conference must be inbound (what everybody says) or participants")
    if not whole_conference and request.audio_track == "participants":
        raise BadInput("audio_track=participants is for conferences, not for a single call")
    if whole_conference and request.hangup_on_close:
        raise BadInput("hangup_on_close is for streams on a single call")
    if request.hears is not None and (not whole_conference or request.audio_track == "participants"):
        raise BadInput("hears is for streams on a conference; what others send is given by audio_track")
    if request.heard_by is not None and request.audio_track == "participants":
        raise BadInput("heard_by makes no sense with audio_track=participants, which plays nothing")


def _timeout(asked: Mapping[str, object]) -> int:
    value = asked.get("streamtimeout", DEFAULT_TIMEOUT_S)
    written = "" if isinstance(value, bool) or not isinstance(value, str | int) else str(value).strip()
    if isinstance(value, str) and not written:
        return DEFAULT_TIMEOUT_S
    if not _WHOLE.fullmatch(written) or not 1 <= int(written) <= MAX_TIMEOUT_S:
        raise BadInput("stream_timeout must be a positive integer, in seconds")
    return int(written)


def _service_url(asked: Mapping[str, object]) -> str:
    url = text_of(asked, "service_url")
    if not is_url(url, ("ws", "wss")):
        raise BadInput("service_url must be a WebSocket URL: wss://…")
    return url


def _status(asked: Mapping[str, object]) -> tuple[str, Literal["GET", "POST"]]:
    url = text_of(asked, "status_callback_url")
    method = text_of(asked, "status_callback_method").upper() or "POST"
    if method not in ("GET", "POST"):
        raise BadInput("status_callback_method must be GET or POST")
    if url and not is_url(url, ("http", "https")):
        raise BadInput("status_callback_url must be an HTTP URL: https://…")
    return url, "GET" if method == "GET" else "POST"
