"""What clients of the Mind API send, from JSON to values; pure. What they get is `resource_wire`.

Bodies are parsed strictly: a wrong type, an unknown enum value or a number out of range raises BadInput,
which names the field. Fields nobody asked for are ignored. In a change, null leaves a field as it is.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from bridge.errors import BadInput
from bridge.people import Layout, Role
from bridge.players import SourceChange, SourceWishes
from bridge.streamings import HlsWishes, PictureWishes, SoundWishes

MAX_NAME = 1_000
MAX_TEXT = 16_000
"""Characters; a message must fit into one data channel message of 64 KiB."""
MAX_ERROR_CHARACTERS = 300

Language = Literal[
    "", "ar", "cs", "de", "en", "es", "fr", "hi", "hu", "it", "ja", "ko", "nl", "pl", "pt", "ru", "tr", "zh"
]
# No NUL: PostgreSQL has no text with it.
Name = Annotated[str, Meta(max_length=MAX_NAME, pattern="^[^\\x00]*$")]
Text = Annotated[str, Meta(max_length=MAX_TEXT, pattern="^[^\\x00]*$")]
Priority = Annotated[float, Meta(ge=0)]


class Body(msgspec.Struct, rename="camel", kw_only=True):
    """What clients send."""


class ConferenceCreation(Body):
    """A new conference."""

    name: Name = ""
    layout: Layout = Layout.MOSAIC
    recording_layout: Layout | None = None
    """Deprecated: accepted, without effect."""
    streams: list[dict[str, Any]] = []
    """Ours: streams to services that begin with it, as in the stream API."""


class ConferenceChange(Body):
    """New parameters of a conference."""

    name: Name | None = None


class ParticipantCreation(Body):
    """A new participant; their layout is the conference's unless they have one of their own."""

    name: Name = ""
    priority: Priority = 1.0
    role: Role = Role.SPEAKER
    layout: Layout | None = None
    language: Language = ""
    source: SourceWishes | None = None
    """Ours: something that is played in place of a person; the participant is removed when it is over."""


class ParticipantChange(Body):
    """New parameters of a participant."""

    name: Name | None = None
    priority: Priority | None = None
    role: Role | None = None
    layout: Layout | None = None
    language: Language | None = None
    source: SourceChange | None = None
    """Ours: how what they play is to be played."""


class MessageCreation(Body):
    """A message to a participant, to the application, or (with the conference's id) to all of them."""

    send_to: UUID
    text: Text
    persistent: bool = False


class StreamingCreation(Body):
    """Where to publish the conference to; ours: how it is coded, or HLS in place of an address."""

    url: Annotated[str, Meta(max_length=4096)] = ""
    audio: SoundWishes = SoundWishes()
    picture: PictureWishes | None = PictureWishes()
    """null: sound alone."""
    hls: HlsWishes | None = None
    levels: bool = False
    """Ours: what is published to the address says how loud each participant is."""


class StreamingMark(Body):
    """Ours: timed metadata of a streaming."""

    payload: Annotated[str, Meta(min_length=1, max_length=4_000)]
    """Of HLS, at most 1,000 characters."""
    duration: Annotated[float, Meta(ge=0, le=3_600)] = 0.0
    """Seconds."""


class SessionDescription(Body):
    """An SDP offer, or the answer to it."""

    sdp: str


AnyBody = TypeVar("AnyBody", bound=Body)


def parse(body: bytes, kind: type[AnyBody]) -> AnyBody:
    """An empty body counts as an empty object. Raises BadInput."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        said = str(wrong)
        if isinstance(wrong, RecursionError):
            said = "nested too deeply"
        raise BadInput(f"the request body: {said[:MAX_ERROR_CHARACTERS]}") from None


def parse_flag(name: str, written: str | None) -> bool:
    """A query parameter that is `true` or `false` (when left out). Raises BadInput."""
    if written is None or written == "false":
        return False
    if written == "true":
        return True
    raise BadInput(f"the query parameter `{name}` must be true or false")
