"""What an answer URL tells Plivo to do with a call: XML, read into values. Pure.

Source: Plivo, "XML request", "The Stream element", "Wait", "Hangup", "Redirect", "PreAnswer".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from bridge.core.ports import L16_8K, AudioFormat
from bridge.legs.plivo_format import CONTENT_TYPES
from bridge.legs.plivo_headers import read_extra_headers
from bridge.legs.plivo_wire import INBOUND, OUTBOUND
from bridge.legs.plivo_xml_wire import MAX_BYTES as MAX_BYTES
from bridge.legs.plivo_xml_wire import BadAnswer as BadAnswer
from bridge.legs.plivo_xml_wire import XmlNode, parse

MAX_REMARKS = 50
MAX_EXTRA_HEADER_BYTES = 512
MAX_URL_CHARACTERS = 2_048
DEFAULT_TIMEOUT_S = 86_400
_SHOWN = 40
"""Of a name somebody else chose, so many characters are repeated."""

Method = Literal["GET", "POST"]
_TRACKS = {"inbound": (INBOUND,), "outbound": (OUTBOUND,), "both": (INBOUND, OUTBOUND)}
_LASTING = frozenset(
    ("Speak", "Play", "Dial", "Conference", "MultiPartyCall", "GetDigits", "GetInput", "Record")
)
_BRIEF = frozenset(("DTMF", "Message"))
_BROKEN = re.compile(r"[\x00-\x20\x7f]")
_WHOLE = re.compile(r"[0-9]{1,9}")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class StreamElement:
    """`<Stream>`: to which service the call's sound goes, and how."""

    url: str = field(repr=False)
    bidirectional: bool = False
    tracks: tuple[str, ...] = (INBOUND,)
    audio_format: AudioFormat = L16_8K
    timeout_s: int = DEFAULT_TIMEOUT_S
    status_url: str = field(default="", repr=False)
    status_method: Method = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`extraHeaders`, by key."""
    keep_call_alive: bool = False

    @property
    def alone(self) -> bool:
        """Whether the elements after it wait until it has ended; otherwise they follow at once.

        "It applies only when the bi-directional audio stream is set to true" ("The Stream element").
        """
        return self.keep_call_alive and self.bidirectional


@dataclass(frozen=True, slots=True)
class WaitElement:
    """`<Wait>`: silence."""

    length_s: int = 1


@dataclass(frozen=True, slots=True)
class HangupElement:
    """`<Hangup>`: the end; with `schedule_s`, so long after it was reached."""

    reason: Literal["", "rejected", "busy"] = ""
    schedule_s: int | None = None


@dataclass(frozen=True, slots=True)
class RedirectElement:
    """`<Redirect>`: go on with what that address gives."""

    url: str = field(repr=False)
    method: Method = "POST"


@dataclass(frozen=True, slots=True)
class OtherElement:
    """An element that is not carried out here."""

    name: str
    known: bool
    """Whether the vendor has it."""
    lasts: bool
    """Whether it would keep the caller for a while."""


AnswerElement = StreamElement | WaitElement | HangupElement | RedirectElement | OtherElement


@dataclass(frozen=True, slots=True)
class Answer:
    """A document: what to do, in order. `<PreAnswer>` is what it holds."""

    elements: tuple[AnswerElement, ...]
    remarks: tuple[str, ...] = ()
    """What in it is not as the vendor has it, or makes no difference here."""


def read_answer(document: bytes) -> Answer:
    """Raises BadAnswer."""
    root = parse(document)
    if root.name != "Response":
        raise BadAnswer(f"its root is <{_cut(root.name)}>, not <Response>")
    remarks: list[str] = []
    elements = tuple(_read_all(root, remarks.append))
    return Answer(elements, tuple(dict.fromkeys(remarks))[:MAX_REMARKS])


def is_address(url: str, schemes: tuple[str, ...]) -> bool:
    """Whether `url` is whole, of one of those schemes, and names a host."""
    if _BROKEN.search(url) or len(url) > MAX_URL_CHARACTERS:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


# --- its elements ---

_Remark = Callable[[str], None]


def _read_all(parent: XmlNode, remark: _Remark) -> Iterator[AnswerElement]:
    if parent.text.strip():
        remark(f"text in <{_cut(parent.name)}> means nothing")
    for node in parent.children:
        match node.name:
            case "Stream":
                yield _read_stream(_Attributes(node, remark))
            case "Wait":
                yield _read_wait(_Attributes(node, remark))
            case "Hangup":
                yield _read_hangup(_Attributes(node, remark))
            case "Redirect":
                yield _read_redirect(_Attributes(node, remark))
            case "PreAnswer":
                yield from _read_all(node, remark)
            case name:
                recording = name == "Record" and node.attributes.get("recordSession", "").lower() == "true"
                lasts = name in _LASTING and not recording
                yield OtherElement(_cut(name), name in _LASTING | _BRIEF, lasts)


def _read_stream(given: _Attributes) -> StreamElement:
    url = given.text
    if not is_address(url, ("ws", "wss")):
        raise BadAnswer("<Stream> holds no address that begins with wss:// or ws:// and names a host")
    bidirectional = given.flag("bidirectional")
    track = given.one_of("audioTrack", _TRACKS, _TRACKS["inbound"])
    if bidirectional and track != _TRACKS["inbound"]:
        raise BadAnswer("<Stream>: audioTrack cannot be outbound or both when bidirectional is true")
    status_url = given.get("statusCallbackUrl")
    if status_url and not is_address(status_url, ("http", "https")):
        raise BadAnswer("<Stream>: statusCallbackUrl is no address that begins with https:// or http://")
    stream = StreamElement(
        url=url,
        bidirectional=bidirectional,
        tracks=track,
        audio_format=given.one_of("contentType", CONTENT_TYPES, L16_8K),
        timeout_s=given.seconds("streamTimeout") or DEFAULT_TIMEOUT_S,
        status_url=status_url,
        status_method=given.method("statusCallbackMethod"),
        headers=given.headers("extraHeaders"),
        keep_call_alive=given.flag("keepCallAlive"),
    )
    given.not_carried_out("noiseCancellation", "noiseCancellationLevel")
    given.others()
    return stream


def _read_wait(given: _Attributes) -> WaitElement:
    wait = WaitElement(given.seconds("length") or 1)
    given.not_carried_out("silence", "minSilence", "beep")
    given.others()
    return wait


def _read_hangup(given: _Attributes) -> HangupElement:
    reasons: dict[str, Literal["", "rejected", "busy"]] = {"rejected": "rejected", "busy": "busy"}
    hangup = HangupElement(given.one_of("reason", reasons, ""), given.seconds("schedule"))
    given.others()
    return hangup


def _read_redirect(given: _Attributes) -> RedirectElement:
    redirect = RedirectElement(given.text, given.method("method"))
    given.others()
    return redirect


class _Attributes:
    """One element's: each is asked for by name, and `others` tells of those that nobody asked for."""

    def __init__(self, node: XmlNode, remark: _Remark) -> None:
        self._node = node
        self._remark = remark
        self._left = dict(node.attributes)
        self.text = node.text.strip()

    def get(self, name: str) -> str:
        """Empty when it is not there."""
        return self._left.pop(name, "").strip()

    def flag(self, name: str) -> bool:
        """False when it is not there."""
        return self.one_of(name, {"true": True, "false": False}, False)

    def one_of(self, name: str, known: Mapping[str, _Value], otherwise: _Value) -> _Value:
        """What the text stands for. Raises BadAnswer for one that is not `known`."""
        written = re.sub(r"\s", "", self.get(name)).lower()
        if not written:
            return otherwise
        if written not in known:
            raise BadAnswer(f"<{self._node.name}>: {name} must be one of {', '.join(known)}")
        return known[written]

    def method(self, name: str) -> Method:
        """POST when it is not there. Raises BadAnswer."""
        methods: dict[str, Method] = {"get": "GET", "post": "POST"}
        return self.one_of(name, methods, "POST")

    def seconds(self, name: str) -> int | None:
        """None when it is not there. Raises BadAnswer for anything but a whole number above 0."""
        written = self.get(name)
        if not written:
            return None
        if not _WHOLE.fullmatch(written) or not int(written):
            raise BadAnswer(f"<{self._node.name}>: {name} must be a whole number of seconds above 0")
        return int(written)

    def headers(self, name: str) -> dict[str, str]:
        """`key=value,key=value`. Raises BadAnswer when there are too many."""
        written = self.get(name)
        if len(written.encode("utf-8", "replace")) > MAX_EXTRA_HEADER_BYTES:
            raise BadAnswer(f"<{self._node.name}>: {name} is longer than {MAX_EXTRA_HEADER_BYTES} bytes")
        headers = read_extra_headers(written)
        if written and not headers:
            self._remark(f"<{self._node.name}>: {name} holds no key=value")
        return headers

    def not_carried_out(self, *names: str) -> None:
        """The vendor has them; they make no difference here."""
        for name in names:
            if self.get(name) not in ("", "false"):
                self._remark(f"<{self._node.name}>: {name} is not carried out")

    def others(self) -> None:
        """The vendor does not have them either."""
        for name in self._left:
            self._remark(f"<{self._node.name}> has no attribute {_cut(name)}")
        for child in self._node.children:
            self._remark(f"<{_cut(child.name)}> in <{self._node.name}> means nothing")


def _cut(name: str) -> str:
    return name if len(name) <= _SHOWN else name[: _SHOWN - 1] + "…"
