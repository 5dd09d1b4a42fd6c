"""HLS playlists as a player reads them (RFC 8216): what there is, in which order, and where. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin

from bridge.errors import BadInput

_FIRST_WORD = b"#EXTM3U"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MOST_LINES = 50_000
_MOST_SECONDS = 3_600.0
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)(?:,|$)')
_VECTOR_BYTES = 16
_VECTOR = re.compile("0[xX][0-9a-fA-F]{1,32}")
_METHOD = re.compile("[A-Z0-9-]{1,32}")
_SOUND_CODECS = ("mp4a", "ac-3", "ec-3", "opus", "flac", "mp3")


@dataclass(frozen=True, slots=True)
class Key:
    """How bytes are encrypted (EXT-X-KEY)."""

    method: str
    """`AES-128`: all of them, by CBC."""
    url: str = field(repr=False)
    """Where the key is."""
    start: bytes
    """The initialization vector, 16 bytes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes of a resource; all of it without `count`."""

    url: str = field(repr=False)
    start: int = 0
    count: int | None = None
    key: Key | None = None
    """None: they are not encrypted."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One."""

    place: Place
    seconds: float
    header: Place | None
    """EXT-X-MAP: what has to be read before it."""
    apart: bool
    """EXT-X-DISCONTINUITY: it does not go on from the one before."""
    gap: bool
    """EXT-X-GAP: it is not there."""


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """Segments; the first has the number `first`."""

    target_s: float
    first: int
    segments: Sequence[Segment]
    ended: bool
    hold_back_s: float
    """So long before the end is where a player begins with what goes on."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One of several that show the same."""

    url: str = field(repr=False)
    bandwidth: int
    codecs: str
    sound_group: str


@dataclass(frozen=True, slots=True)
class Rendition:
    """Sound that has a playlist of its own."""

    url: str = field(repr=False)
    group: str
    default: bool


@dataclass(frozen=True, slots=True)
class MasterPlaylist:
    """What there is to choose from."""

    variants: Sequence[Variant]
    renditions: Sequence[Rendition]

    def sound(self) -> str:
        """The playlist with the least besides sound. Raises BadInput when there is none."""
        if not self.variants:
            raise BadInput("the playlist has nothing to choose from")
        for variant in self.variants:
            mine = [one for one in self.renditions if one.group and one.group == variant.sound_group]
            if mine:
                return max(mine, key=lambda one: one.default).url
        only = [one for one in self.variants if _sound_only(one.codecs)]
        return min(only or self.variants, key=lambda one: one.bandwidth).url


def is_playlist(beginning: bytes) -> bool:
    """Whether a resource that begins so is one."""
    return beginning.removeprefix(_BYTE_ORDER_MARK).startswith(_FIRST_WORD)


def read_playlist(content: bytes, url: str) -> MediaPlaylist | MasterPlaylist:
    """`url`: where it was, for what it names. Raises BadInput."""
    if not is_playlist(content):
        raise BadInput("what should be a playlist is none")
    lines = [
        line.strip() for line in content.removeprefix(_BYTE_ORDER_MARK).decode(errors="replace").split("\n")
    ]
    if len(lines) > _MOST_LINES:
        raise BadInput("the playlist is too long")
    if any(line.startswith("#EXT-X-STREAM-INF:") for line in lines):
        return _master(lines, url)
    return _Reading(url).read(lines)


def _master(lines: Sequence[str], url: str) -> MasterPlaylist:
    variants, renditions = [], []
    told: dict[str, str] | None = None
    for name, value in _tags(lines):
        match name:
            case "EXT-X-STREAM-INF":
                told = _attributes(value)
            case "EXT-X-MEDIA":
                of = _attributes(value)
                if of.get("TYPE") == "AUDIO" and of.get("URI"):
                    default = of.get("DEFAULT") == "YES"
                    renditions.append(Rendition(_joined(url, of["URI"]), of.get("GROUP-ID", ""), default))
            case "":
                if told is not None:
                    bandwidth = _whole(told.get("BANDWIDTH", "0"))
                    where = _joined(url, value)
                    variants.append(Variant(where, bandwidth, told.get("CODECS", ""), told.get("AUDIO", "")))
                told = None
    return MasterPlaylist(variants, renditions)


class _Reading:
    """A media playlist in the making."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._segments: list[Segment] = []
        self._target_s = self._hold_back_s = 0.0
        self._first = 0
        self._ended = False
        self._key: dict[str, str] = {}
        """The attributes of what encrypts from now on; none: nothing does."""
        self._header: Place | None = None
        self._next_starts: dict[str, int] = {}
        self._forget()

    def _forget(self) -> None:
        self._seconds: float | None = None
        self._range = ""
        self._apart = self._gap = False

    def read(self, lines: Sequence[str]) -> MediaPlaylist:
        for name, value in _tags(lines):
            match name:
                case "EXTINF":
                    self._seconds = _seconds(value.partition(",")[0])
                case "EXT-X-BYTERANGE":
                    self._range = value
                case "EXT-X-DISCONTINUITY":
                    self._apart = True
                case "EXT-X-GAP":
                    self._gap = True
                case "EXT-X-KEY":
                    self._encrypt(_attributes(value))
                case "EXT-X-MAP":
                    of = _attributes(value)
                    self._header = self._place(of.get("URI", ""), of.get("BYTERANGE", ""))
                case "EXT-X-TARGETDURATION":
                    self._target_s = _seconds(value)
                case "EXT-X-MEDIA-SEQUENCE":
                    self._first = _whole(value)
                case "EXT-X-SERVER-CONTROL":
                    self._hold_back_s = _seconds(_attributes(value).get("HOLD-BACK", "0"))
                case "EXT-X-ENDLIST":
                    self._ended = True
                case "":
                    self._segment(value)
        target_s = max(self._target_s, 0.5)
        hold_back_s = max(self._hold_back_s, 3 * target_s)
        return MediaPlaylist(target_s, self._first, self._segments, self._ended, hold_back_s)

    def _segment(self, uri: str) -> None:
        if self._seconds is None:
            raise BadInput("the playlist has a segment of no duration")
        place = self._place(uri, self._range, self._first + len(self._segments))
        self._segments.append(Segment(place, self._seconds, self._header, self._apart, self._gap))
        self._forget()

    def _encrypt(self, key: dict[str, str]) -> None:
        """What several systems can decrypt is told once for each: ours is `identity` (§4.3.2.4)."""
        ours = key.get("KEYFORMAT", "identity") == "identity"
        if key.get("METHOD", "NONE") == "NONE":
            self._key = {}
        elif ours or not self._key or self._key.get("KEYFORMAT", "identity") != "identity":
            self._key = key

    def _key_here(self, number: int) -> Key | None:
        """Of what is named next. Without a vector of its own it is the segment's number (§5.2)."""
        if not self._key:
            return None
        method = self._key["METHOD"]
        if method != "AES-128" or self._key.get("KEYFORMAT", "identity") != "identity":
            told = method if method != "AES-128" and _METHOD.fullmatch(method) else "means of others"
            return Key(told, "", bytes(_VECTOR_BYTES))
        written, uri = self._key.get("IV"), self._key.get("URI")
        if not uri:
            raise BadInput("the playlist has a key without an address")
        if written is None:
            vector = number
        elif _VECTOR.fullmatch(written):
            vector = int(written, 16)
        else:
            raise BadInput("the playlist has an initialization vector that is none")
        return Key(method, _joined(self._url, uri), vector.to_bytes(_VECTOR_BYTES))

    def _place(self, uri: str, written: str, number: int = 0) -> Place:
        url, key = _joined(self._url, uri), self._key_here(number)
        if not written:
            return Place(url, key=key)
        count, mark, start = written.partition("@")
        # Without a start it goes on behind the last range of the same resource (RFC 8216 §4.3.2.2).
        begin = _whole(start) if mark else self._next_starts.get(url, 0)
        self._next_starts[url] = begin + _whole(count)
        return Place(url, begin, _whole(count), key)


def _tags(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(name, value) of every tag, ("", URI) of every other line."""
    for line in lines:
        if line.startswith("#EXT"):
            name, _, value = line[1:].partition(":")
            yield name, value
        elif line and not line.startswith("#"):
            yield "", line


def _attributes(written: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(written)}


def _sound_only(codecs: str) -> bool:
    names = [name.strip().lower() for name in codecs.split(",") if name.strip()]
    return bool(names) and all(name.startswith(_SOUND_CODECS) for name in names)


def _joined(base: str, uri: str) -> str:
    try:
        return urljoin(base, uri)
    except ValueError:
        raise BadInput("the playlist names what is no address") from None


def _whole(written: str) -> int:
    if not (written.isascii() and written.isdigit() and len(written) <= 18):
        raise BadInput("the playlist has a number that is none")
    return int(written)


def _seconds(written: str) -> float:
    try:
        seconds = float(written)
    except ValueError:
        raise BadInput("the playlist has a duration that is none") from None
    if not 0 <= seconds <= _MOST_SECONDS:
        raise BadInput("the playlist has a duration that cannot be")
    return seconds
